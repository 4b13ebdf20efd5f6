"""Gaussian noise that was clipped at 0 and 1: the mean and variance of what is left, and how its mean is undone."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ndtr

from dip_experiments.noise.covariance import CorrelatedNoise
from dip_experiments.noise.estimation import Array

STEPS = 512
"""Brightnesses in the tables, between which lines are drawn."""
TINY = 1e-9


def clipped_moments(brightness: Float[Array, " n"], sigma: Float[Array, " n"]) -> tuple[Array, Array]:
    """Return mean and variance of x + n clipped to [0, 1], n Gaussian (Foi, Signal Processing 2009).

    Args:
        brightness: x.
        sigma: Standard deviation of n.
    """
    sigma = np.maximum(sigma, TINY)
    low, high = -brightness / sigma, (1 - brightness) / sigma
    above, inside = ndtr(-high), ndtr(high) - ndtr(low)
    at_low, at_high = (np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5 for z in (low, high))
    mean = brightness * inside + sigma * (at_low - at_high) + above
    square = (brightness**2 + sigma**2) * inside + sigma * (brightness * at_low - (brightness + 1) * at_high) + above
    return mean, np.maximum(square - mean**2, 0)


@dataclass(frozen=True)
class ClippedNoise:
    """Mean and variance of a noise clipped to [0, 1], for the brightness of an image in that range.

    Attributes:
        mean: Of clipped values with the brightnesses of `brightness`, increasing.
        variance: Of them.
    """

    mean: Float[Array, " n"]
    variance: Float[Array, " n"]

    @property
    def brightness(self) -> Float[Array, " n"]:
        """From black to white, in equal steps."""
        return np.linspace(0, 1, len(self.mean))

    @classmethod
    def of(cls, noise: CorrelatedNoise) -> "ClippedNoise":
        """Return the table of a noise before it was clipped."""
        brightness = np.linspace(0, 1, STEPS)
        sigma = noise.sigma * noise.relative(torch.from_numpy(brightness)).sqrt().numpy()
        return cls(*clipped_moments(brightness, sigma))

    def variance_at(self, mean: Array) -> Array:
        """Return the variance of clipped values with some mean."""
        return np.interp(mean, self.mean, self.variance)

    def undone(self, mean: Array) -> Array:
        """Return the brightness of clipped values with some mean: what a denoiser finds, less the bias of clipping."""
        return np.interp(mean, self.mean, self.brightness)

    def stretch(self, mean: Array) -> Array:
        """Return by how much `undone` makes small differences from some mean larger; 0 beyond what it undoes."""
        slopes = np.append(np.diff(self.brightness) / np.diff(self.mean), 0.0)
        at = np.searchsorted(self.mean, mean, side="right") - 1
        return np.where(at < 0, 0.0, slopes[at])
