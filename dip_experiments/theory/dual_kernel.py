"""The one-layer generator G(C) = relu(U C) v / sqrt(k), whose tangent kernel is known in closed form.

Heckel & Soltanolkotabi, ICLR 2020: U, n x n, is circulant, an upsampling or low-pass filter; C, n x k, is learned; the
entries of v are +1 and -1. For large k gradient descent fits the eigenvectors of the kernel, which are sines and
cosines, in the order of its eigenvalues.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

HALF = 0.5
"""Of a standard normal vector c, the probability that <u, c> > 0: the kernel's diagonal is HALF |u_i|^2."""


def distances(n: int) -> Float[np.ndarray, " n"]:
    """Return how far each of n places on a circle is from the first."""
    places = np.arange(n, dtype=float)
    return np.minimum(places, n - places)


def no_filter(half_width: int, n: int) -> Float[np.ndarray, " n"]:
    """Return 1 at the first place and 0 elsewhere, whatever the width."""
    return (distances(n) == 0).astype(float)


def nearest(half_width: int, n: int) -> Float[np.ndarray, " n"]:
    """Return `half_width` ones: nearest-neighbour upsampling by this factor, a box."""
    return (np.arange(n) < half_width).astype(float)


def triangle(half_width: int, n: int) -> Float[np.ndarray, " n"]:
    """Return max(0, 1 - distance / half_width): bilinear upsampling by this factor (Fig. 6); 1 is no filter."""
    return np.maximum(0, 1 - distances(n) / half_width)


def gaussian(half_width: int, n: int) -> Float[np.ndarray, " n"]:
    """Return a Gaussian of standard deviation half_width / sqrt(6), as the triangle of this half-width has."""
    return np.exp(-3 * (distances(n) / half_width) ** 2)


FILTERS: Mapping[str, Callable[[int, int], np.ndarray]] = MappingProxyType(
    {"none": no_filter, "nearest": nearest, "triangle": triangle, "gaussian": gaussian}
)
"""Kernels of U by name, functions of a half-width in places and of n, on a circle around the first place."""


def circulant(kernel: Float[np.ndarray, " k"], n: int) -> Float[np.ndarray, "n n"]:
    """Return U: row i is the kernel moved by i on a circle of n places, with norm 1.

    So the eigenvalues have the mean HALF, whatever the filter.

    Args:
        kernel: At most n values, the first for the diagonal; places without a value are 0.
        n: Rows and columns.

    Raises:
        ValueError: If the kernel has more than n values.
    """
    row = _unit_row(kernel, n)
    return np.stack([np.roll(row, i) for i in range(n)])


def dual_kernel(u: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n n"]:
    """Return K_ij = HALF (1 - arccos(cos(u_i, u_j)) / pi) <u_i, u_j> of the rows of U, none of them 0.

    The tangent kernel of G at a standard normal C in the limit of k: the mean of <u_i, u_j> 1{<u_i, c> > 0}
    1{<u_j, c> > 0}.
    """
    products = u @ u.T
    norms = np.sqrt(np.diag(products))
    cosines = products / np.outer(norms, norms)
    np.fill_diagonal(cosines, 1)
    return _expected(products, cosines)


def closed_form_eigenvalues(kernel: Float[np.ndarray, " k"], n: int) -> Float[np.ndarray, " n"]:
    """Return the eigenvalues of `dual_kernel(circulant(kernel, n))`, which is circulant: the FFT of its first row.

    Entry j belongs to the sine and the cosine of j periods, for j = 0 to n - 1; entries j and n - j are equal.
    """
    row = _unit_row(kernel, n)
    cosines = np.fft.ifft(np.abs(np.fft.fft(row)) ** 2).real  # the rows have norm 1
    cosines[0] = 1
    return np.fft.fft(_expected(cosines, cosines)).real


def one_layer_kernel(u: Float[np.ndarray, "n m"], width: int, seed: int) -> Float[np.ndarray, "n n"]:
    """Return the tangent kernel of G of finite width k at a random C, which tends to `dual_kernel` as 1 / sqrt(k).

    K_ij = <u_i, u_j> (1 / k) sum_l 1{<u_i, c_l> > 0} 1{<u_j, c_l> > 0}, the signs in v having no part in it.

    Args:
        u: U.
        width: k, the columns of C.
        seed: Of the standard normal C.
    """
    c = np.random.default_rng(seed).standard_normal((u.shape[1], width))
    active = (u @ c > 0).astype(float)
    return (u @ u.T) * (active @ active.T) / width


def _unit_row(kernel: np.ndarray, n: int) -> np.ndarray:
    if len(kernel) > n:
        raise ValueError(f"a kernel of {len(kernel)} values on a circle of {n} places: give at most {n} values")
    row = np.zeros(n)
    row[: len(kernel)] = kernel
    return row / np.linalg.norm(row)


def _expected(products: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    return HALF * (1 - np.arccos(np.clip(cosines, -1, 1)) / np.pi) * products
