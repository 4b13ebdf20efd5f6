"""Checks of what the baselines are given: images "c h w", grey or RGB, and the standard deviation of the noise."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def checked_sigma(noisy: Array, sigma: float) -> float:
    """Return a standard deviation in grey levels of 255 as one in [0, 1]. Raises ValueError for a wrong one."""
    check_shape(noisy)
    if not 0 < sigma <= 255:
        raise ValueError(f"sigma={sigma:g}: standard deviation in grey levels of 255; give one above 0, up to 255")
    return sigma / 255


def check_shape(image: Array) -> None:
    """Raise ValueError for an image that is neither grey, (1, h, w), nor RGB, (3, h, w)."""
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"an image of shape {image.shape}: (1, h, w), grey, or (3, h, w), RGB, is wanted")
