"""Gaussian noise that channels and neighbouring pixels share, and that may grow with brightness."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.fft import dct
from torch import Tensor

from dip_experiments.tensors import gaussian_response

Image = Float[Tensor, "c h w"]
NEIGHBOURS = 5
"""Pixels a side over which brightness is averaged (ours)."""


def local_mean(y: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
    """Return the mean of the pixels around each, which tells brightness better than a noisy value."""
    return F.avg_pool2d(y, NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False)


def opponent_basis(channels: int) -> Float[Tensor, "c c"]:
    """Return the orthonormal basis (rows) of the discrete cosine transform: the mean of the channels, then differences.

    Of RGB these are (R + G + B) / sqrt 3, (R - B) / sqrt 2 and (R - 2 G + B) / sqrt 6. Noise that any two
    channels share alike is independent in these planes.
    """
    return torch.from_numpy(dct(np.eye(channels), axis=0, norm="ortho"))


@dataclass(frozen=True)
class CorrelatedNoise:
    """Gaussian noise with a channel covariance and a stationary spectrum, on the torus, times what brightness says.

    Plane i of `opponent_basis` is white noise of standard deviation sigmas[i], smoothed by a Gaussian and brought back
    to that deviation. A value of brightness x has `relative(x)` times the variance of one at mid-grey.

    Attributes:
        sigmas: Standard deviation in each plane where the image, of range 1, is at mid-grey.
        width: Standard deviation of that Gaussian in pixels, 0 for noise that neighbours do not share.
        growth: Variance at white less that at black, by that at mid-grey: 0 for noise that is the same everywhere, 2
            for photons alone, from -2 on.
        colour_width: As `width`, in all planes but that of brightness; None: the same. A camera that sees one
            colour in each pixel spreads colours farther than brightness.
        doubt: Standard error of the variance as far as the fit that found it says, as a part of it; 0 where it is
            given.
    """

    sigmas: tuple[float, ...]
    width: float
    growth: float = 0.0
    colour_width: float | None = None
    doubt: float = 0.0

    @classmethod
    def of_channels(
        cls, channels: int, sigma: float, width: float, correlation: float, growth: float = 0.0
    ) -> "CorrelatedNoise":
        """Return noise of one standard deviation in all channels, and one correlation between any two of them.

        Args:
            channels: How many.
            sigma: At mid-grey, for an image of range 1.
            width, growth: See the class.
            correlation: From -1 / (channels - 1), or 0 for one channel, to 1.
        """
        brightness, colour = 1 + (channels - 1) * correlation, 1 - correlation
        variances = [brightness, *[colour] * (channels - 1)]
        return cls(tuple(sigma * max(variance, 0.0) ** 0.5 for variance in variances), width, growth)

    @property
    def widths(self) -> tuple[float, ...]:
        """Width of the Gaussian in each plane."""
        colours = self.width if self.colour_width is None else self.colour_width
        return self.width, *[colours] * (len(self.sigmas) - 1)

    @property
    def sigma(self) -> float:
        """Standard deviation of a value at mid-grey, the root of the channels' mean variance."""
        return (sum(sigma**2 for sigma in self.sigmas) / len(self.sigmas)) ** 0.5

    @property
    def correlation(self) -> float:
        """Mean covariance of two channels by their mean variance; 0 for one channel."""
        if len(self.sigmas) == 1:
            return 0.0
        return ((self.sigmas[0] / self.sigma) ** 2 - 1) / (len(self.sigmas) - 1)

    @property
    def gain(self) -> float:
        """Variance at white less that at black: the brightness of one photon, for noise of photons and electronics."""
        return self.growth * self.sigma**2

    @property
    def sigma_at_black(self) -> float:
        """Standard deviation of a value where the image is black: that of the electronics."""
        return self.sigma * max(1 - self.growth / 2, 0.0) ** 0.5

    def relative(self, brightness: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return the variance of values of some brightness by that at mid-grey: a line, but never below 0.

        Where it is above, that of noisy values is right in the mean.
        """
        return (1 + self.growth * (brightness - 0.5)).clamp_min(0)

    def deviations(self, rows: int, columns: int) -> Float[Tensor, "c h w"]:
        """Return the square root of the power spectrum in each plane; the mean square of a plane is its variance."""
        responses = torch.stack([gaussian_response(rows, columns, width) for width in self.widths])
        return torch.tensor(self.sigmas, dtype=torch.float64)[:, None, None] * responses

    def draw_at_mid_grey(self, like: Image, draws: torch.Generator) -> Image:
        """Draw such noise of the shape and precision of an image, as if that were all mid-grey."""
        white = torch.randn(like.shape, generator=draws, dtype=torch.float64)
        planes = torch.fft.ifft2(torch.fft.fft2(white) * self.deviations(*like.shape[1:])).real
        return torch.tensordot(opponent_basis(len(planes)).T, planes, 1).to(like)

    def draw(self, image: Image, draws: torch.Generator) -> Image:
        """Draw the noise of a clean image."""
        return self.draw_at_mid_grey(image, draws) * self.relative(image).sqrt()

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
