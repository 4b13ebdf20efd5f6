"""Deep Image Prior in a benchmark of deepinv, beside deepinv's own models: pip install 'dip_experiments[deepinv]'."""

import argparse

import deepinv
import torch
from skimage.data import camera
from skimage.transform import resize
from torch.utils.data import DataLoader

import dip_experiments as dip

SIGMA = 0.05
"""Standard deviation of the noise, of a range of 1."""


def make_loader(physics: deepinv.physics.Physics, side: int) -> DataLoader:
    """Return a loader of clean images and their measurements, here of one."""
    x = torch.from_numpy(resize(camera(), (side, side), anti_aliasing=True)).float()[None, None]
    return DataLoader([{"x": x[0], "y": physics(x)[0]}])


def benchmark(side: int = 128, **options) -> dict[str, dict[str, float]]:
    """Return deepinv's metrics of each model. `options`: keyword arguments of `dip.reconstruct`."""
    kernel = deepinv.physics.functional.blur.gaussian_blur(sigma=(1.5, 1.5))
    noise = deepinv.physics.GaussianNoise(SIGMA, rng=torch.Generator().manual_seed(0))
    physics = deepinv.physics.Blur(kernel, padding="circular", noise_model=noise)
    loader = make_loader(physics, side)
    settings = {"stopping.law.sigma": 255 * SIGMA, **options.pop("settings", {})}  # in grey levels of 255
    models = {
        "deep image prior": dip.DeepinvModel(stopping="split", settings=settings, **options),
        "total variation": deepinv.models.ArtifactRemoval(deepinv.models.TVDenoiser(), mode="adjoint"),
    }
    return {
        name: deepinv.test(model, loader, physics, verbose=False, show_progress_bar=False)
        for name, model in models.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="laptop", help="smoke, demo, laptop or paper")
    for model, metrics in benchmark(scale=parser.parse_args().scale).items():
        print(model, {name: round(value, 2) for name, value in metrics.items()})
