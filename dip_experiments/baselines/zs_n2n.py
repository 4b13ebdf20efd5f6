"""ZS-N2N (Mansour & Heckel, CVPR 2023), a denoiser without training data to weigh a Deep Image Prior against.

Ours from the description, not the authors' code: halved pictures teach a small network, which is run on all of it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from dip_experiments.tensors import derive_seed

Array = NDArray[np.float64]
WIDTH, SLOPE = 48, 0.2
RATE, HALVED_EVERY = 1e-3, 1000


def zs_n2n(noisy: Array, seed: int, iterations: int) -> Array:
    """Return the picture "c h w", clipped to [0, 1]; knows nothing of the noise but that its pixels are independent.

    Raises ValueError for a picture of odd height or width: it is halved.
    """
    if noisy.ndim != 3 or noisy.shape[1] % 2 or noisy.shape[2] % 2:
        raise ValueError(f"ZS-N2N halves the picture, which is of shape {noisy.shape}; give even height and width")
    y = torch.from_numpy(noisy).float().unsqueeze(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "init"))
        noise_in = residual_network(noisy.shape[0])
    optimizer = torch.optim.Adam(noise_in.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, HALVED_EVERY, gamma=0.5)
    for _ in range(iterations):
        optimizer.zero_grad()
        loss(noise_in, y).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return (y - noise_in(y)).clamp(0, 1).squeeze(0).double().numpy()


def residual_network(channels: int) -> nn.Sequential:
    """Return a model of the noise: two 3 x 3 convolutions and a 1 x 1, of 22,000 parameters in colour."""
    return nn.Sequential(
        nn.Conv2d(channels, WIDTH, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(WIDTH, channels, 1),
    )


def halves(y: Float[Tensor, "1 c h w"]) -> tuple[Float[Tensor, "1 c hh wh"], Float[Tensor, "1 c hh wh"]]:
    """Return two pictures of half the size: of each 2 x 2 pixels the mean of one diagonal, and that of the other."""
    channels = y.shape[1]
    diagonals = torch.tensor([[[0.0, 0.5], [0.5, 0.0]], [[0.5, 0.0], [0.0, 0.5]]]).to(y)
    first, second = (
        F.conv2d(y, kernel.expand(channels, 1, 2, 2), stride=2, groups=channels) for kernel in diagonals
    )  # fmt: skip
    return first, second


def loss(noise_in: nn.Module, y: Float[Tensor, "1 c h w"]) -> Float[Tensor, ""]:
    """Return the error of each half, denoised, to the other half, and to half of the denoised picture."""
    given = halves(y)
    denoised = [half - noise_in(half) for half in given]
    denoised_halves = halves(y - noise_in(y))
    other = sum(F.mse_loss(a, b) for a, b in zip(given, reversed(denoised), strict=True))
    same = sum(F.mse_loss(a, b) for a, b in zip(denoised, denoised_halves, strict=True))
    return 0.5 * torch.as_tensor(other) + 0.5 * torch.as_tensor(same)
