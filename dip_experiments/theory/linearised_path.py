"""The fit that a tangent kernel predicts: of gradient descent at an iteration, and of any speed.

In the eigenvectors V of the kernel a linearised fit is f_0 + V (p * V^T (y - f_0)), with p the part of each eigenvector
that is reached: `reached_by_descent`, or a row of `path`.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter
from torch import Tensor

from dip_experiments.theory.tangent_kernel import Spectrum

TIMES = 4000
"""Points of the path, evenly on a logarithmic scale: the nearest one is within 0.2 % (tested)."""
BORDER = 4
"""Pixels at the border of which none is chosen."""
Image = Float[Tensor, "1 c h w"]


def descent_rate(lr: float, n: int, spectrum: Spectrum) -> float:
    """Return the rate 2 lr / n at which gradient descent on the mean squared error over n values follows the kernel.

    Raises:
        ValueError: If gradient descent of this learning rate diverges.
    """
    rate, largest = 2 * lr / n, float(spectrum.values[0])
    if rate * largest >= 2:
        raise ValueError(
            f"optimizer.lr={lr:g}: gradient descent diverges, as the largest eigenvalue of the tangent kernel is "
            f"{largest:.4g}; give less than {n / largest:.3g}"
        )
    return rate


def reached_by_descent(
    values: Float[Tensor, " n"], rate: float | Float[Tensor, "1"], steps: int | Int[Tensor, "1"]
) -> Float[Tensor, " n"]:
    """Return 1 - (1 - rate lambda)^t, the part of each eigenvector that gradient descent has reached after t steps.

    Exact for a network that is linear in its parameters (Tachella, Tang & Davies, CVPR 2021), and in the limit of
    width. NaN where the rate is.
    """
    return 1 - (1 - rate * values) ** steps + 0 * rate


def path(spectrum: Spectrum) -> Float[Tensor, "t n"]:
    """Return 1 - exp(-tau lambda), the part of each eigenvector that the linearised fit has reached, over times tau.

    From tau = 0, where it is that of none, to infinity, where it is that of all with an eigenvalue above 0.
    """
    values = spectrum.values.double()
    positive = values[values > 0]
    reached = values.new_empty(0, len(values))
    if len(positive):
        first_time, last_time = -math.log10(float(positive[0])) - 4, -math.log10(float(positive[-1])) + 2
        times = torch.logspace(first_time, last_time, TIMES, dtype=torch.float64, device=values.device)
        reached = -torch.expm1(-times[:, None] * values)
    return torch.cat([torch.zeros_like(values)[None], reached, (values > 0).double()[None]]).to(spectrum.values)


def nearest(moved: Float[Tensor, " n"], misfit: Float[Tensor, " n"], path: Float[Tensor, "t n"]) -> Float[Tensor, " n"]:
    """Return the row of a path at which the linearised fit is nearest to an image; nothing leaves the device.

    Args:
        moved: V^T (f - f_0), the image.
        misfit: V^T (y - f_0).
        path: See `path`.
    """
    # |moved - path misfit|^2 without |moved|^2, which is the same at all times
    squares = path.square() @ misfit.square() - 2 * path @ (moved * misfit)
    return path.index_select(0, squares.argmin().reshape(1)).squeeze(0)


def linearised_fit(start: Image, target: Image, spectrum: Spectrum, rate: float, iterations: int) -> Image:
    """Return the linearised fit after so many steps of gradient descent.

    Args:
        start: f_0, the network's image before the first step.
        target: y.
        spectrum: Of the tangent kernel before the first step.
        rate: See `descent_rate`.
        iterations: t.
    """
    misfit = spectrum.vectors.T @ (target - start).flatten()
    return start + (spectrum.vectors @ (reached_by_descent(spectrum.values, rate, iterations) * misfit)).view_as(start)


def distance_to_path(image: Image, start: Image, target: Image, spectrum: Spectrum) -> float:
    """Return the least distance of an image from the linearised fit at any time, by its distance from the start.

    0 where a fit, of whatever speed, is on the linearised path, and at most 1; of an image that is the start, 0.

    Args:
        image: f.
        start: f_0.
        target: y.
        spectrum: Of the tangent kernel at the start.
    """
    moved, misfit = (spectrum.vectors.T @ (each - start).flatten() for each in (image, target))
    length = float(moved.norm())
    away = moved - nearest(moved, misfit, path(spectrum)) * misfit
    return float(away.norm()) / length if length else 0.0


def distinct_pixels(image: Float[Tensor, "h w"]) -> list[tuple[int, int]]:
    """Return row and column of a pixel in a flat part, at an edge and in a texture of a grey image.

    By the eigenvalues l1 >= l2 of the structure tensor: the least l1, the largest l1 - l2, the largest l2.
    """
    down, right = np.gradient(image.cpu().double().numpy())
    a, b, c = (gaussian_filter(product, 1.5) for product in (down * down, down * right, right * right))
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b)
    across, along = (values[BORDER:-BORDER, BORDER:-BORDER] for values in (middle + half, middle - half))
    chosen = [np.unravel_index(at, across.shape) for at in (across.argmin(), (across - along).argmax(), along.argmax())]
    return [(int(row) + BORDER, int(column) + BORDER) for row, column in chosen]
