"""The baselines as functions on pictures: arrays (h, w) or (h, w, c), uint8, uint16 or float, or tensors (c, h, w)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.baselines import classical, coloured_noise, linear_patches
from dip_experiments.baselines.zs_n2n import zs_n2n
from dip_experiments.data.arrays import known_values, to_channels_first

Picture = Any
Method = Callable[..., NDArray[np.float64]]


def on_pictures(method: Method) -> Method:
    """Return a method on images "c h w" as one on pictures, whose result has their layout, in floats in [0, 1]."""

    @wraps(method)
    def adapted(picture: Picture, *arguments: Any, **settings: Any) -> NDArray[np.float64]:
        image, layout = to_channels_first(picture)
        return layout(method(image, *arguments, **settings))

    return adapted


def with_mask(method: Method) -> Method:
    """Return an inpainting method as one on a picture and a mask (h, w) or of the picture's shape, True where known."""

    @wraps(method)
    def adapted(holes: Picture, known: Any) -> NDArray[np.float64]:
        image, layout = to_channels_first(holes)
        return layout(method(image, known_values(known, image.shape)))

    return adapted


non_local_means = on_pictures(classical.non_local_means)
total_variation = on_pictures(classical.total_variation)
wavelet = on_pictures(classical.wavelet)
sliding_cosines = on_pictures(classical.sliding_cosines)
lichi = on_pictures(linear_patches.lichi)
coloured_lichi = on_pictures(coloured_noise.coloured_lichi)
coloured_nl_ridge = on_pictures(coloured_noise.coloured_nl_ridge)
nearest = on_pictures(classical.nearest)
bicubic = on_pictures(classical.bicubic)
lanczos = on_pictures(classical.lanczos)
zero_shot_n2n = on_pictures(zs_n2n)
nearest_known = with_mask(classical.nearest_known)
biharmonic = with_mask(classical.biharmonic)


@wraps(linear_patches.nl_ridge)
def nl_ridge(noisy: Picture, sigma: float | None = None, variance: Any = None) -> NDArray[np.float64]:
    """Apply NL-Ridge to a picture; a variance has its layout, or one value (h, w) for all channels."""
    image, layout = to_channels_first(noisy)
    if variance is not None:
        variance = to_channels_first(variance, in_unit_range=False)[0]
        variance = variance[0] if len(variance) == 1 else variance
    return layout(linear_patches.nl_ridge(image, sigma, variance))


@on_pictures
@wraps(classical.block_matching)
def block_matching(noisy: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Raise ValueError where the package is not installed."""
    _check_bm3d("block_matching")
    return classical.block_matching(noisy, sigma)


@on_pictures
@wraps(coloured_noise.coloured_block_matching)
def coloured_block_matching(noisy: NDArray[np.float64], noise: coloured_noise.Noise = None) -> NDArray[np.float64]:
    """Raise ValueError where the package is not installed."""
    _check_bm3d("coloured_block_matching")
    return coloured_noise.coloured_block_matching(noisy, noise)


def _check_bm3d(method: str) -> None:
    if "bm3d" not in classical.DENOISERS:
        raise ValueError(f"{method}: the package bm3d is not installed; pip install 'dip_experiments[bm3d]'")
