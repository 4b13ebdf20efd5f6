"""Stationary Gaussian noise that channels and neighbouring pixels share."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import dct
from torch import Tensor

from dip_experiments.tensors import gaussian_response

Image = Float[Tensor, "c h w"]


def opponent_basis(channels: int) -> Float[Tensor, "c c"]:
    """Return the orthonormal basis (rows) of the discrete cosine transform: the mean of the channels, then differences.

    Of RGB these are (R + G + B) / sqrt 3, (R - B) / sqrt 2 and (R - 2 G + B) / sqrt 6. Noise that any two
    channels share alike is independent in these planes.
    """
    return torch.from_numpy(dct(np.eye(channels), axis=0, norm="ortho"))


@dataclass(frozen=True)
class CorrelatedNoise:
    """Gaussian noise with a channel covariance and a stationary spectrum, on the torus.

    Plane i of `opponent_basis` is white noise of standard deviation sigmas[i], smoothed by a Gaussian and brought back
    to that deviation.

    Attributes:
        sigmas: Standard deviation in each plane, for an image of range 1.
        width: Standard deviation of that Gaussian in pixels, 0 for noise that neighbours do not share.
    """

    sigmas: tuple[float, ...]
    width: float

    @classmethod
    def of_channels(cls, channels: int, sigma: float, width: float, correlation: float) -> "CorrelatedNoise":
        """Return noise of one standard deviation in all channels, and one correlation between any two of them.

        Args:
            channels: How many.
            sigma: For an image of range 1.
            width: See the class.
            correlation: From -1 / (channels - 1), or 0 for one channel, to 1.
        """
        brightness, colour = 1 + (channels - 1) * correlation, 1 - correlation
        variances = [brightness, *[colour] * (channels - 1)]
        return cls(tuple(sigma * max(variance, 0.0) ** 0.5 for variance in variances), width)

    @property
    def sigma(self) -> float:
        """Standard deviation of a value, the root of the channels' mean variance."""
        return (sum(sigma**2 for sigma in self.sigmas) / len(self.sigmas)) ** 0.5

    @property
    def correlation(self) -> float:
        """Mean covariance of two channels by their mean variance; 0 for one channel."""
        if len(self.sigmas) == 1:
            return 0.0
        return ((self.sigmas[0] / self.sigma) ** 2 - 1) / (len(self.sigmas) - 1)

    def deviations(self, rows: int, columns: int) -> Float[Tensor, "c h w"]:
        """Return the square root of the power spectrum in each plane; the mean square of a plane is its variance."""
        planes = torch.tensor(self.sigmas, dtype=torch.float64)
        return planes[:, None, None] * gaussian_response(rows, columns, self.width)

    def draw(self, like: Image, draws: torch.Generator) -> Image:
        """Draw such noise of the shape and precision of an image."""
        white = torch.randn(like.shape, generator=draws, dtype=torch.float64)
        planes = torch.fft.ifft2(torch.fft.fft2(white) * self.deviations(*like.shape[1:])).real
        return torch.tensordot(opponent_basis(len(planes)).T, planes, 1).to(like)

    def inflation(self, rows: int, columns: int) -> float:
        """Return by how much the variance of a mean of squares of such noise is larger than for white noise.

        That is the sum of the squared correlations of a value with all values, mean S^2 / (mean S)^2 with S the power
        spectrum of the planes.
        """
        power = self.deviations(rows, columns).square()
        return float(power.square().mean() / power.mean() ** 2)

    def weights(self, rows: int, columns: int, floor: float) -> Float[Tensor, "c h w"]:
        """Return what whitens a residual in the spectrum of each plane, with mean 1: 1 / (S + floor max S).

        Args:
            rows, columns: Of the image.
            floor: Above 0, so that what the noise hardly holds does not count without limit.
        """
        power = self.deviations(rows, columns).square()
        weights = 1 / (power + floor * power.max())
        return weights / weights.mean()
