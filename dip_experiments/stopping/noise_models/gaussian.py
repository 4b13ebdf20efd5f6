"""Gaussian noise: white, or with what brightness, neighbouring pixels and channels make of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import PositiveFloat

from dip_experiments.noise import ClippedNoise, CorrelatedNoise, known_covariance, local_mean
from dip_experiments.noise.estimation import (
    NO_NOISE,
    Sigma,
    combined_doubt,
    different,
    doubt_about,
    is_clipped,
    spoilt_parts,
    used_sigma,
)
from dip_experiments.schema import Correlation, Growth, Width
from dip_experiments.stopping.noise_models.model import Facts, Image, KnownNoise, Measured, NoiseModel
from dip_experiments.stopping.rule import FitContext, unknown_level, unknown_sigma

SHARED_CHANCE, SHARED_TEXTURE, FIT = 4.0, 5.0, 2.0
"""The first two as in `noise.estimation` for noise that neighbours or channels may share; how often the doubt of the
fit counts, whose model of texture is too simple. With these 82 % of 3400 estimates of sigma^2 (40 pictures, crops of
128 and 256 pixels, sigma 5 to 50, 17 kinds of noise) were within 1 standard error, 97 % within 2 (ours)."""
CUT_OFF = 0.6
"""Standard error of an estimated variance by clipping, in parts of the values that were cut off (ours)."""


class GaussianNoise(KnownNoise):
    """`level`: sigma, for an image of range 1."""

    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        return a * self.level * torch.randn(y.shape, generator=draws, dtype=y.dtype)

    def variance(self, y: Measured) -> Measured:
        return torch.full_like(y, self.level**2)


class GaussianNoiseModel(NoiseModel):
    """y = x + N(0, sigma^2): e = a N(0, sigma^2). `sigma` in grey levels of 255."""

    name: Literal["gaussian"]
    is_gaussian: ClassVar[bool] = True
    sigma: Sigma

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_sigma(fit.rule, "law.sigma", self.sigma, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        sigma, facts = used_sigma(self.sigma, measurement)
        return GaussianNoise(sigma / 255, facts, 0.0 if self.sigma is not None else doubt_about(sigma, measurement))


@dataclass(frozen=True, kw_only=True)
class SharedNoise(KnownNoise):
    """`level`: sigma at mid-grey, for an image of range 1; `covariance` has the rest, `clipped` what is left of it."""

    covariance: CorrelatedNoise
    clipped: ClippedNoise | None = None

    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        deviations = (self.variance(y[None])[0] / self.level**2).sqrt()
        return a * deviations * self.covariance.draw_at_mid_grey(y, draws)

    def variance(self, y: Measured) -> Measured:
        if self.clipped is None:
            return self.level**2 * self.covariance.relative(y)
        return torch.from_numpy(self.clipped.variance_at(local_mean(y).cpu().double().numpy())).to(y)

    def inflation(self, y: Measured) -> float:
        return self.covariance.inflation(*y.shape[2:])


class CorrelatedNoiseModel(NoiseModel):
    """y = x + n, n Gaussian with covariance between channels and neighbours: e = a times an independent draw of it.

    If a part of the picture lies at 0 or 1 and nothing beyond, the noise is taken to be clipped.

    Attributes:
        sigma: Standard deviation at mid-grey, in grey levels of 255.
        width: Standard deviation in pixels of the Gaussian by which neighbours share the noise, 0 if they do not.
        correlation: Of any two channels.
        growth: Variance at white less that at black, by that at mid-grey: 0 if it does not depend on the image.

    What is None is estimated: see `noise.estimated_noise`.
    """

    name: Literal["correlated"]
    is_gaussian: ClassVar[bool] = True
    is_white: ClassVar[bool] = False
    sigma: Sigma
    width: Width | None
    correlation: Correlation | None
    growth: Growth | None

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_sigma(fit.rule, "law.sigma", self.sigma, fit)
        yield from unknown_level(fit.rule, "law.width", "in pixels", self.width, fit)
        yield from unknown_level(fit.rule, "law.correlation", "of two channels", self.correlation, fit)
        yield from unknown_level(fit.rule, "law.growth", "of the variance with brightness", self.growth, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        found = known_covariance(measurement, self.sigma, self.width, self.correlation, self.growth)
        facts: Facts = {
            "sigma": 255 * found.sigma,
            "sigma_from": _from(self.sigma),
            "width": found.width,
            "correlation": found.correlation,
            "growth": found.growth,
        }
        if found.widths[-1] != found.width:
            facts["colour_width"] = found.widths[-1]
        known = shared_noise(found, facts, measurement, is_given=self.sigma is not None)
        if self.sigma is not None:
            return known
        return replace(known, facts=known.facts | {"sigma_error": 255 * found.sigma * known.doubt / 2})


class PoissonGaussianNoiseModel(NoiseModel):
    """y = gain Poisson(x / gain) + N(0, sigma^2), taken for Gaussian: photons that are counted by noisy electronics.

    The variance gain x + sigma^2 is a line in x, which the same line in y estimates without bias. See Foi et al., IEEE
    Transactions on Image Processing 2008. What is None is estimated.

    Attributes:
        gain: Of a picture in [0, 1]: the brightness of one photon.
        sigma: Of the electronics, in grey levels of 255: where the picture is black. 0: photons alone.
    """

    name: Literal["poisson_gaussian"]
    is_gaussian: ClassVar[bool] = True
    is_white: ClassVar[bool] = False
    gain: PositiveFloat | None
    sigma: Sigma

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_level(fit.rule, "law.sigma", "in grey levels of 255", self.sigma, fit)
        yield from unknown_level(fit.rule, "law.gain", "of a picture in [0, 1]", self.gain, fit)

    def known(self, measurement: Measured) -> KnownNoise:
        gain, black, doubt = self.gain, None if self.sigma is None else (self.sigma / 255) ** 2, 0.0
        if gain is None or black is None:
            found = known_covariance(measurement, None, 0.0, 0.0, None)
            doubt = found.doubt
            if black is None:
                black = found.sigma_at_black**2 if gain is None else max(found.sigma**2 - gain / 2, 0.0)
            gain = gain or max(2 * (found.sigma**2 - black), 0.0)
        at_mid_grey = black + gain / 2
        if not at_mid_grey > 0:
            raise ValueError(NO_NOISE)
        white = CorrelatedNoise.of_channels(measurement.shape[1], at_mid_grey**0.5, 0.0, 0.0, gain / at_mid_grey)
        noise = replace(white, doubt=doubt)
        facts: Facts = {"gain": gain, "gain_from": _from(self.gain)}
        facts |= {"sigma": 255 * black**0.5, "sigma_from": _from(self.sigma)}
        return shared_noise(noise, facts, measurement, is_given=None not in (self.gain, self.sigma))


def _from(given: float | None) -> str:
    return "estimated" if given is None else "given"


def shared_noise(noise: CorrelatedNoise, facts: Facts, measurement: Measured, is_given: bool) -> SharedNoise:
    """Return such a noise of a measurement, clipped if that is."""
    clipped = ClippedNoise.of(noise) if any(map(is_clipped, different(measurement))) else None
    facts = {**facts, "clipped": float(clipped is not None)}
    doubt = 0.0 if is_given else doubt_about_shared(noise, measurement)
    return SharedNoise(noise.sigma, facts, doubt, covariance=noise, clipped=clipped)


def doubt_about_shared(noise: CorrelatedNoise, measurement: Measured) -> float:
    """Return the standard error of an estimated variance of noise that neighbours and channels share, as a part of it.

    As `doubt_about`, but for the values that are independent, and noise that was clipped is sought as such. What looks
    like noise or like texture is in the doubt of the fit.
    """
    images = different(measurement)
    independent = images[0].size / noise.inflation(*measurement.shape[2:])
    texture = (SHARED_TEXTURE / (255 * noise.sigma)) ** 2
    cut_off = CUT_OFF * float(np.mean([spoilt_parts(image)[1] for image in images]))
    return combined_doubt(images, independent, SHARED_CHANCE, texture, cut_off, FIT * noise.doubt, ends=())
