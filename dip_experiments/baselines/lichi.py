"""LIChI (Herbreteau & Kervrann, TIP 2024), ours from its formulas, not the authors' code."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dip_experiments.baselines.arguments import checked_sigma
from dip_experiments.baselines.patches import (
    Matching,
    filter_groups,
    from_opponent,
    inverse_squares,
    match_patches,
    to_opponent,
)

Array = NDArray[np.float64]
WINDOW, STRIDE = 65, 3
PILOT_COUNT, PILOT_NOISE = 16, 0.5
"""Patches in a group of the pilot; standard deviation of the noise added in theory, in units of sigma."""
SIDE, COUNT, MATCHED_EVERY = 6, 64, 3
LARGEST_TAU, LEAST_T = 0.75, 0.05
"""Share of the noise that the first iteration aims to leave; floor of the share for matrices that can be inverted."""
PILOT_SIDE_AND_ITERATIONS = {15.0: (9, 6), 35.0: (11, 9), 50.0: (13, 11)}
"""Up to this sigma (above the last too); the first and the last row from memory of the paper, as are their borders."""
LEAST_SIGMA = 0.05 / 255
"""Floor of the noise in the weights, for matrices that can be inverted; it moves values by less than itself."""


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
    scale = max(checked_sigma(noisy, sigma), LEAST_SIGMA)
    rows = PILOT_SIDE_AND_ITERATIONS
    side, iterations = next((row for largest, row in rows.items() if sigma <= largest), rows[50.0])
    y = to_opponent(noisy)
    strips = match_patches(y[0], Matching(side, PILOT_COUNT, WINDOW, STRIDE))
    (pilot,) = filter_groups(partial(first_estimate, sigma=scale), [y], strips)
    z = y
    for iteration in range(1, iterations + 1):
        if iteration % MATCHED_EVERY == 1:
            strips = match_patches(z[0], Matching(SIDE, COUNT, WINDOW, STRIDE))
        tau = LARGEST_TAU * (1 - iteration / iterations)
        step: Callable[..., tuple[list[Array], Array]] = partial(next_estimates, sigma=scale, tau=tau)
        pilot, z = filter_groups(step, [z, pilot, y], strips, outputs=2)
    return np.clip(from_opponent(z), 0, 1)


def first_estimate(noisy: Array, sigma: float) -> tuple[list[Array], Array]:
    """Return the pilot's estimates of groups "g k n": affine weights with Q = G G^T + E, E = n (sigma / 2)^2 I."""
    energy = noisy.shape[2] * sigma**2
    added = PILOT_NOISE**2 * energy
    theta = affine_weights(noisy, np.full(len(noisy), added), np.full(len(noisy), energy + added))
    return [theta.transpose(0, 2, 1) @ noisy], inverse_squares(theta)


def next_estimates(z: Array, pilot: Array, noisy: Array, sigma: float, tau: float) -> tuple[list[Array], Array]:
    """Return the next pilot's estimates and those of the next z, in which the share `tau` of the noise is left.

    t = max(1 - std(Y - Z) / sigma, tau) is the share in each group of z; D = n (sigma t)^2 I, Q = X X^T + D with the
    pilot's group X; X^ = Xi^T Z, Z^ = (1 - tau / t) X^ + (tau / t) Z.
    """
    t = np.maximum(1 - np.std(noisy - z, axis=(1, 2)) / sigma, max(tau, LEAST_T))
    energy = z.shape[2] * (sigma * t) ** 2
    xi = affine_weights(pilot, energy, energy)
    estimate = xi.transpose(0, 2, 1) @ z
    left = (tau / t)[:, None, None]
    return [estimate, (1 - left) * estimate + left * z], inverse_squares(xi)


def affine_weights(groups: Array, ridge: Array, noise: Array) -> Array:
    """Return Theta "g k k" whose columns sum to one, for a ridge and a noise "g", each the same for all patches.

    Theta = I - (Q^-1 - Q^-1 1 1^T Q^-1 / (1^T Q^-1 1)) noise, with Q = G G^T + ridge I.
    """
    identity = np.eye(groups.shape[1])
    inverse = np.linalg.inv(groups @ groups.transpose(0, 2, 1) + ridge[:, None, None] * identity)
    sums = inverse.sum(axis=2)
    correction = sums[:, :, None] * (sums / sums.sum(axis=1, keepdims=True))[:, None]
    return identity - (inverse - correction) * noise[:, None, None]
