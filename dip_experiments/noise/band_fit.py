"""Fit noise to the variances of wavelet bands in flat windows, each of which may hold texture as well.

Noise of some variance v and width w has the variance v b(w) in a band. In flat windows it is found to be that, but for
chance, or more, where texture is left: in a part of the bands (`CLEAN`) only chance counts, and in the others the
logarithm of what is found exceeds that of the noise by an exponential law of mean `EXCESS`. So noise is what most bands
agree on with none much below, whichever bands of a plane texture is in. The logarithm of the variance has a flat prior.
Either channels share nothing, and all planes have one variance and one width, or the variances are any, and brightness
and colours share one width or have any two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import pywt
from jaxtyping import Float
from scipy.special import log_ndtr, logsumexp, softmax

from dip_experiments.noise.covariance import CorrelatedNoise
from dip_experiments.noise.estimation import Array, Flags
from dip_experiments.tensors import gaussian_response

WAVELET, LEVELS = "db2", 3
FIELD = 64
"""Pixels a side of the fields in which spectra of wavelets are computed."""
CLEAN, COLOURS_CLEAN = 0.4, 0.5
"""Part of the bands, in flat windows, that hold noise alone: of brightness, and of colours, in which texture is less
(ours)."""
EXCESS = 1.0
"""Mean logarithm of variance by that of noise in the others (ours)."""
MOST_VALUES = 2000.0
"""Values from which a band's variance counts as found at most: no model of noise is better than 3 % (ours)."""
LOWEST, HIGHEST, APART = -8.0, 1.5, 0.04
"""Logarithms of the variances that are tried, by the median of the bands of the plane where that is largest, and their
distance."""
INDEPENDENT, WHITE, ONE_WIDTH = 0.5, 0.5, 0.9
"""Probability that channels share nothing; that neighbours share nothing; and if they share something, that brightness
and colours share one width (ours)."""
TINY = 1e-12


@dataclass(frozen=True)
class _Candidates:
    """Noise of some widths: for each, its probability but for a factor, and mean and variance of the planes' variances.

    `widths`: of brightness and of colours. `spread`: variance of the sum over planes.
    """

    widths: Float[Array, "k 2"]
    log_probability: Float[Array, " k"]
    variances: Float[Array, "k c"]
    spread: Float[Array, " k"]

    def __add__(self, others: "_Candidates") -> "_Candidates":
        pairs = ((getattr(self, one.name), getattr(others, one.name)) for one in fields(self))
        return _Candidates(*(np.concatenate(pair) for pair in pairs))


def fitted_noise(
    found: Float[Array, "c b"], values: Float[Array, "c b"], widths: Sequence[float], colour_widths: Sequence[float]
) -> CorrelatedNoise:
    """Return the noise that explains the variances of all planes' bands best, with its `doubt`.

    Args:
        found: Variance of each band in windows that are flat.
        values: How many values that is the mean square of.
        widths, colour_widths: Those that are tried, in pixels, in the plane of brightness and in the others.
    """
    logs = np.log(np.median(found, axis=1).max() + TINY) + np.arange(LOWEST, HIGHEST, APART)
    brightness = _likelihood(found[:1], values[:1], CLEAN, widths, logs)
    colours = _likelihood(found[1:], values[1:], COLOURS_CLEAN, colour_widths, logs)
    tried = _shared(brightness, colours, widths, colour_widths, logs)
    if len(found) > 1:
        tried += _independent(brightness, colours, widths, colour_widths, logs)
    weights, sums = softmax(tried.log_probability), tried.variances.sum(1)
    total = float(weights @ sums)
    best = int(weights.argmax())
    width, colour_width = tried.widths[best].tolist()
    return CorrelatedNoise(
        tuple(np.sqrt(tried.variances[best]).tolist()),
        width,
        colour_width=colour_width,
        doubt=float(weights @ (tried.spread + (sums - total) ** 2)) ** 0.5 / max(total, TINY),
    )


def _likelihood(
    found: Float[Array, "c b"],
    values: Float[Array, "c b"],
    clean: float,
    widths: Sequence[float],
    logs: Float[Array, " v"],
) -> Float[Array, "c w v"]:
    """Return the logarithm of each plane's likelihood, for noise of each width and logarithm of its variance."""
    shapes = np.stack([band_variances(width) for width in widths]) + TINY
    half = np.minimum(values, MOST_VALUES)[:, None, :, None] / 2
    away = np.log(found + TINY)[:, None, :, None] - np.log(shapes)[..., None] - logs
    by_chance = half * (away - np.expm1(np.minimum(away, 50))) + 0.5 * np.log(half / (2 * np.pi))
    textured = log_ndtr(away * half**0.5) - np.maximum(away, 0) / EXCESS - np.log(EXCESS)
    return np.asarray(np.logaddexp(np.log(clean) + by_chance, np.log(1 - clean) + textured).sum(2))


def _moments(likelihood: Float[Array, "*k v"], logs: Float[Array, " v"]) -> tuple[Array, Array, Array]:
    """Return the logarithm of the mean likelihood, and mean and variance of the variance by it."""
    weights, variances = softmax(likelihood, axis=-1), np.exp(logs)
    mean = weights @ variances
    return logsumexp(likelihood, axis=-1) - np.log(len(logs)), mean, weights @ variances**2 - mean**2


def _shared(
    brightness: Float[Array, "1 w v"],
    colours: Float[Array, "c u v"],
    widths: Sequence[float],
    colour_widths: Sequence[float],
    logs: Float[Array, " v"],
) -> _Candidates:
    """Return noise with any variance in each plane, of any two widths."""
    (likelihood, mean, spread), (likelihoods, means, spreads) = _moments(brightness[0], logs), _moments(colours, logs)
    same, white = np.equal.outer(widths, colour_widths), np.add.outer(widths, colour_widths) == 0
    prior = _prior(white.ravel(), (ONE_WIDTH * same / same.sum() + (1 - ONE_WIDTH) / same.size).ravel())
    first, second = (index.ravel() for index in np.indices(same.shape))
    return _Candidates(
        np.stack([np.take(widths, first), np.take(colour_widths, second)], axis=1),
        likelihood[first] + likelihoods.sum(0)[second] + np.log((1 - INDEPENDENT) * prior),
        np.concatenate([mean[first][:, None], means[:, second].T], axis=1),
        spread[first] + spreads.sum(0)[second],
    )


def _independent(
    brightness: Float[Array, "1 w v"],
    colours: Float[Array, "c u v"],
    widths: Sequence[float],
    colour_widths: Sequence[float],
    logs: Float[Array, " v"],
) -> _Candidates:
    """Return noise with one variance in all planes, of one width."""
    first, second = np.nonzero(np.equal.outer(widths, colour_widths))
    planes = len(colours) + 1
    likelihood, mean, spread = _moments(brightness[0, first] + colours[:, second].sum(0), logs)
    found = np.take(widths, first)
    prior = _prior(found == 0, np.full(len(found), 1 / len(found)))
    return _Candidates(
        np.stack([found, found], axis=1),
        likelihood + np.log(INDEPENDENT * prior),
        np.repeat(mean[:, None], planes, axis=1),
        planes**2 * spread,
    )


def _prior(white: Flags, shared: Float[Array, " k"]) -> Float[Array, " k"]:
    """Return the probability of each width: `shared`, and more for those at which neighbours share nothing."""
    return WHITE * white / max(white.sum(), 1) + (1 - WHITE) * shared


@cache
def band_variances(width: float) -> Float[Array, " b"]:
    """Return the variance of each band for noise of variance 1 and some width."""
    return wavelet_spectra() @ gaussian_response(FIELD, FIELD, width).square().numpy().ravel() / FIELD**2


@cache
def wavelet_spectra() -> Float[Array, "b f"]:
    """Return the power spectrum of one wavelet of each band in a square field."""
    found = []
    for level in range(1, LEVELS + 1):
        for band in range(3):
            levels = pywt.wavedec2(np.zeros((FIELD, FIELD)), WAVELET, mode="periodization", level=LEVELS)
            levels[-level][band][0, 0] = 1.0
            wavelet = pywt.waverec2(levels, WAVELET, mode="periodization")
            found.append(np.square(np.abs(np.fft.fft2(wavelet))).ravel())
    return np.array(found)
