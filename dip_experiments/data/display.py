"""Images and measurements of any channels and values, as a picture file can show them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.data.arrays import COLOURS
from dip_experiments.data.layers import Array


def displayed(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image "c h w" as it is with 1 or 3 channels; with others a grid of them, row by row, in grey.

    The grid is as square as the channels allow, the places that remain are black.
    """
    channels, height, width = image.shape
    if channels in COLOURS:
        return image
    across = math.ceil(channels**0.5)
    down = math.ceil(channels / across)
    grid = np.zeros((down * across, height, width), dtype=image.dtype)
    grid[:channels] = image
    return grid.reshape(down, across, height, width).swapaxes(1, 2).reshape(1, down * height, across * width)


def stretched(measurements: Array) -> Array:
    """Return measurements "r c h w" of any range with the least value at 0 and the largest at 1.

    Those in [0, 1] stay as they are. All replicas and channels have one scale, so that they can be compared.
    """
    least, largest = np.nanmin(measurements), np.nanmax(measurements)
    if least >= 0 and largest <= 1:
        return measurements
    return np.asarray((measurements - least) / ((largest - least) or 1.0))
