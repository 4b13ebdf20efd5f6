"""Groups of similar patches: block matching, and averages of overlapping patches, for `nl_ridge` and `lichi`.

Images are "c h w". Groups are "g k n": g references, the k patches most similar to each, n pixels of a patch. Colour
images are handled in opponent colours, where white noise has the same standard deviation in each plane.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import csc_array

from dip_experiments.data.layers import OPPONENT

Array = NDArray[np.float64]
Members = NDArray[np.intp]
Estimate = Callable[..., tuple[Sequence[Array], Array]]
"""Groups "g k n" of several images -> one or more estimates of the first "g k n", and the patches' weights "g k"."""
REFERENCES, ROWS, BATCH = 512, 8, 16
"""Groups in a strip, its rows of references at least, as strips share patches; groups in a stack of matrices."""
LARGEST_PRODUCT = 2**18
"""Multiplications of the largest product of two matrices that OpenBLAS computes in one thread."""
LARGEST_RATIO = 1.25
"""Patches per pixel above which the inverse of pixels' size is faster; with 120 patches BLAS takes several threads."""
LEAST_SQUARE = 1e-12
"""Floor of a patch's sum of squared coefficients, whose inverse is its weight."""


@dataclass(frozen=True)
class Matching:
    """Block matching: patches of `side` x `side` pixels, `count` in a group with their reference.

    Candidates have their corners in a window of `window` x `window` pixels around that of the reference; references
    are `stride` pixels apart.
    """

    side: int
    count: int
    window: int
    stride: int


@dataclass(frozen=True)
class Strip:
    """Groups of the references of some rows; their patches, of `side` x `side` pixels, lie in the image's `rows`.

    `members`: "g k", which of the patches in these rows, counted line by line, form each group.
    """

    rows: slice
    side: int
    members: Members

    def patches(self, plane: Array) -> Array:
        """Return all patches in these rows of a plane "h w", one a line."""
        return _patches(plane[self.rows], self.side).reshape(-1, self.side**2)


def to_opponent(image: Array) -> Array:
    """Return an RGB image in opponent colours; grey as it is."""
    return np.tensordot(OPPONENT, image, 1) if len(image) == 3 else image


def from_opponent(planes: Array) -> Array:
    """Return the RGB image of opponent colours; grey as it is."""
    return np.tensordot(OPPONENT.T, planes, 1) if len(planes) == 3 else planes


def match_patches(plane: Array, matching: Matching) -> list[Strip]:
    """Return the groups of a plane "h w": each reference with the patches nearest to it in squared error.

    In images too small for `side` or `count`, patches or groups are smaller.
    """
    side = min(matching.side, *plane.shape)
    reach = [min(matching.window // 2, length - side) for length in plane.shape]
    tops, lefts = (_references(length - side, matching.stride) for length in plane.shape)
    candidates = _fewest(tops, reach[0]) * _fewest(lefts, reach[1])
    count, rows = min(matching.count, candidates), max(ROWS, REFERENCES // len(lefts))
    nearest = partial(_nearest, plane, side, reach, count, lefts)
    with ThreadPoolExecutor(_threads()) as pool:
        return list(pool.map(nearest, (tops[start : start + rows] for start in range(0, len(tops), rows))))


def filter_groups(estimate: Estimate, images: Sequence[Array], strips: Sequence[Strip], outputs: int = 1) -> Array:
    """Return the weighted means "outputs c h w" of the overlapping estimates of all groups, channel by channel."""
    sums, weights = np.zeros((outputs, *images[0].shape)), np.zeros(images[0].shape)
    parts = [(strip, channel) for strip in strips for channel in range(len(images[0]))]

    def filtered(part: tuple[Strip, int]) -> tuple[Array, Array]:
        strip, channel = part
        return _filter_strip(estimate, [image[channel] for image in images], strip, outputs)

    with ThreadPoolExecutor(_threads()) as pool:
        # Added in this order: the threads make no difference to the image, not even by rounding.
        for (strip, channel), (values, weight) in zip(parts, pool.map(filtered, parts), strict=True):
            for total, patches in zip(sums, values, strict=True):
                _add(total[channel, strip.rows], patches, strip.side)
            _add(weights[channel, strip.rows], weight, strip.side)
    return sums / weights


def inverse_squares(theta: Array) -> Array:
    """Return the weight "g k" of each patch: one by the sum of its squared coefficients, a column of `theta`."""
    return inverse_of(np.square(theta).sum(axis=1))


def inverse_of(squares: Array) -> Array:
    """Return the weights of patches by their sums of squared coefficients."""
    return 1 / np.maximum(squares, LEAST_SQUARE)


def products(left: Array, right: Array) -> Array:
    """Return the products "g i k" of matrices "g i j" and "g j k", none in several threads of BLAS.

    The threads of OpenBLAS wait for each other longer than they work on such small matrices: four times as slow.
    """
    rows = max(1, LARGEST_PRODUCT // (right.shape[1] * right.shape[2]))
    parts = [left[:, start : start + rows] @ right for start in range(0, left.shape[1], rows)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def ridge_inverse(groups: Array, ridge: Array) -> Array:
    """Return the inverses "g k k" of Q = G G^T + R, R = diag(ridge).

    With many more patches than pixels, Q^-1 = R^-1 - R^-1 G (I + G^T R^-1 G)^-1 G^T R^-1, whose inverse is smaller.
    """
    _, count, pixels = groups.shape
    transposed = groups.transpose(0, 2, 1)
    if count <= LARGEST_RATIO * pixels:
        return inverses(plus_diagonal(products(groups, transposed), ridge))
    scaled = groups / ridge[..., None]
    inner = inverses(plus_diagonal(products(transposed, scaled), 1.0))
    outer = products(products(scaled, inner), scaled.transpose(0, 2, 1))
    return plus_diagonal(np.negative(outer, out=outer), 1 / ridge)


def plus_diagonal(matrices: Array, values: Array | float) -> Array:
    """Add values to the diagonals of matrices "g k k", in their place."""
    diagonal = np.arange(matrices.shape[1])
    matrices[:, diagonal, diagonal] += values
    return matrices


def inverses(matrices: Array) -> Array:
    """Return the inverses of matrices "g k k"."""
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)


def _references(last: int, stride: int) -> list[int]:
    """Return corners that are `stride` apart, and the last one, so that every pixel lies in a reference."""
    return sorted({*range(0, last + 1, stride), last})


def _fewest(corners: Sequence[int], reach: int) -> int:
    """Return how many candidates the reference with the fewest has along one axis."""
    windows = [_window(corner, corner, reach, corners[-1]) for corner in corners]
    return min(window.stop - window.start for window in windows)


def _nearest(plane: Array, side: int, reach: Sequence[int], count: int, lefts: list[int], tops: list[int]) -> Strip:
    """Return the groups of the references at `tops` x `lefts`.

    Products of matrices give the squared error |a|^2 - 2 a b + |b|^2 of a reference a and a patch b, less |a|^2, which
    is the same for all patches of a group.
    """
    last_top, last_left = (length - side for length in plane.shape)
    rows = _window(tops[0], tops[-1], reach[0], last_top)
    pixels = slice(rows.start, rows.stop - 1 + side)
    patches = _patches(plane[pixels], side)
    energies = np.square(patches).sum(axis=2)
    numbers = np.arange(energies.size).reshape(energies.shape)

    def members(top: int) -> Members:
        near = _window(top, top, reach[0], last_top, rows.start)
        groups = np.empty((len(lefts), count), np.intp)
        for start in range(0, len(lefts), BATCH):
            block = lefts[start : start + BATCH]
            span = _window(block[0], block[-1], reach[1], last_left)
            crossed = products(patches[None, top - rows.start, block], patches[near, span].transpose(0, 2, 1))
            errors = energies[near, None, span] - 2 * crossed
            for index, left in enumerate(block):
                columns = _window(left, left, reach[1], last_left, span.start)
                seen = errors[:, index, columns]
                seen[top - rows.start - near.start, left - span.start - columns.start] = -np.inf  # in its own group
                nearest = np.argpartition(seen, count - 1, axis=None)[:count]
                groups[start + index] = numbers[near, span][:, columns].ravel()[nearest]
        return groups

    return Strip(pixels, side, np.concatenate([members(top) for top in tops]))


def _patches(lines: Array, side: int) -> Array:
    """Return all patches "down across n" of some lines of a plane."""
    windows = sliding_window_view(lines, (side, side))
    return windows.reshape(*windows.shape[:2], side**2)


def _window(first: int, final: int, reach: int, last: int, start: int = 0) -> slice:
    """Return the corners within `reach` of those from `first` to `final`, counted from the corner `start`."""
    return slice(max(first - reach, 0) - start, min(final + reach, last) + 1 - start)


def _filter_strip(estimate: Estimate, planes: Sequence[Array], strip: Strip, outputs: int) -> tuple[Array, Array]:
    """Return the weighted sums "outputs n pixels" of the estimates of each patch of a strip, and of their weights."""
    patches = [strip.patches(plane) for plane in planes]
    found = np.empty((outputs, *strip.members.shape, strip.side**2))
    weights = np.empty(strip.members.shape)
    for start in range(0, len(weights), BATCH):
        batch = slice(start, start + BATCH)
        values, weights[batch] = estimate(*(seen.take(strip.members[batch], axis=0) for seen in patches))
        for output, value in zip(found, values, strict=True):
            output[batch] = value
    columns = weights.ravel(), strip.members.ravel(), np.arange(weights.size + 1)
    spread = csc_array(columns, (len(patches[0]), weights.size))
    sums = np.stack([spread @ values.reshape(weights.size, -1) for values in found])
    return sums, spread.sum(axis=1)[:, None]


def _threads() -> int:
    """Return the number of threads: as many as cores, or what OMP_NUM_THREADS says."""
    chosen = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(chosen) if chosen.isdecimal() and int(chosen) else os.cpu_count() or 1


def _add(rows: Array, patches: Array, side: int) -> None:
    """Add patches, one a line (or one number for all their pixels), to the rows of a plane that they lie in."""
    down, across = rows.shape[0] - side + 1, rows.shape[1] - side + 1
    grid = patches.reshape(down, across, -1)
    for index in range(side**2):
        top, left = divmod(index, side)
        rows[top : top + down, left : left + across] += grid[..., index % grid.shape[2]]
