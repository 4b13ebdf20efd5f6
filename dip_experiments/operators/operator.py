"""Base class of the measurement operators A, their composition, and the checks of one that is given."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dip_experiments.tensors import generator

log = logging.getLogger(__name__)
FAR = 20.0
"""So many times larger than A x a measurement is not for want of contrast (ours)."""


class Operator(nn.Module, ABC):
    """A deterministic forward model, linear unless it says otherwise. Holds buffers, never parameters.

    Subclass it for an operator of your own: define `forward` and, unless the image has the shape of the measurement,
    `image_shape`. The adjoint, <A x, y> = <x, A^T y>, is that of automatic differentiation unless it is defined too.
    """

    @abstractmethod
    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
        """Return A x, for images of several replicas."""

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return channels, rows and columns of the image whose measurement has that shape."""
        return measured

    def adjoint(self, y: Float[Tensor, "r cy hy wy"]) -> Float[Tensor, "r c h w"]:
        """Return A^T y: of a linear A the pull-back at any point, so also at 0."""
        channels, rows, columns = check_rank(y).shape[1:]
        zero = y.new_zeros(len(y), *self.image_shape((channels, rows, columns)))
        return torch.func.vjp(self.forward, zero)[1](y)[0]

    def measured(self, y: Float[Tensor, "r cy hy wy"]) -> Bool[Tensor, "r cy hy wy"]:
        """Return True for each value of a measurement that is one: all of them, but for masks."""
        return torch.ones_like(check_rank(y), dtype=torch.bool)

    @property
    def is_identity(self) -> bool:
        """True if A = I, so that an error of A f is an error of the image f."""
        return False

    @property
    def preserves_range(self) -> bool:
        """True if A x has values in [0, 1] where x has, so that a measurement is shown as it is."""
        return self.is_identity

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Move or convert all buffers; a complex one by its parts, as a real type would take its real part alone."""

        def by_parts(buffer: Tensor) -> Tensor:
            return torch.complex(fn(buffer.real), fn(buffer.imag)) if buffer.is_complex() else fn(buffer)

        return super()._apply(by_parts, recurse)

    def __matmul__(self, first: "Operator") -> "Operator":
        """Return the operator that applies `first`, then this one."""
        return Composed(self, first)


class Composed(Operator):
    """A B: B is applied first. (A B)^T = B^T A^T."""

    def __init__(self, last: Operator, first: Operator) -> None:
        super().__init__()
        self.last, self.first = last, first

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
        return self.last(self.first(x))

    def adjoint(self, y: Float[Tensor, "r cy hy wy"]) -> Float[Tensor, "r c h w"]:
        return self.first.adjoint(self.last.adjoint(y))

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        return self.first.image_shape(self.last.image_shape(measured))

    def measured(self, y: Float[Tensor, "r cy hy wy"]) -> Bool[Tensor, "r cy hy wy"]:
        """Return False for values made only of values that the first operator does not measure."""
        inner = self.last.adjoint(y)
        return self.last.measured(y) & self.last(self.first.measured(inner).to(y)).ne(0)

    @property
    def is_identity(self) -> bool:
        return self.last.is_identity and self.first.is_identity

    @property
    def preserves_range(self) -> bool:
        return self.last.preserves_range and self.first.preserves_range


def measure(operator: Operator, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
    """Return A x. Raises ValueError, with the shape of the images, where the user's code fails."""
    try:
        with torch.no_grad():
            return operator(x)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(
            f"the operator fails on images of shape {tuple(x.shape)} ({type(error).__name__}: {error}); an image of "
            "another shape than the measurement's is given by image_shape"
        ) from error


@torch.no_grad()
def back_projection(operator: Operator, y: Float[Tensor, "r cy hy wy"]) -> Float[Tensor, "r c h w"]:
    """Return s A^T y, of each replica with the s that brings A (s A^T y) closest to y.

    It has the brightness of the image whatever the scale of A is: s is 1 for masks and where A = I.
    """
    image = operator.adjoint(y)
    again = operator(image)
    energy = again.square().sum((1, 2, 3), keepdim=True)
    return image * torch.where(energy > 0, (again * y).sum((1, 2, 3), keepdim=True) / energy, 1.0)


def check_operator(operator: Operator, measurement: Float[Tensor, "r cy hy wy"], of_image: bool = True) -> None:
    """Check that the operator maps images of its `image_shape` to the shape of the measurement, with gradients.

    `of_image`: say where the values are too large to be those of an image.

    Raises:
        ValueError: Unless it does, and where two calls give different values.
    """
    replicas, *measured = measurement.shape
    shape = operator.image_shape((measured[0], measured[1], measured[2]))
    found = measure(operator, measurement.new_zeros(replicas, *shape)).shape
    if found != measurement.shape:
        raise ValueError(
            f"the operator maps images of shape {(replicas, *shape)} to {tuple(found)}, the measurement has "
            f"{tuple(measurement.shape)}; define its image_shape (for a function, or a "
            "physics without A_adjoint, give image_shape=...)"
        )
    x = torch.rand(replicas, *shape, generator=generator(0, "operator"), dtype=measurement.dtype).to(measurement.device)
    try:
        with torch.enable_grad():
            y = operator(x.requires_grad_())
    except Exception as error:  # whatever the user's code raises
        raise ValueError(
            f"the operator fails on a tensor with gradients ({type(error).__name__}: {error}); compute it in PyTorch"
        ) from error
    if not y.requires_grad:
        raise ValueError("the operator passes no gradients on, as after .detach() or in NumPy; compute it in PyTorch")
    if not torch.allclose(y, measure(operator, x), rtol=1e-4, atol=1e-4 * float(y.detach().abs().max())):
        raise ValueError("the operator gives other values each time; draw random ones once, when it is made")
    most, reached = float(measurement.abs().max()), float(y.detach().abs().max())
    if of_image and most > FAR * reached:
        log.warning(
            "the measurement has values up to %.3g, A x of an image in [0, 1] up to %.2g: is it scaled?", most, reached
        )


def check_rank(x: Tensor) -> Tensor:
    """Return the tensor. Raise ValueError unless it has the four axes replica, channel, row, column."""
    if x.ndim != 4:
        raise ValueError(f"an operator takes replica, channel, row and column, got a tensor of shape {tuple(x.shape)}")
    return x
