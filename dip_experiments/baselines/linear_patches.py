"""NL-Ridge and LIChI: each patch becomes a linear combination of similar ones. Ours from the formulas alone.

NL-Ridge: Herbreteau & Kervrann, ICIP 2022 and SIIMS 2025. LIChI: the same authors, TIP 2024.

On the middle 128 x 128 of CSet9, noise clipped at sigma 10 / 25 / 50, they reach 34.79 / 30.33 / 26.23 dB and 34.97 /
30.61 / 26.97 dB, in 0.6 to 2 and in 3 to 6 seconds on one core. 512 x 512 at sigma 25 take 12 and 54 seconds on two.
Not known to be the authors': up to which sigma a row of the tables counts, LIChI's rows at 10 and 50 (from memory), and
what happens at the image's borders, where patches are in fewer groups (here the last row and column of references touch
them).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dip_experiments.baselines.arguments import check_shape, checked_sigma
from dip_experiments.baselines.patches import (
    Matching,
    filter_groups,
    from_opponent,
    inverse_of,
    inverse_squares,
    inverses,
    match_patches,
    plus_diagonal,
    products,
    ridge_inverse,
    to_opponent,
)
from dip_experiments.data.layers import OPPONENT

Array = NDArray[np.float64]
Row = TypeVar("Row")
RIDGE_WINDOW, RIDGE_STRIDE, ALPHA = 37, 4, 0.05
"""Authors'. ALPHA: variance of the noise added in theory in the first step, in units of the noise's own."""
SIDES_AND_COUNTS = {15.0: ((7, 18), (7, 55)), 35.0: ((9, 18), (9, 90)), 50.0: ((11, 20), (9, 120))}
"""Authors': up to this sigma (above the last too), side and number of the patches in the first and the second step."""
LICHI_WINDOW, LICHI_STRIDE, SIDE, COUNT, MATCHED_EVERY = 65, 3, 6, 64, 3
"""Authors'. Patches of SIDE x SIDE pixels, COUNT in a group, are matched again every third iteration."""
PILOT_COUNT, PILOT_NOISE = 16, 0.5
"""Authors': patches in a group of the pilot; standard deviation of the noise added in theory, in units of sigma."""
LARGEST_TAU, LEAST_T = 0.75, 0.05
"""Authors': factor of the share of noise that an iteration leaves. Ours: floor of the share, for stable inverses."""
PILOT_SIDE_AND_ITERATIONS = {15.0: (9, 6), 35.0: (11, 9), 50.0: (13, 11)}
"""Up to this sigma (above the last too); the first and the last row from memory of the paper, as are their borders."""
LEAST_SIGMA = 0.05 / 255
"""Floor of the noise in the weights, for matrices that can be inverted; it moves values by less than itself."""


def nl_ridge(noisy: Array, sigma: float | None = None, variance: Array | None = None) -> Array:
    """Replace each patch by the best linear combination of similar patches, twice: from the noisy ones, then a pilot.

    Args:
        noisy: Image "c h w", grey or RGB; RGB in opponent colours, matched by brightness.
        sigma: Standard deviation of the noise in grey levels of 255.
        variance: In place of sigma, the noise's variance "c h w" or "h w", if it differs between pixels; for sigma it
            is (sigma / 255)^2.

    Returns:
        The image, clipped to [0, 1].

    Raises:
        ValueError: For another shape, a sigma out of range, both or neither of sigma and variance.
    """
    variances = noise_variance(noisy, sigma, variance)
    noise = np.tensordot(np.square(OPPONENT), variances, 1) if len(noisy) == 3 else variances
    return np.clip(from_opponent(nl_ridge_of_planes(to_opponent(noisy), noise)), 0, 1)


def nl_ridge_of_planes(y: Array, noise: Array) -> Array:
    """Return the estimate of planes "c h w" with noise of the variances "c h w", which are matched by the first one."""
    level = 255 * float(np.sqrt(noise.mean()))
    first, second = (Matching(side, count, RIDGE_WINDOW, RIDGE_STRIDE) for side, count in _row(SIDES_AND_COUNTS, level))
    (pilot,) = filter_groups(unbiased_risk, [y, noise], match_patches(y[0], first))
    (image,) = filter_groups(guided_risk, [y, pilot, noise], match_patches(pilot[0], second))
    return image


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
    return [products(theta.transpose(0, 2, 1), noisy)], inverse_squares(theta)


def guided_risk(noisy: Array, pilot: Array, variance: Array) -> tuple[list[Array], Array]:
    """Return the second step's estimates, of least error if the pilot X were the truth: Q = X X^T + D."""
    noise = noise_energy(variance)
    theta = shrinkage(pilot, noise, noise)
    return [products(theta.transpose(0, 2, 1), noisy)], inverse_squares(theta)


def noise_energy(variance: Array) -> Array:
    """Return the summed variance "g k" of each patch, the diagonal of D."""
    return np.maximum(variance.sum(axis=2), variance.shape[2] * LEAST_SIGMA**2)


def shrinkage(groups: Array, ridge: Array, noise: Array) -> Array:
    """Return Theta = I - Q^-1 diag(noise), "g k k", with Q = G G^T + diag(ridge)."""
    return plus_diagonal(ridge_inverse(groups, ridge) * -noise[:, None], 1.0)


def lichi(noisy: Array, sigma: float) -> Array:
    """Replace each patch by affine combinations of similar ones, again and again: each iteration leaves less noise.

    Args:
        noisy: Image "c h w", grey or RGB; RGB in opponent colours, matched by brightness.
        sigma: Standard deviation of the noise in grey levels of 255.

    Returns:
        The image, clipped to [0, 1].

    Raises:
        ValueError: For another shape, or a sigma out of range.
    """
    return np.clip(from_opponent(lichi_of_planes(to_opponent(noisy), checked_sigma(noisy, sigma))), 0, 1)


def lichi_of_planes(y: Array, sigma: float) -> Array:
    """Return the estimate of planes "c h w", matched by the first one, with noise of deviation sigma, range 1."""
    scale = max(sigma, LEAST_SIGMA)
    side, iterations = _row(PILOT_SIDE_AND_ITERATIONS, 255 * sigma)
    strips = match_patches(y[0], Matching(side, PILOT_COUNT, LICHI_WINDOW, LICHI_STRIDE))
    (pilot,) = filter_groups(partial(first_estimate, sigma=scale), [y], strips)
    z = y
    for iteration in range(1, iterations + 1):
        if iteration % MATCHED_EVERY == 1:
            strips = match_patches(z[0], Matching(SIDE, COUNT, LICHI_WINDOW, LICHI_STRIDE))
        tau = LARGEST_TAU * (1 - iteration / iterations)
        step: Callable[..., tuple[list[Array], Array]] = partial(next_estimates, sigma=scale, tau=tau)
        pilot, z = filter_groups(step, [z, pilot, y], strips, outputs=2)
    return z


def first_estimate(noisy: Array, sigma: float) -> tuple[list[Array], Array]:
    """Return the pilot's estimates of groups "g k n": affine weights with Q = G G^T + E, E = n (sigma / 2)^2 I."""
    energy = noisy.shape[2] * sigma**2
    added = PILOT_NOISE**2 * energy
    theta = affine_weights(noisy, np.full(len(noisy), added), np.full(len(noisy), energy + added))
    return [products(theta.transpose(0, 2, 1), noisy)], inverse_squares(theta)


def next_estimates(z: Array, pilot: Array, noisy: Array, sigma: float, tau: float) -> tuple[list[Array], Array]:
    """Return the next pilot's estimates and those of the next z, in which the share `tau` of the noise is left.

    t = max(1 - std(Y - Z) / sigma, tau) is the share in each group of z; D = n (sigma t)^2 I, Q = X X^T + D with the
    pilot's group X; X^ = Xi^T Z, Z^ = (1 - tau / t) X^ + (tau / t) Z.
    """
    t = np.maximum(1 - np.std(noisy - z, axis=(1, 2)) / sigma, max(tau, LEAST_T))
    estimate, weights = affine_estimates(z, pilot, z.shape[2] * (sigma * t) ** 2)
    left = (tau / t)[:, None, None]
    return [estimate, estimate + left * (z - estimate)], weights


def affine_weights(groups: Array, ridge: Array, noise: Array) -> Array:
    """Return Theta "g k k" whose columns sum to one, for a ridge and a noise "g", each the same for all patches.

    Theta = I - (Q^-1 - Q^-1 1 1^T Q^-1 / (1^T Q^-1 1)) noise, with Q = G G^T + ridge I.
    """
    inverse = ridge_inverse(groups, np.broadcast_to(ridge[:, None], groups.shape[:2]))
    sums = inverse.sum(axis=2)
    inverse -= sums[:, :, None] * (sums / sums.sum(axis=1, keepdims=True))[:, None]
    inverse *= -noise[:, None, None]
    return plus_diagonal(inverse, 1.0)


def affine_estimates(groups: Array, guide: Array, noise: Array) -> tuple[Array, Array]:
    """Return Theta^T Z for groups Z, and the patches' weights, with `affine_weights` of the guide and one noise "g".

    Where ridge and noise are one, Theta = P + 1 1^T / k, P = X (X^T X + noise I)^-1 X^T, X the guide's patches less
    their mean: weights that sum to one do not see it. P has the size of a patch, and is not formed.
    """
    centred = guide - guide.mean(axis=1, keepdims=True)
    transposed = centred.transpose(0, 2, 1)
    basis = products(centred, inverses(plus_diagonal(products(transposed, centred), noise[:, None])))
    estimate = products(basis, products(transposed, groups)) + groups.mean(axis=1, keepdims=True)
    squares = (basis * (centred - noise[:, None, None] * basis)).sum(axis=2) + 1 / guide.shape[1]
    return estimate, inverse_of(squares)


def _row(rows: Mapping[float, Row], sigma: float) -> Row:
    """Return the first row up to whose sigma this one goes, but for rounding; the last one above all."""
    return next((row for largest, row in rows.items() if sigma <= largest + 1e-9), rows[max(rows)])
