"""Operators of one's own: a subclass, a function, and an object of the form of a deepinv physics."""

import torch
from torch import Tensor

from dip_experiments import Operator


class ColumnMeans(Operator):
    """y is the mean of `width` neighbouring columns of x, which must divide the picture's width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """Return A x; the adjoint comes by automatic differentiation."""
        return x.unflatten(-1, (-1, self.width)).mean(-1)

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the shape of the image: `width` times as many columns."""
        return measured[0], measured[1], measured[2] * self.width


def shift_blur(width: int):
    """Return a function: the mean of an image and of its shifts by 1 to `width` - 1 columns."""

    def apply(x: Tensor) -> Tensor:
        return torch.stack([x.roll(step, dims=-1) for step in range(width)]).mean(0)

    return apply


class HalfFourier:
    """An object of the form of a deepinv physics: the rows of low frequency, real and imaginary parts.

    `A` maps (n, c, h, w) to (n, 2 c, rows, w).
    """

    def __init__(self, rows: int, height: int) -> None:
        self.rows, self.height = rows, height

    def A(self, x: Tensor) -> Tensor:
        """Return the first rows of the orthonormal Fourier transform along the columns."""
        low = torch.fft.fft(x, dim=-2, norm="ortho")[..., : self.rows, :]
        return torch.cat([low.real, low.imag], dim=1)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Return A^T y."""
        real, imaginary = y.chunk(2, dim=1)
        full = torch.zeros(*real.shape[:2], self.height, real.shape[3], dtype=torch.complex128, device=y.device)
        full[..., : self.rows, :] = torch.complex(real, imaginary)
        return torch.fft.ifft(full, dim=-2, norm="ortho").real.to(y)
