"""How far the noise that is estimated from a noisy photograph is from the true one, for noises of many kinds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.noise import CorrelatedNoise
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel, GaussianNoiseModel
from dip_experiments.tasks.camera import Camera
from dip_experiments.tasks.noise import PoissonGaussian
from dip_experiments.tensors import generator

AUTO = CorrelatedNoiseModel(name="correlated", sigma=None, width=None, correlation=None, growth=None)
WHITE = GaussianNoiseModel(name="gaussian", sigma=None)
TRUE_DRAWS, FIRST = 32, 1000
"""Draws by which the true variance is known, and the first of their seeds (ours)."""
DIGITS = 4
"""Of an error, rounded."""


@dataclass(frozen=True)
class KnownNoise:
    """A noise by its function, and by its width in pixels and correlation of channels where it has such."""

    apply: Callable[[Tensor, torch.Generator], Tensor]
    width: float = np.nan
    correlation: float = np.nan


def gaussian(sigma: float, width: float = 0.0, correlation: float = 0.0, *, clip: bool = False) -> KnownNoise:
    """Return Gaussian noise of `sigma` grey levels of 255; of a grey picture without the correlation."""

    def apply(image: Tensor, draws: torch.Generator) -> Tensor:
        shared = correlation if len(image) > 1 else 0.0
        noisy = image + CorrelatedNoise.of_channels(len(image), sigma / 255, width, shared).draw(image, draws)
        return noisy.clamp(0, 1) if clip else noisy

    return KnownNoise(apply, width, correlation)


def camera(electrons: float) -> KnownNoise:
    """Return what a simulated camera makes of it, which is of no one width."""
    return KnownNoise(Camera(name="camera", electrons=electrons, read=3.0, gamma=2.2, quality=90).apply)


NOISES = {
    "white, 10": gaussian(10),
    "white, 25": gaussian(25),
    "white, 50": gaussian(50),
    "white, 25, clipped": gaussian(25, clip=True),
    "white, 50, clipped": gaussian(50, clip=True),
    "neighbours 0.5, 25": gaussian(25, 0.5),
    "neighbours 0.7, 25": gaussian(25, 0.7),
    "neighbours 1, 25": gaussian(25, 1.0),
    "neighbours 0.7, 10": gaussian(10, 0.7),
    "channels 0.8, 25": gaussian(25, 0.0, 0.8),
    "both, 25": gaussian(25, 0.7, 0.8),
    "both, 10": gaussian(10, 0.7, 0.8),
    "photons": KnownNoise(PoissonGaussian(name="poisson_gaussian", peak=60.0, sigma=10.0).apply, 0.0, 0.0),
    "camera, 300": camera(300.0),
    "camera, 1200": camera(1200.0),
}
"""By name."""


def estimation_errors(
    name: str, picture: str, clean: NDArray[np.float64], draws: int
) -> Iterator[tuple[int, str, float]]:
    """Estimate the noise in each of several draws, and yield draw, quantity and error.

    Quantities: `sigma` and `white`, of the root of the mean variance, as a part of it, by law `auto` and taken for
    white noise; `width` and `correlation`, of colour pictures, where it has such; `z`, of the variance in reported
    standard errors.

    Args:
        name: One of NOISES.
        picture: Name of the picture, with which the draws differ.
        clean: The picture "c h w" in [0, 1].
        draws: How many.
    """
    noise, image = NOISES[name], torch.from_numpy(clean).double()

    def noisy(seed: int) -> Tensor:
        return noise.apply(image, generator(seed, f"{name} {picture}"))

    true = float(torch.stack([noisy(FIRST + index) for index in range(TRUE_DRAWS)]).var(0).mean())
    for draw in range(draws):
        y = noisy(draw)[None]
        known, white = AUTO.known(y), WHITE.known(y)
        mean = float(known.variance(y).mean())
        found = {
            "sigma": (mean / true) ** 0.5 - 1,
            "white": (float(white.variance(y).mean()) / true) ** 0.5 - 1,
            "width": float(known.facts["width"]) - noise.width,
            "correlation": float(known.facts["correlation"]) - noise.correlation if len(image) > 1 else np.nan,
            "z": (mean - true) / (mean * known.doubt),
        }
        yield from ((draw, what, round(error, DIGITS)) for what, error in found.items() if np.isfinite(error))
