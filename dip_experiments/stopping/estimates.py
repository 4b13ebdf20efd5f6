"""What a noisy picture says of its own noise: how strong it is, and whether neighbours and channels share it."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from skimage.restoration import estimate_sigma
from torch import Tensor

from dip_experiments.images import OPPONENT
from dip_experiments.schema import Sigma as AnySigma

Array = np.ndarray[Any, np.dtype[np.float64]]  # since NumPy 2.5 NDArray is no class, and jaxtyping wants one
Sigma = AnySigma | None
LEAST = 0.01
"""Grey levels of 255 below which a picture is without noise (ours)."""
INFLATED = 1.1
"""By how much the rules that compare with the noise itself enlarge an estimated standard deviation (ours)."""
WINDOW, FLATTEST = 8, 0.1
"""Pixels a side of the windows looked at, and the part of them, the flattest, that is taken for noise alone (ours)."""
FEWEST = 5
"""Windows without which nothing is said of the noise (ours)."""
WHITE = 1.10
"""Standard deviation of neighbours' differences over that in flat windows: sqrt(2) for white noise, below this not."""
SHARED = 0.25
"""Correlation of two channels' noise above which they are taken to share it (ours): 0.14 at most, in 33 white cases."""
DOUBT = 0.6
"""Grey levels of 255 by which an estimated sigma is off, root mean square: 0.3 to 1.0 at sigma 10, 25, 50 (ours)."""
HIDDEN = ("inpainting", "jpeg")
"""Tasks whose measurement tells no level of noise: holes and 8 x 8 blocks look like noise, or hide it."""


def used_sigma(given: Sigma, measurement: Float[Tensor, "r c h w"]) -> tuple[float, dict[str, float | str]]:
    """Standard deviation in grey levels of 255 that a rule works with, and what is to be said of it.

    Where none is given: `estimated_sigma`, the mean over replicas.
    """
    if given is not None:
        return given, {"sigma": given, "sigma_from": "given"}
    estimated = 255 * float(np.mean([estimated_sigma(image) for image in different(measurement)]))
    if estimated < LEAST:
        raise ValueError("no noise is found in the picture, so no rule that needs its sigma can stop; use another one")
    return estimated, {"sigma": estimated, "sigma_from": "estimated"}


def estimated_sigma(image: Array) -> float:
    """scikit-image's estimate (median of the finest wavelets; Donoho & Johnstone 1994), the mean over planes.

    Of a colour picture these are its colour differences, unless channels share their noise: texture, which would count
    as noise, is mostly common to all. At sigma 10 on eleven pictures of 128 pixels that is off by 6 %, not by 13 %
    (root mean square), at sigma 25 by 1.3 %, not 1.9 %.
    """
    alone = len(image) == 1 or shared_noise(flattest(image)) > SHARED
    planes = image if alone else np.tensordot(OPPONENT[1:], image, 1)
    return float(estimate_sigma(planes, channel_axis=0, average_sigmas=True))


def unknown_sigma(rule: str, key: str, sigma: Sigma, task: str) -> Iterator[str]:
    """Why a rule cannot work with this sigma."""
    if sigma == 0:
        yield f"stopping.{key}=0 with {rule}: without noise there is nothing to stop for; use stopping=none"
    yield from unknown_level(rule, key, "in levels of 255", sigma, task)


def unknown_level(rule: str, key: str, unit: str, level: float | None, task: str) -> Iterator[str]:
    """Why the noise's level cannot be estimated, where it is not given."""
    if level is None and task in HIDDEN:
        yield f"stopping={rule} with task={task}: its noise cannot be estimated; give stopping.{key} {unit}"


def different(measurement: Float[Tensor, "r c h w"]) -> list[Array]:
    """The replicas' measurements, once if they all see the same."""
    images = list(measurement.cpu().double().numpy())
    return images[:1] if all(np.array_equal(image, images[0]) for image in images) else images


def correlation(image: Array) -> str | None:
    """What makes the noise of a picture "c h w" look correlated, in words; None if it looks white, or is too small."""
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
    """The strongest correlation of two channels in flat windows; 0 for grey, and where too little is seen to tell."""
    if len(flat) == 1 or flat.shape[1] < FEWEST or not flat.any():
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):  # a flat channel has no correlation
        shared = np.atleast_2d(np.corrcoef(np.diff(flat, axis=-1).reshape(len(flat), -1)))
    return float(np.nan_to_num(shared)[np.triu_indices(len(flat), 1)].max())


def flattest(image: Array) -> Float[Array, "c n h w"]:
    """The windows with the least variance, each less its mean: what is left there is noise, if there is any."""
    windows = windows_of(image)
    windows = windows - windows.mean(axis=(2, 3), keepdims=True)
    spread = windows.var(axis=(0, 2, 3))
    kept = np.argsort(spread)[: max(1, round(FLATTEST * len(spread)))]
    return windows[:, kept]


def windows_of(image: Array) -> Float[Array, "c n h w"]:
    """Square windows side by side."""
    channels, rows, columns = image.shape
    down, across = rows // WINDOW, columns // WINDOW
    cut = image[:, : down * WINDOW, : across * WINDOW].reshape(channels, down, WINDOW, across, WINDOW)
    return cut.transpose(0, 1, 3, 2, 4).reshape(channels, down * across, WINDOW, WINDOW)


def local_noise(image: Array) -> tuple[Array, Array]:
    """Mean of each window, and the variance of the noise in it: that of the finest diagonal detail, by its median."""
    windows = windows_of(image)
    detail = windows[..., ::2, ::2] - windows[..., 1::2, ::2] - windows[..., ::2, 1::2] + windows[..., 1::2, 1::2]
    sigma = np.median(np.abs(detail / 2), axis=(2, 3)) / 0.6745
    return windows.mean(axis=(2, 3)).ravel(), (sigma**2).ravel()
