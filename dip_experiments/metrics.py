"""Numbers read off images and curves, in NumPy. Images are "c h w" in [0, 1]."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Array = NDArray[np.float64]
TINY = 1e-12
"""Smallest mean squared error that still has a PSNR (120 dB), the same as in `tensors`."""
EXPLAINED = 0.9
"""Share of a target's variance at which the impedance is read (ours)."""
AUTHORS_SMALLEST_SIDE = 32
"""Pixels a side that `psnr_y_authors` needs: the authors' networks compute on multiples of so many."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in the brightness Y (ITU-R BT.601)."""


def channel_variance(image: Array) -> float:
    """Return the variance of a "c h w" image over its pixels, averaged over its channels.

    The plateau on which a fit waits that has found only the mean colour (PAPER, Fig. 2).
    """
    return float(image.reshape(image.shape[0], -1).var(axis=1).mean())


def iterations_to_explain(mse: Array, variance: float, fraction: float) -> int | None:
    """Return the first iteration (1: the untrained network) at which `fraction` of the target's variance is explained.

    That is MSE <= (1 - fraction) * variance. None if the curve never gets so far.
    """
    reached = np.flatnonzero(mse <= (1 - fraction) * variance)
    return int(reached[0]) + 1 if reached.size else None


POINTS_PER_DECADE, EVEN_POINTS = 60, 300
"""Of the iterations at which a curve is drawn (ours)."""


def curve_points(iterations: int) -> NDArray[np.int_]:
    """Return iterations at which a curve is stored and drawn: log-spaced and even ones, the first and the last."""
    even = np.linspace(1, iterations, min(iterations, EVEN_POINTS))
    return np.union1d(log_points(iterations), np.rint(even).astype(int))


def log_points(iterations: int) -> NDArray[np.int_]:
    """Return log-spaced iterations, the first and the last among them."""
    decades = np.log10(iterations)
    return np.unique(np.rint(np.logspace(0, decades, int(decades * POINTS_PER_DECADE) + 1)).astype(int))


def psnr(image: Array, reference: Array) -> float:
    """Return 10 log10(1 / MSE) in dB: range 1, all channels pooled, raw values, no border cropped (PAPER detail 9)."""
    _check_shapes(image, reference)
    return float(-10 * np.log10(max(np.square(image - reference).mean(), TINY)))


def psnr_missing(image: Array, reference: Array, known: NDArray[np.bool_]) -> float:
    """Return `psnr` over the values that were unknown, to see how holes were filled; `known`: "1 h w" or more."""
    missing = ~np.broadcast_to(known, reference.shape)
    return psnr(image[missing], reference[missing])


def radial_spectrum(image: Array) -> Array:
    """Return mean power over rings of 1, 2, ... cycles a side, as shares of all, averaged over the channels.

    Of the centred square, less its mean and under a Hann window, as the picture's borders do not meet.
    """
    side = min(image.shape[1:])
    top, left = ((full - side) // 2 for full in image.shape[1:])
    square = image[:, top : top + side, left : left + side]
    window = np.outer(np.hanning(side), np.hanning(side))
    power = np.abs(np.fft.fft2((square - square.mean((1, 2), keepdims=True)) * window)) ** 2
    across = np.fft.fftfreq(side, 1 / side)
    rings = np.rint(np.hypot(across[:, None], across)).astype(int).ravel()
    means = np.bincount(rings, power.mean(0).ravel()) / np.bincount(rings)
    ring = means[1 : side // 2 + 1]
    return np.asarray(ring / ring.sum())


ESTIMATES = {"estimate": "PSNR", "measurement_estimate": "PSNR of the measurement"}
"""By the key in a rule's summary: of what an estimated error is, A f's where A is not the identity."""


def estimated_psnr(mse: float, mse_se: float) -> str:
    """Format an estimated mean squared error as a PSNR, never without its standard error (to first order).

    An error that is not larger than that can be any small one: then only a bound is known. One far below 0 is none.
    """
    if mse + mse_se <= TINY:
        return "unknown (the noise is not as assumed)"
    if mse <= mse_se:
        return f"above {-10 * math.log10(mse + mse_se):.1f} dB"
    return f"{-10 * math.log10(mse):.2f} +- {10 / math.log(10) * mse_se / mse:.2f} dB"


def estimate_in(rule: Mapping[str, Any]) -> tuple[str, dict[str, float]] | None:
    """Return a rule's estimate at its ensemble's stop, from a summary: its subject, error and standard error."""
    found = ((name, rule[key]) for key, name in ESTIMATES.items() if key in rule)
    return next(((name, estimate) for name, estimate in found if None not in estimate.values()), None)


def image_estimate_in(rule: Mapping[str, Any]) -> dict[str, float] | None:
    """Return a rule's estimate for the image that a fit gives, that of the mixture if any, from a summary.

    None where it estimates none, or that of the measurement alone.
    """
    of, estimate = estimate_in(rule) or ("", None)
    if of != ESTIMATES["estimate"]:
        return None
    found: dict[str, float] | None = rule["mix"]["estimate"] if "mix" in rule else estimate
    return found


def psnr_of_estimate(mse: float, mse_se: float) -> float | None:
    """Return an estimated mean squared error as a PSNR in dB; a bound, or None, where `estimated_psnr` gives such."""
    if mse + mse_se <= TINY:
        return None
    return -10 * math.log10(mse if mse > mse_se else mse + mse_se)


def psnr_range(mse: float, mse_se: float) -> tuple[float, float] | None:
    """Return the PSNR in dB one standard error of an estimated mean squared error below and above; inf for no bound."""
    if mse + mse_se <= TINY:
        return None
    return -10 * math.log10(mse + mse_se), -10 * math.log10(mse - mse_se) if mse > mse_se else math.inf


def psnr_y_authors(image: Array, reference: Array) -> float:
    """Return the PSNR in dB of (219 Y + 16) / 255 as in the authors' super-resolution tables (PAPER detail 9).

    Compared is the centre of the reference, cut to multiples of 32, less 4 pixels at the top and left and 5 at the
    bottom and right. `image` is as large as the reference or as that centre; grey counts as three equal channels.
    """
    multiple = AUTHORS_SMALLEST_SIDE
    height, width = (side // multiple * multiple for side in reference.shape[1:])
    if not height or not width:
        raise ValueError(
            f"psnr_y_authors needs {multiple} x {multiple} pixels or more, got a reference of shape {reference.shape}"
        )
    if image.shape[1:] != (height, width):
        _check_shapes(image, reference)
    return psnr(*(_studio_luma(_centre(picture, height, width))[4:-5, 4:-5] for picture in (image, reference)))


SSIM_SMALLEST_SIDE = 11
"""Pixels a side of its window, below which an image has none."""


def ssim(image: Array, reference: Array) -> float:
    """Return the structural similarity (Wang et al. 2004) of scikit-image: Gaussian weights, range 1, channel mean."""
    _check_shapes(image, reference)
    return float(structural_similarity(image, reference, gaussian_weights=True, data_range=1, channel_axis=0))


def _studio_luma(image: Array) -> Array:
    return (219 * np.tensordot(LUMA, np.broadcast_to(image, (3, *image.shape[1:])), 1) + 16) / 255


def _centre(image: Array, height: int, width: int) -> Array:
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    return image[:, top : top + height, left : left + width]


def _check_shapes(image: Array, reference: Array) -> None:
    if image.shape != reference.shape:
        raise ValueError(f"an image of shape {image.shape} cannot be compared with a reference of {reference.shape}")
