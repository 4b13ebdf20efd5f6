"""Early stopping in an optimisation loop of one's own: the split stops it and estimates the PSNR. Seconds on a CPU."""

import numpy as np
import torch
from skimage.data import camera
from skimage.transform import resize

import dip_experiments as dip

clean = resize(camera(), (64, 64))
noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)
monitor = dip.StoppingMonitor("split", noisy, settings={"patience": 50, "law.sigma": 25.5})
image = torch.zeros_like(monitor.measurement, requires_grad=True)
optimizer = torch.optim.Adam([image], lr=0.02)
for _iteration in range(1000):
    optimizer.zero_grad()
    smoothness = image.diff(dim=-1).square().mean() + image.diff(dim=-2).square().mean()
    ((image - monitor.measurement).square().mean() + 2 * smoothness).backward()
    optimizer.step()
    if monitor.step(image):
        break
print(f"stopped at {monitor.stopped_at}, estimated PSNR {monitor.estimated_psnr:.2f} dB")
print(f"true PSNR {-10 * np.log10(np.square(monitor.image - clean).mean()):.2f} dB, noisy 20.0 dB")
