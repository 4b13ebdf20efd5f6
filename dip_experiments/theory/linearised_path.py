"""The fit that a tangent kernel predicts, at every iteration of a fit at once: for observers, without a branch."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from skimage.feature import structure_tensor, structure_tensor_eigenvalues
from torch import Tensor

from dip_experiments.theory.tangent_kernel import Spectrum

TIMES = 1000
"""Points of the path, evenly on a logarithmic scale: near enough that the nearest one is within 1 % (tested)."""
BORDER = 4
"""Pixels at the border of which none is chosen."""


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


def path(spectrum: Spectrum) -> Float[Tensor, "t n"]:
    """Return 1 - exp(-tau lambda), the part of each eigenvector that the linearised fit has reached, over times tau.

    From tau = 0, where it is that of none, to infinity, where it is that of all with an eigenvalue above 0.
    """
    values = spectrum.values.double()
    positive = values[values > 0]
    first_time, last_time = -math.log10(float(positive[0])) - 4, -math.log10(float(positive[-1])) + 2
    times = torch.logspace(first_time, last_time, TIMES, dtype=torch.float64, device=values.device)
    reached = -torch.expm1(-times[:, None] * values)
    first, last = torch.zeros_like(values), (values > 0).double()
    return torch.cat([first[None], reached, last[None]]).to(spectrum.values)


def nearest(moved: Float[Tensor, " n"], misfit: Float[Tensor, " n"], path: Float[Tensor, "t n"]) -> Int[Tensor, ""]:
    """Return the time at which the linearised fit is nearest to an image.

    Args:
        moved: V^T (f - f_0), the image.
        misfit: V^T (y - f_0).
        path: See `path`.
    """
    # |moved - path misfit|^2 without |moved|^2, which is the same at all times
    return (path.square() @ misfit.square() - 2 * path @ (moved * misfit)).argmin()


def distinct_pixels(image: Float[Tensor, "h w"]) -> list[tuple[int, int]]:
    """Return row and column of a pixel in a flat part, at an edge and in a texture of a grey image.

    By the eigenvalues l1 >= l2 of the structure tensor: the least l1, the largest l1 - l2, the largest l2.
    """
    found = structure_tensor_eigenvalues(structure_tensor(image.cpu().double().numpy(), sigma=1.5))
    across, along = found[:, BORDER:-BORDER, BORDER:-BORDER]
    chosen = [np.unravel_index(at, across.shape) for at in (across.argmin(), (across - along).argmax(), along.argmax())]
    return [(int(row) + BORDER, int(column) + BORDER) for row, column in chosen]
