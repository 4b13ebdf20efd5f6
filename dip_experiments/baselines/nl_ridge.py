"""NL-Ridge (Herbreteau & Kervrann, ICIP 2022 and SIIMS 2025), ours from its formulas, not the authors' code."""

import numpy as np
from numpy.typing import NDArray

from dip_experiments.baselines.arguments import check_shape, checked_sigma
from dip_experiments.baselines.patches import (
    Matching,
    filter_groups,
    from_opponent,
    inverse_squares,
    match_patches,
    to_opponent,
)
from dip_experiments.data.layers import OPPONENT

Array = NDArray[np.float64]
WINDOW, STRIDE, ALPHA = 37, 4, 0.05
"""Authors'. ALPHA: variance of the noise added in theory in the first step, in units of the noise's own."""
SIDES_AND_COUNTS = {15.0: ((7, 18), (7, 55)), 35.0: ((9, 18), (9, 90)), 50.0: ((11, 20), (9, 120))}
"""Authors': up to this sigma (above the last too), side and number of the patches in the first and the second step."""
LEAST_SIGMA = 0.05 / 255
"""Floor of the noise in the weights, for matrices that can be inverted; it moves values by less than itself."""


def nl_ridge(noisy: Array, sigma: float | None = None, variance: Array | None = None) -> Array:
    """Replace each patch by the best linear combination of similar patches, twice: from the noisy ones, then a pilot.

    Args:
        noisy: Image "c h w", grey or RGB; RGB in opponent colours, matched by brightness.
        sigma: Standard deviation of the noise in grey levels of 255.
        variance: In place of sigma, the noise's variance "c h w" or "h w" in [0, 1]^2, if it differs between pixels.

    Returns:
        The image, clipped to [0, 1].

    Raises:
        ValueError: For another shape, a sigma out of range, both or neither of sigma and variance.
    """
    variances = noise_variance(noisy, sigma, variance)
    level = 255 * float(np.sqrt(variances.mean()))
    row = next((row for largest, row in SIDES_AND_COUNTS.items() if level <= largest + 1e-9), SIDES_AND_COUNTS[50.0])
    first, second = (Matching(side, count, WINDOW, STRIDE) for side, count in row)
    y = to_opponent(noisy)
    noise = np.tensordot(np.square(OPPONENT), variances, 1) if len(y) == 3 else variances
    (pilot,) = filter_groups(unbiased_risk, [y, noise], match_patches(y[0], first))
    (image,) = filter_groups(guided_risk, [y, pilot, noise], match_patches(pilot[0], second))
    return np.clip(from_opponent(image), 0, 1)


def noise_variance(noisy: Array, sigma: float | None, variance: Array | None) -> Array:
    """Return the variance of each value "c h w". Raises ValueError for what `nl_ridge` refuses."""
    if (sigma is None) == (variance is None):
        raise ValueError("NL-Ridge takes the noise's sigma or its variance, one of them")
    if sigma is not None:
        return np.full(noisy.shape, checked_sigma(noisy, sigma) ** 2)
    check_shape(noisy)
    values = np.asarray(variance, dtype=np.float64)
    if values.shape not in (noisy.shape, noisy.shape[1:]):
        raise ValueError(f"a variance of shape {values.shape} for an image of {noisy.shape}: give (c, h, w) or (h, w)")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a variance below 0, above 1 or NaN: give that of the noise in an image in [0, 1]")
    return np.broadcast_to(values, noisy.shape)


def unbiased_risk(noisy: Array, variance: Array) -> tuple[list[Array], Array]:
    """Return the first step's estimates of groups "g k n", which minimise an unbiased estimate of the error.

    With noisy group G, D = diag of the summed variances of each patch: Q = G G^T + alpha D,
    Theta = I - (1 + alpha) Q^-1 D, estimate Theta^T G.
    """
    noise = noise_energy(variance)
    theta = shrinkage(noisy, ALPHA * noise, (1 + ALPHA) * noise)
    return [theta.transpose(0, 2, 1) @ noisy], inverse_squares(theta)


def guided_risk(noisy: Array, pilot: Array, variance: Array) -> tuple[list[Array], Array]:
    """Return the second step's estimates, of least error if the pilot X were the truth: Q = X X^T + D."""
    noise = noise_energy(variance)
    theta = shrinkage(pilot, noise, noise)
    return [theta.transpose(0, 2, 1) @ noisy], inverse_squares(theta)


def noise_energy(variance: Array) -> Array:
    """Return the summed variance "g k" of each patch, the diagonal of D."""
    return np.maximum(variance.sum(axis=2), variance.shape[2] * LEAST_SIGMA**2)


def shrinkage(groups: Array, ridge: Array, noise: Array) -> Array:
    """Return Theta = I - Q^-1 diag(noise), "g k k", with Q = G G^T + diag(ridge)."""
    identity = np.eye(groups.shape[1])
    inverse = np.linalg.inv(groups @ groups.transpose(0, 2, 1) + identity * ridge[:, None])
    return identity - inverse * noise[:, None]
