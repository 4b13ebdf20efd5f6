"""Noise of photons and of speckle, which depends on the image and is no Gaussian."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from dip_experiments.noise.estimation import TEXTURE, Array, combined_doubt, different, local_noise
from dip_experiments.stopping.noise_models.model import Image, KnownNoise, Measured, NoiseModel
from dip_experiments.stopping.rule import FitContext, unknown_level
from dip_experiments.tensors import gamma_values

WHITE_END = (1,)
"""Of values that are 0 where it is dark, whether or not a picture was clipped."""
BRIGHT = 0.5
"""Part of the windows, the brightest, in which noise that grows with brightness is measured (ours)."""
CHANCE = 9.0
"""Standard error by chance of the variance estimated in bright windows, as a part of it, times sqrt(values): 8 to 11 on
64 and 128 pixels of 54 pictures, grey and in colour, with peaks of 10 and 30 and with 10 looks (ours)."""
SKEW = {"gain": 0.2, "looks": 0.35}
"""Noise that is not symmetric has a smaller median: a gain is too small by 0.2 gain, as a part of it, and 1 / looks by
0.35 / looks (2 % at a peak of 10, 3 and 9 % at 10 and 4 looks, same pictures; ours)."""


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
        yield from unknown_level(fit.rule, "law.gain", "of a picture in [0, 1]", self.gain, fit)

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
        yield from unknown_level(fit.rule, "law.looks", "of the speckle", self.looks, fit)

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
