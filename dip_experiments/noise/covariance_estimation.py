"""Estimate Gaussian noise, shared by channels and neighbours or not, from the noisy picture alone.

Noise of places of one brightness is the same everywhere and independent between wavelet bands and planes; texture is
neither. So the variance of each band is that of the windows which look flattest in all *other* bands and planes: chosen
so, windows of mere noise have no smaller variance in that band than others. To the bands' variances noise of some
width is fitted: see `band_fit`. How the noise grows with brightness is a line through the noise found in the windows of
each brightness.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pywt
from jaxtyping import Float
from scipy.optimize import nnls
from torch import Tensor

from dip_experiments.noise.band_fit import LEVELS, TINY, WAVELET, band_variances, fitted_noise
from dip_experiments.noise.clipping import ClippedNoise
from dip_experiments.noise.covariance import CorrelatedNoise, opponent_basis
from dip_experiments.noise.estimation import NO_NOISE, Array, Flags, different, is_clipped, used_sigma, without_noise

Widths = tuple[Sequence[float], Sequence[float]]
"""Those of brightness, and of colours."""
WINDOW = 8
"""Pixels a side of the windows: a value of the coarsest band in each (ours)."""
WIDTHS, COLOUR_WIDTHS = (tuple(np.arange(0, most + 0.05, 0.05).round(2).tolist()) for most in (1.0, 1.5))
"""Widths that are tried for brightness and for colours, in pixels. What seems wider is texture more often than noise;
of a camera that sees one colour a pixel the colours are wider than brightness (ours)."""
VALUES = np.repeat([float((WINDOW >> level) ** 2) for level in range(1, LEVELS + 1)], 3)
"""How many values of each band a window has."""
FLATTEST, FEWEST = 0.1, 8
"""Least part of the windows, and least number of them, from which a variance is taken (ours)."""
FLAT = 0.0
"""Standard deviations above that of noise up to which a window counts as flat (ours)."""
REPEATS, FITTED = 3, 4
"""How often flat windows are chosen by the noise found so far; iterations of a weighted least-squares fit (ours)."""
CHOSEN = 0.045
"""Part of the variance of noise of width 1 that choosing flat windows takes, as its bands are not independent; it grows
with the cube of the width (0.5 % at 0.5, 1.6 % at 0.7: draws of mere noise, 128 x 128; ours)."""
OUTLIER = 50.0
"""Largest variance by the expected one that counts in the choice of windows (ours)."""
HARDLY = 1e-3
"""Expected variance of a band by the largest one below which it tells nothing of flat windows (ours)."""
UNCLIPPED, SEEN = 4, 0.3
"""How often the noise is sought again by what clipping leaves of the noise found so far, and the part of its variance
that has to be left of it for a window to count (ours)."""
FINEST = 3
"""Bands of the finest details."""
BIN, MOST_BINS = 40, 8
"""Windows of like brightness from which its noise is found, and how many brightnesses at most (ours)."""
SAME_BRIGHTNESS = 0.1
"""Range of brightness below which it cannot be seen how noise grows with it (ours)."""
EMPTY = 0.01
"""Logarithm of the quartiles' ratio below which a band holds nothing, as that of a colour in a grey picture."""
LEAST_RELATIVE = 0.01
"""Least variance of a window, by that at mid-grey, that noise of photons has in the dark (ours)."""
GIVE = "give sigma, width, correlation and growth, or of photons and electronics gain and sigma"
"""Advice where noise cannot be estimated."""


def estimated_noise(
    image: Float[Array, "c h w"],
    width: float | None = None,
    correlation: float | None = None,
    growth: float | None = 0.0,
) -> CorrelatedNoise:
    """Estimate the noise of a picture.

    On the middle 128 x 128 of 20 photographs with sigma 25, sigma came out 1 % too large in the mean for white noise,
    nine of ten within 4 %, and -1 to 3 % for noise that neighbours or channels share, nine of ten within 5 to 12 %.

    Args:
        image: Noisy, of range 1.
        width: Of the Gaussian by which neighbours share the noise, in pixels; None: estimated.
        correlation: Of any two channels; None: estimated.
        growth: With brightness, as in `CorrelatedNoise`; None: estimated.

    Raises:
        ValueError: For a picture that is too small, one without noise, and one whose noise was nearly all clipped.
    """
    energies, brightness = windows_with_noise(image)
    widths = (WIDTHS, COLOUR_WIDTHS) if width is None else ((width,), (width,))
    noise = _noise_in(energies, brightness, growth, widths)
    if is_clipped(image):
        for _ in range(UNCLIPPED):
            left = _left_by_clipping(noise, brightness)
            seen = left > SEEN
            if seen.sum() < FEWEST:
                raise ValueError(f"the noise of the picture was clipped away but for {seen.sum()} places; {GIVE}")
            noise = _noise_in((energies / left)[..., seen], brightness[:, seen], growth, widths)
    if not noise.sigma > TINY:
        raise ValueError(NO_NOISE)
    if correlation is None:
        return noise
    of_channels = CorrelatedNoise.of_channels(len(image), noise.sigma, noise.width, correlation, noise.growth)
    return replace(of_channels, colour_width=noise.colour_width, doubt=noise.doubt)


def known_covariance(
    measurement: Float[Tensor, "r c h w"],
    sigma: float | None,
    width: float | None,
    correlation: float | None,
    growth: float | None = 0.0,
) -> CorrelatedNoise:
    """Return the noise of a measurement by what is given of it; the rest is estimated, in the mean over replicas.

    Args:
        measurement: Of range 1.
        sigma: Standard deviation at mid-grey in grey levels of 255.
        width, correlation, growth: See `estimated_noise`. Of a picture that is too small for it the noise is taken for
            white if neither of the first two is given.

    Raises:
        ValueError: As `estimated_noise`.
    """
    if sigma is not None and width is not None and correlation is not None and growth is not None:
        return CorrelatedNoise.of_channels(measurement.shape[1], sigma / 255, width, correlation, growth)
    images = different(measurement)
    if width is None and correlation is None and not enough_windows(images[0]):  # too little to tell it from white
        level, _ = used_sigma(sigma, measurement)
        return CorrelatedNoise.of_channels(measurement.shape[1], level / 255, 0.0, 0.0, growth or 0.0)
    found = [estimated_noise(image, width, correlation, growth) for image in images]
    powers = np.square([each.sigmas for each in found]).mean(0)
    scale = 1.0 if sigma is None else (sigma / 255) / float(powers.mean()) ** 0.5
    means = {
        name: float(np.mean([getattr(each, name) for each in found]))
        for name in ("width", "growth", "colour_width", "doubt")
    }
    return CorrelatedNoise(tuple((scale * powers**0.5).tolist()), **means)


def enough_windows(image: Float[Array, "c h w"]) -> bool:
    """Return True if a picture has enough places with noise to tell what neighbours and channels share of it."""
    return int((~_without_noise(image)).sum()) >= FEWEST


def _without_noise(image: Float[Array, "c h w"]) -> Flags:
    """Return True for each window that has a part without noise."""
    down, across = (side // WINDOW for side in image.shape[1:])
    cut = image[:, : down * WINDOW, : across * WINDOW]
    return np.asarray(without_noise(cut).reshape(down, WINDOW, across, WINDOW).any(axis=(1, 3)).ravel())


def _noise_in(
    energies: Float[Array, "c b n"], brightness: Float[Array, "c n"], growth: float | None, widths: Widths
) -> CorrelatedNoise:
    """Return the noise of some of the widths in windows of some brightness."""
    growth = found_growth(energies, brightness.mean(0)) if growth is None else growth
    energies = energies / _relative(growth, brightness)
    quartile = np.quantile(energies, 0.25, axis=2, keepdims=True)
    scores = np.log(energies / (quartile + TINY) + TINY)
    noise = fitted_noise(*variances(energies, scores, VALUES[None] ** 0.5), *widths)
    for _ in range(REPEATS):
        noise = fitted_noise(*flat_variances(energies, noise), *widths)
    return replace(noise, growth=growth)


def _left_by_clipping(noise: CorrelatedNoise, brightness: Float[Array, "c n"]) -> Float[Array, " n"]:
    """Return the part of the noise's variance that clipping leaves in windows of some brightness."""
    before = noise.sigma**2 * _relative(noise.growth, brightness)
    return np.asarray(ClippedNoise.of(noise).variance_at(brightness).mean(0) / (before + TINY))


def found_growth(energies: Float[Array, "c b n"], brightness: Float[Array, " n"]) -> float:
    """Return how the noise's variance grows with brightness: by a line through that of windows of like brightness.

    That is the median over these windows, of each plane's finest details: texture is in less than half of them. Bands
    in which windows differ less count more: they hold more noise than texture. The line is nowhere below 0 from black
    to white.
    """
    bins = np.array_split(np.argsort(brightness, kind="stable"), np.clip(len(brightness) // BIN, 1, MOST_BINS))
    at = np.array([brightness[one].mean() for one in bins])
    if np.ptp(at) < SAME_BRIGHTNESS:
        return 0.0
    finest = energies[:, :FINEST].reshape(-1, len(brightness)) + TINY
    medians = np.stack([np.median(finest[:, one], axis=1) for one in bins], axis=1)
    lower, upper = np.quantile(finest, (0.25, 0.75), axis=1)
    spread = np.log(upper / lower)
    weights = np.where(spread > EMPTY, spread, np.inf) ** -4
    if not weights.any():
        return 0.0
    found = np.average(medians / medians.mean(1, keepdims=True), axis=0, weights=weights)
    ends, expected = np.stack([1 - at, at], axis=1), np.ones_like(at)
    for _ in range(FITTED):  # each variance has a standard error in proportion
        (black, white), _ = nnls(ends / expected[:, None], found / expected)
        expected = np.maximum(ends @ [black, white], TINY)
    return float(2 * (white - black) / (white + black))


def _relative(growth: float, brightness: Float[Array, "c n"]) -> Float[Array, " n"]:
    return np.maximum(1 + growth * (brightness.mean(0) - 0.5), LEAST_RELATIVE)


def windows_with_noise(image: Float[Array, "c h w"]) -> tuple[Float[Array, "c b n"], Float[Array, "c n"]]:
    """Return the mean square of each wavelet band in each window, for each plane, and the mean of each channel.

    Windows without noise are left out. Raises ValueError for a picture that is too small.
    """
    down, across = (side // WINDOW for side in image.shape[1:])
    cut = image[:, : down * WINDOW, : across * WINDOW]
    constant = _without_noise(image)
    if (~constant).sum() < FEWEST:
        raise ValueError(
            f"a picture of {image.shape[1]} x {image.shape[2]} pixels has too few with noise to find what neighbours "
            f"and channels share of it; {GIVE}"
        )
    found: list[list[Array]] = []
    for plane in np.tensordot(opponent_basis(len(cut)).numpy(), cut, 1):
        found.append([])
        for _ in range(LEVELS):
            plane, details = pywt.dwt2(plane, WAVELET, mode="periodization")
            bands = (band.reshape(down, band.shape[0] // down, across, -1) for band in details)
            found[-1] += [np.square(band).mean(axis=(1, 3)).ravel() for band in bands]
    brightness = cut.reshape(len(cut), down, WINDOW, across, WINDOW).mean(axis=(2, 4)).reshape(len(cut), -1)
    return np.array(found)[..., ~constant], brightness[:, ~constant]


def excess(energies: Float[Array, "c b n"], noise: CorrelatedNoise) -> tuple[Array, Array]:
    """Return by how much of it the energy of each window is above that of the noise, and how many values each band has.

    Bands that hold hardly any noise count nothing.
    """
    shapes = np.stack([band_variances(width) for width in noise.widths])
    expected = np.square(noise.sigmas)[:, None] * shapes
    counts = np.where(expected > HARDLY * expected.max(), VALUES, 0.0)
    return np.minimum(energies / np.maximum(expected, TINY)[..., None], OUTLIER) - 1, counts


def flat_variances(energies: Float[Array, "c b n"], noise: CorrelatedNoise) -> tuple[Array, Array]:
    """Return the variance of each band in windows that are flat if the noise is such, and of how many values that is.

    What choosing them takes of it is put back.
    """
    found, values = variances(energies, *excess(energies, noise), flat=FLAT)
    return found / (1 - CHOSEN * np.power(noise.widths, 3)[:, None]), values


def variances(
    energies: Float[Array, "c b n"],
    scores: Float[Array, "c b n"],
    weights: Float[Array, "#c b"],
    flat: float = -np.inf,
) -> tuple[Float[Array, "c b"], Float[Array, "c b"]]:
    """Return the variance of each band in the windows that are flat by all others, and of how many values that is.

    Flat are those whose weighted sum of scores, without those of the band itself, is below `flat`, in units of its
    standard deviation where a score has the variance 2 / weight; or the lowest ones where these are too few.
    """
    weights = np.broadcast_to(weights, energies.shape[:2])
    weighted = weights[..., None] * scores
    others = (weighted.sum((0, 1)) - weighted) / np.sqrt(2 * (weights.sum() - weights))[..., None]
    least = max(FEWEST, int(FLATTEST * energies.shape[2]))
    counts = np.maximum((others < flat).sum(2), least)
    order = np.argsort(others, axis=2, kind="stable")
    sums = np.cumsum(np.take_along_axis(energies, order, 2), axis=2)
    return np.take_along_axis(sums, counts[..., None] - 1, 2)[..., 0] / counts, counts * VALUES
