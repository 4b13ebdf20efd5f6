"""Estimate noise from the noisy picture: how strong it is, and whether neighbours and channels share it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pywt
from jaxtyping import Float
from scipy.ndimage import maximum_filter, median_filter, minimum_filter
from scipy.special import ndtri
from torch import Tensor

from dip_experiments.data.layers import OPPONENT
from dip_experiments.schema import Sigma as AnySigma

Array = np.ndarray[Any, np.dtype[np.float64]]  # since NumPy 2.5 NDArray is no class, and jaxtyping wants one
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Sigma = AnySigma | None
LEAST = 0.01
"""Grey levels of 255 below which a picture is without noise (ours)."""
INFLATED = 1.1
"""By how much the rules that compare with the noise itself enlarge an estimated standard deviation (ours)."""
WINDOW, FLATTEST = 8, 0.1
"""Pixels a side of the windows looked at, and the part of them, the flattest, that is taken for noise alone (ours)."""
DARK = 0.25
"""Part of a window at 0, without light, from which on its noise tells nothing of that elsewhere (ours)."""
FEWEST = 5
"""Windows without which no estimate of the noise is given (ours)."""
WHITE = 1.10
"""Standard deviation of neighbours' differences over that in flat windows: sqrt(2) for white noise, below this not."""
SHARED = 0.25
"""Correlation of two channels' noise above which they are taken to share it (ours): 0.14 at most, in 33 white cases."""
CHANCE = 2.4
"""Standard error of an estimated sigma by chance, in sigma / sqrt(values): 2.33 in theory, for a median of a quarter of
them; 2.3 to 3.1 measured at sigma 50 on crops of 64 to 256 pixels of 54 pictures, their borders included (ours)."""
TEXTURE = {"brightness": 5.5, "colours": 3.5}
"""Grey levels of 255: standard deviation of the noise that a picture's own texture and grain pass for, which no size
lowers. With these 72 and 69 % of 2562 estimates of sigma^2 (54 pictures, grey and in colour, crops of 64 to 256 pixels,
sigma 10, 25, 50) were within 1 standard error, 93 and 91 % within 2; by chance alone 17 and 44 % at sigma 10 (ours)."""
CONSTANT = 1e-9
"""Finest detail, of a range of 1, below which a place has no noise."""
NO_NOISE = "no noise is found in the picture: nothing to remove, and no rule or loss that needs its level can be used"
SPOILT = 0.02
"""Part of a picture without noise, or with noise cut off, from which on a message says so (ours)."""
CLIPPED = 0.002
"""Part of a picture's values at 0 or 1 from which on its noise is taken to be clipped (ours)."""
LONELY, FAR = 0.2, 4.0
"""How far an impulse is from the median around it, of a range of 1, and in standard deviations of the noise (ours)."""
NEAR_END = 2 / 255
"""Of a picture's range: what is as near to black or white all over a window is a bar or a sky, compressed (ours)."""
ENDS = (0, 1)
"""Values at which a picture is clipped."""


def used_sigma(given: Sigma, measurement: Float[Tensor, "r c h w"]) -> tuple[float, dict[str, float | str]]:
    """Return the standard deviation in grey levels of 255 that a rule works with, and messages on it.

    Where none is given: `estimated_sigma`, the mean over replicas.
    """
    if given is not None:
        return given, {"sigma": given, "sigma_from": "given"}
    estimated = 255 * float(np.mean([estimated_sigma(image) for image in different(measurement)]))
    if estimated < LEAST:
        raise ValueError(NO_NOISE)
    return estimated, {"sigma": estimated, "sigma_from": "estimated"}


def estimated_sigma(image: Array) -> float:
    """Return the median of the finest wavelets (Donoho & Johnstone 1994, as in scikit-image), the mean over planes.

    Of a colour picture these are its colour differences, unless channels share their noise: texture, which would count
    as noise, is mostly common to all. At sigma 10 on eleven pictures of 128 pixels that is off by 6 %, not by 13 %
    (root mean square), at sigma 25 by 1.3 %, not 1.9 %. Parts without noise are left out.
    """
    planes = image if in_one(image) else np.tensordot(OPPONENT[1:], image, 1)
    constant = without_noise(image)
    return float(np.mean([median_deviation(plane, constant) for plane in planes]))


def in_one(image: Array) -> bool:
    """Return True unless three channels have noise of their own: only RGB has colour differences."""
    return len(image) != 3 or shared_noise(flattest(image)) > SHARED


def median_deviation(plane: Float[Array, "h w"], constant: Flags) -> float:
    """Return the deviation of a plane's noise by the median of its finest diagonal details; 0 if most of them are 0.

    `constant`: where nothing is looked at.
    """
    detail = np.abs(pywt.dwtn(plane, "db2")["dd"])
    of = [np.minimum(2 * np.arange(length), side - 1) for length, side in zip(detail.shape, plane.shape, strict=True)]
    seen = detail[~constant[np.ix_(*of)]]
    noisy = seen[seen > CONSTANT]
    return float(np.median(noisy) / ndtri(0.75)) if noisy.size > seen.size / 2 else 0.0


def doubt_about(sigma: float, measurement: Float[Tensor, "r c h w"]) -> float:
    """Return the standard error of an estimated sigma^2 (in levels of 255), as a part of it.

    That of chance falls with the number of values. Texture and grain do not: they add up to `TEXTURE`^2 to sigma^2.
    Noise cut off in a part s of the values, by
    clipping, lowers sigma by 0.6 to 0.9 s (sigma 25 and 50, 54 pictures of 128 pixels).
    """
    images = different(measurement)
    alone = in_one(images[0])
    planes = 1 if alone else len(OPPONENT[1:])
    texture = (TEXTURE["brightness" if alone else "colours"] / sigma) ** 2
    return combined_doubt(images, images[0][0].size * planes, 2 * CHANCE, texture)


def combined_doubt(
    images: Sequence[Array], values: int | float, chance: float, *others: float, ends: Sequence[int] = ENDS
) -> float:
    """Return the standard error of an estimated variance, as a part of it: chance, clipping and other causes.

    Args:
        images: Those that it is estimated from.
        values: Independent ones in each, were no part of it constant.
        chance: That of a single value.
        others: What other causes add.
        ends: See `spoilt_parts`.
    """
    constant, clipped = np.mean([spoilt_parts(image, ends) for image in images], axis=0)
    return math.hypot(chance / (values * len(images) * (1 - constant)) ** 0.5, *others, 2 * clipped)


def spoilt_parts(image: Array, ends: Sequence[int] = ENDS) -> tuple[float, float]:
    """Return which part of all pixels is constant, hence without noise, and which part of the rest is cut off: `ends`.

    Nothing is cut off where values lie outside [0, 1].
    """
    windows = windows_of(image)
    constant = constant_windows(windows)
    if constant.all():
        return float(constant.size > 0), 0.0
    at_ends = np.isin(windows[:, ~constant], ends) & (image.min() >= 0) & (image.max() <= 1)
    return float(constant.mean()), float(at_ends.mean())


def is_clipped(image: Array) -> bool:
    """Return True if a part of the noise that matters was cut off at 0 or 1."""
    return spoilt_parts(image)[1] > CLIPPED


def impulses(image: Array) -> float:
    """Return the part of the pixels that are black or white by themselves: salt and pepper.

    That are those with all channels at one end of [0, 1], and farther from the median of the 3 x 3 pixels around than
    noise and the rest of the image explain.
    """
    far = max(LONELY, FAR * estimated_sigma(image))
    away = np.abs(image - median_filter(image, (1, 3, 3))).max(0) > far
    return float((away & ((image == 0).all(0) | (image == 1).all(0))).mean())


def different(measurement: Float[Tensor, "r c h w"]) -> list[Array]:
    """Return the replicas' measurements, once if they all see the same."""
    images = list(measurement.cpu().double().numpy())
    return images[:1] if all(np.array_equal(image, images[0]) for image in images) else images


def correlation(image: Array) -> str | None:
    """Say what makes the noise of a picture "c h w" look correlated; None if it looks white, or is too small."""
    flat = flattest(image)
    if flat.shape[1] < FEWEST:
        return None
    across = np.diff(flat, axis=-1).std() / (flat.std() or math.inf)
    if across < WHITE:
        return f"neighbouring pixels share their noise (ratio {across:.2f}, white noise has 1.41)"
    if (strongest := shared_noise(flat)) > SHARED:
        return f"the channels share their noise (correlation {strongest:.2f}, independent noise has 0)"
    return None


def shared_noise(flat: Float[Array, "c n h w"]) -> float:
    """Return the strongest correlation of two channels in flat windows; 0 for grey, and where too little is seen."""
    if len(flat) == 1 or flat.shape[1] < FEWEST or not flat.any():
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):  # a flat channel has no correlation
        shared = np.atleast_2d(np.corrcoef(np.diff(flat, axis=-1).reshape(len(flat), -1)))
    return float(np.nan_to_num(shared)[np.triu_indices(len(flat), 1)].max())


def flattest(image: Array) -> Float[Array, "c n h w"]:
    """Return the windows with the least variance, each less its mean: what is left is noise, if any.

    Constant ones are none of them, unless all are: bars and margins tell nothing of the noise.
    """
    windows = windows_of(image)
    constant = constant_windows(windows)
    windows = windows if constant.all() else windows[:, ~constant]
    windows = windows - windows.mean(axis=(2, 3), keepdims=True)
    spread = windows.var(axis=(0, 2, 3))
    chosen = np.argsort(spread)[: max(1, round(FLATTEST * len(spread)))]
    return windows[:, chosen]


def constant_windows(windows: Float[Array, "c n h w"]) -> Flags:
    """Return True for each window that is without noise in every channel: see `without_noise`."""
    return np.asarray(_constant_in(windows).all(0))


def _constant_in(windows: Float[Array, "c n h w"]) -> Flags:
    """Return True, "c n", for each channel of a window that is without noise."""
    if not windows.size:
        return np.zeros(windows.shape[:2], bool)
    return _is_constant(windows.min(axis=(2, 3)), windows.max(axis=(2, 3)), windows)


def without_noise(image: Float[Array, "c h w"]) -> Flags:
    """Return True, "h w", in the bars, margins and overexposed skies of a picture, which have no noise.

    That is in each square of `WINDOW` pixels a side which is constant in every channel, or as good as black or white
    (`NEAR_END`).
    """
    if min(image.shape[1:]) < WINDOW:
        return np.zeros(image.shape[1:], bool)
    rows, columns = (length - WINDOW + 1 for length in image.shape[1:])
    first = {"size": (1, WINDOW, WINDOW), "origin": (0, -(WINDOW // 2), -(WINDOW // 2))}  # at a window's first pixel
    least, most = (find(image, **first)[:, :rows, :columns] for find in (minimum_filter, maximum_filter))
    squares = np.zeros(image.shape[1:], bool)
    squares[:rows, :columns] = _is_constant(least, most, image).all(0)
    return np.asarray(maximum_filter(squares, WINDOW, origin=WINDOW // 2 - 1, mode="constant"))


def _is_constant(least: Array, most: Array, image: Array) -> Flags:
    """Return True where the least and the largest value are the same, or both near one end of the image's range."""
    black, white = image.min(), image.max()
    near = NEAR_END * (white - black)
    return np.asarray((most == least) | (most - black <= near) | (white - least <= near))


def windows_of(image: Array) -> Float[Array, "c n h w"]:
    """Return square windows next to each other."""
    channels, rows, columns = image.shape
    down, across = rows // WINDOW, columns // WINDOW
    cut = image[:, : down * WINDOW, : across * WINDOW].reshape(channels, down, WINDOW, across, WINDOW)
    return cut.transpose(0, 1, 3, 2, 4).reshape(channels, down * across, WINDOW, WINDOW)


def local_noise(image: Array) -> tuple[Array, Array]:
    """Return the mean of each window, and its noise's variance: of the finest diagonal detail, by its median.

    A window without noise, or at 0 in more than a part of `DARK`, tells nothing of the noise: NaN.
    """
    windows = windows_of(image)
    detail = windows[..., ::2, ::2] - windows[..., 1::2, ::2] - windows[..., ::2, 1::2] + windows[..., 1::2, 1::2]
    sigma = np.median(np.abs(detail / 2), axis=(2, 3)) / 0.6745
    noisy = ~_constant_in(windows) & ((windows == 0).mean(axis=(2, 3)) <= DARK)
    variance = np.where(noisy, sigma**2, np.nan)
    return windows.mean(axis=(2, 3)).ravel(), variance.ravel()
