"""Numbers read off images and curves, in NumPy."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def channel_variance(image: Array) -> float:
    """Variance of a "c h w" image over its pixels, averaged over its channels.

    The plateau on which a fit waits that has found only the mean colour (PAPER, Fig. 2).
    """
    return float(image.reshape(image.shape[0], -1).var(axis=1).mean())


def iterations_to_explain(mse: Array, variance: float, fraction: float) -> int | None:
    """First iteration (1 is the untrained network) at which `fraction` of the target's variance is explained.

    That is MSE <= (1 - fraction) * variance. None if the curve never gets there.
    """
    reached = np.flatnonzero(mse <= (1 - fraction) * variance)
    return int(reached[0]) + 1 if reached.size else None
