"""Noise models, and how each lets one measurement be split into two that are independent given the clean image.

y1 = y + e is fitted, y2 = y - e / a^2 is never seen; both have the clean image x as their mean, and var y1 =
(1 + a^2) var y. Known as data thinning (Neufeld et al. 2024), data fission (Leiner et al. 2023) and, as a training
loss, recorrupted-to-recorrupted (Pang et al., CVPR 2021).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from dip_experiments.noise import CorrelatedNoise, known_covariance
from dip_experiments.noise.estimation import (
    ENDS,
    TEXTURE,
    Array,
    Sigma,
    combined_doubt,
    different,
    doubt_about,
    local_noise,
    used_sigma,
)
from dip_experiments.schema import Correlation, Part, Width
from dip_experiments.stopping.rule import FitContext, unknown_level, unknown_sigma
from dip_experiments.tensors import gamma_values

Image = Float[Tensor, "c h w"]
Measured = Float[Tensor, "r c h w"]
Facts = dict[str, float | str]
WHITE_END = (1,)
"""Of values that are 0 where it is dark, whether or not a picture was clipped."""
BRIGHT = 0.5
"""Part of the windows, the brightest, in which noise that grows with brightness is measured (ours)."""
CHANCE = 9.0
"""Standard error by chance of the variance estimated in bright windows, as a part of it, times sqrt(values): 8 to 11 on
64 and 128 pixels of 54 pictures, grey and in colour, with peaks of 10 and 30 and with 10 looks (ours)."""
SHARED_CHANCE, SHARED_TEXTURE = 8.0, 8.0
"""The same as in `noise.estimation` for noise that neighbours or channels may share. With these 68 % of 312 estimates
of sigma^2 (39 pictures, crops of 64 to 256 pixels, sigma 10, 25, 50, widths 0 to 1, correlations 0 to 0.9) were within
1 standard error, 87 % within 2 (ours)."""
SKEW = {"gain": 0.2, "looks": 0.35}
"""Noise that is not symmetric has a smaller median: a gain is too small by 0.2 gain, as a part of it, and 1 / looks by
0.35 / looks (2 % at a peak of 10, 3 and 9 % at 10 and 4 looks, same pictures; ours)."""


@dataclass(frozen=True)
class KnownNoise(ABC):
    """Noise whose strength is known, given or estimated.

    Attributes:
        level: Its strength, in the unit of its model.
        facts: Messages on it, for the summary.
        doubt: Standard error of the noise's variance, as a part of it: 0 where the level is given.
    """

    level: float
    facts: Facts
    doubt: float = 0.0

    @abstractmethod
    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        """Return e, given y: with mean 0, and a^2 times the covariance of y."""

    @abstractmethod
    def variance(self, y: Measured) -> Measured:
        """Return an estimate of var y, right in the mean."""

    def inflation(self, y: Measured) -> float:
        """Return how much larger the variance of a mean of squares is than for values that share no noise."""
        return 1.0


class NoiseModel(Part):
    """Noise that depends on the clean value; a level that is None is estimated from the measurement."""

    kind: ClassVar[str] = "stopping.law"

    ends: ClassVar[Sequence[int]] = ENDS
    """Values that such noise has only where it was clipped."""
    is_white: ClassVar[bool] = True
    """True if neighbours and channels share nothing of it."""

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        """Return why the law cannot be split for such a task."""
        yield from ()

    @abstractmethod
    def known(self, measurement: Measured) -> KnownNoise:
        """Return the noise of a measurement.

        Raises ValueError without noise, or where the law does not suit the measurement.
        """


class GaussianNoise(KnownNoise):
    """`level`: sigma, for an image of range 1."""

    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        return a * self.level * torch.randn(y.shape, generator=draws, dtype=y.dtype)

    def variance(self, y: Measured) -> Measured:
        return torch.full_like(y, self.level**2)


class GaussianNoiseModel(NoiseModel):
    """y = x + N(0, sigma^2): e = a N(0, sigma^2). `sigma` in grey levels of 255."""

    name: Literal["gaussian"]
    sigma: Sigma

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_sigma("split", "law.sigma", self.sigma, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        sigma, facts = used_sigma(self.sigma, measurement)
        return GaussianNoise(sigma / 255, facts, 0.0 if self.sigma is not None else doubt_about(sigma, measurement))


@dataclass(frozen=True, kw_only=True)
class SharedNoise(GaussianNoise):
    """`level`: sigma, for an image of range 1; `covariance` has the rest."""

    covariance: CorrelatedNoise

    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        return a * self.covariance.draw(y, draws)

    def inflation(self, y: Measured) -> float:
        return self.covariance.inflation(*y.shape[2:])


class CorrelatedNoiseModel(NoiseModel):
    """y = x + n, n Gaussian with covariance between channels and neighbours: e = a times an independent draw of it.

    Attributes:
        sigma: Standard deviation in grey levels of 255.
        width: Standard deviation in pixels of the Gaussian by which neighbours share the noise, 0 if they do not.
        correlation: Of any two channels.

    What is None is estimated: see `noise.estimated_noise`.
    """

    name: Literal["correlated"]
    is_white: ClassVar[bool] = False
    sigma: Sigma
    width: Width | None
    correlation: Correlation | None

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_sigma("split", "law.sigma", self.sigma, fit)
        yield from unknown_level("split", "law.width", "in pixels", self.width, fit)
        yield from unknown_level("split", "law.correlation", "of two channels", self.correlation, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        found = known_covariance(measurement, self.sigma, self.width, self.correlation)
        facts: Facts = {
            "sigma": 255 * found.sigma,
            "sigma_from": "estimated" if self.sigma is None else "given",
            "width": found.width,
            "correlation": found.correlation,
        }
        doubt = 0.0 if self.sigma is not None else doubt_about_shared(found, measurement)
        return SharedNoise(found.sigma, facts, doubt, covariance=found)


class PoissonNoise(KnownNoise):
    """`level`: the gain."""

    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        p = a**2 / (1 + a**2)
        counts = (y / self.level).round()
        taken = torch.binomial(counts, torch.full_like(counts, p), generator=draws)
        return self.level * (counts * p - taken) / (1 - p)

    def variance(self, y: Measured) -> Measured:
        return self.level * y


class PoissonNoiseModel(NoiseModel):
    """y = gain k, k ~ Poisson(x / gain): y1 = gain (k - b) / (1 - p), b ~ Binomial(k, p), p = a^2 / (1 + a^2)."""

    name: Literal["poisson"]
    ends: ClassVar[Sequence[int]] = WHITE_END
    gain: PositiveFloat | None

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_level("split", "law.gain", "of a picture in [0, 1]", self.gain, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        check_positive("poisson", measurement)
        if self.gain is not None:
            return PoissonNoise(self.gain, {"gain": self.gain, "gain_from": "given"})
        gain = ratio(measurement, lambda mean: mean)
        found = PoissonNoise(gain, {"gain": gain, "gain_from": "estimated"})
        return replace(found, doubt=doubt_in_windows(measurement, found.variance(measurement), SKEW["gain"] * gain))


class GammaNoise(KnownNoise):
    """`level`: the looks."""

    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        p = a**2 / (1 + a**2)
        seen, hidden = (gamma_values(self.level * share, y, draws) for share in (1 - p, p))
        return y * (seen / (seen + hidden) / (1 - p) - 1)

    def variance(self, y: Measured) -> Measured:
        return y.square() / (self.level + 1)


class GammaNoiseModel(NoiseModel):
    """y = x s, s of Gamma's law with mean 1 and shape L (`looks`): y1 = y (1 - u) / (1 - p), u ~ Beta(L p, L (1 - p)).

    p = a^2 / (1 + a^2). E y^2 = x^2 (1 + 1 / L), so y^2 / (L + 1) estimates the variance x^2 / L.
    """

    name: Literal["gamma"]
    ends: ClassVar[Sequence[int]] = WHITE_END
    looks: PositiveFloat | None

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_level("split", "law.looks", "of the speckle", self.looks, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        check_positive("gamma", measurement)
        if self.looks is not None:
            return GammaNoise(self.looks, {"looks": self.looks, "looks_from": "given"})
        looks = 1 / ratio(measurement, lambda mean: mean**2)
        found = GammaNoise(looks, {"looks": looks, "looks_from": "estimated"})
        return replace(found, doubt=doubt_in_windows(measurement, found.variance(measurement), SKEW["looks"] / looks))


def check_positive(law: str, measurement: Float[Tensor, "r c h w"]) -> None:
    """Raise ValueError for a measurement that cannot have that law."""
    if measurement.min() < 0:
        raise ValueError(f"stopping.law={law}: the picture has values below 0, which such noise never makes; "
                         "choose stopping/law=gaussian")  # fmt: skip


def ratio(measurement: Float[Tensor, "r c h w"], of_mean: Callable[[Array], Array]) -> float:
    """Return how many times `of_mean` of a window's brightness its noise's variance is, by the median.

    Over the brighter windows. Raises ValueError where nothing is noisy.
    """
    found = []
    for image in different(measurement):
        mean, variance = local_noise(image)
        lit = ~np.isnan(variance)
        bright = lit & (mean >= np.quantile(mean[lit], 1 - BRIGHT)) if lit.any() else lit
        found.append(np.median(variance[bright] / of_mean(mean[bright])) if bright.any() else 0.0)
    if not (np.isfinite(found).all() and min(found) > 0):
        raise ValueError("no noise is found in the picture, so it cannot be split; give its level, or stopping=none")
    return float(np.mean(found))


def doubt_in_windows(measurement: Float[Tensor, "r c h w"], noise: Float[Tensor, "r c h w"], skew: float) -> float:
    """Return the standard error of a variance estimated by `ratio`, as a part of it: chance, texture, a skewed law."""
    images = different(measurement)
    texture = (TEXTURE["brightness"] / 255) ** 2 / float(noise.mean())
    return combined_doubt(images, images[0].size, CHANCE, texture, skew, ends=WHITE_END)


def doubt_about_shared(noise: CorrelatedNoise, measurement: Measured) -> float:
    """Return the standard error of an estimated variance of noise that neighbours and channels share, as a part of it.

    As `doubt_about`, but for the values that are independent.
    """
    images = different(measurement)
    independent = images[0].size / noise.inflation(*measurement.shape[2:])
    return combined_doubt(images, independent, SHARED_CHANCE, (SHARED_TEXTURE / (255 * noise.sigma)) ** 2)
