"""Measurement operators A (forward models): the output is compared with the measurement through one of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dip_experiments.tensors import decimate, lanczos_kernel

FACTORS, LOBES = (2, 3, 4, 8), (2, 3)


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
        """Return False for a value made only of values that the first operator does not measure."""
        inner = self.last.adjoint(y)
        return self.last.measured(y) & self.last(self.first.measured(inner).to(y)).ne(0)

    @property
    def is_identity(self) -> bool:
        return self.last.is_identity and self.first.is_identity


class Identity(Operator):
    """A = I: every value of the image is measured."""

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return check_rank(x)

    def adjoint(self, y: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return check_rank(y)

    @property
    def is_identity(self) -> bool:
        return True


class Mask(Operator):
    """A x = m x, elementwise: the `known` values are measured, the others are 0 (PAPER detail 8). A^T = A."""

    known: Bool[Tensor, "r c h w"]

    def __init__(self, known: Bool[Tensor, "r c h w"]) -> None:
        super().__init__()
        shares = check_rank(known).flatten(1).double().mean(1)
        if shares.min() == 0 or shares.max() == 1:
            raise ValueError("a mask that hides everything or nothing; give one with known and with missing values")
        self.register_buffer("known", known)

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        if x.shape != self.known.shape:
            raise ValueError(
                f"a mask of shape {tuple(self.known.shape)} on a tensor of shape {tuple(x.shape)}; "
                "the mask must be as large as the image, once for each replica"
            )
        return x * self.known

    def adjoint(self, y: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return self(y)

    def measured(self, y: Float[Tensor, "r c h w"]) -> Bool[Tensor, "r c h w"]:
        return self.known


class Downsampler(Operator):
    """A x = (x * k) at every `factor`-th pixel (2, 3, 4, 8), k the Lanczos kernel of 2 or 3 `lobes` (PAPER detail 7).

    A convolution at stride `factor`, phase 0.5, borders replicated, each channel on its own.
    """

    kernel: Float[Tensor, "k k"]

    def __init__(self, factor: int, lobes: int) -> None:
        super().__init__()
        if factor not in FACTORS or lobes not in LOBES:
            raise ValueError(f"downsampling by {factor} with Lanczos-{lobes}; factors are {FACTORS}, lobes {LOBES}")
        self.factor = factor
        self.register_buffer("kernel", lanczos_kernel(factor, lobes))

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
        height, width = check_rank(x).shape[2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"downsampling by {self.factor} of {height} x {width} pixels; crop both to multiples of {self.factor}"
            )
        return decimate(x, self.kernel, self.factor)

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        return measured[0], measured[1] * self.factor, measured[2] * self.factor


class Blur(Operator):
    """A x = x * k for each channel on its own: convolution with a kernel of odd sides, borders replicated."""

    kernel: Float[Tensor, "kh kw"]

    def __init__(self, kernel: Float[Tensor, "kh kw"]) -> None:
        super().__init__()
        if kernel.ndim != 2 or not (kernel.shape[0] % 2 and kernel.shape[1] % 2):
            raise ValueError(f"a blur kernel of shape {tuple(kernel.shape)}; give one of odd height and width")
        self.register_buffer("kernel", kernel)

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        rows, columns = self.kernel.shape
        channels = check_rank(x).shape[1]
        weight = self.kernel.flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)  # conv2d correlates
        padded = F.pad(x, (columns // 2, columns // 2, rows // 2, rows // 2), mode="replicate")
        return F.conv2d(padded, weight, groups=channels)


class FunctionOperator(Operator):
    """An operator made of any callable on tensors (n, c, h, w), or of a deepinv physics.

    Args:
        function: x -> y. An object with a method `A` is called by that, and its `A_adjoint`, if it has one, is the
            adjoint; else the adjoint is that of automatic differentiation.
        shape: Channels, rows and columns of the image. None: found by `A_adjoint`, else that of the measurement.
    """

    def __init__(self, function: Callable[..., Any], shape: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self.function = function  # a module's buffers move with the operator
        self.apply_function: Callable[[Tensor], Tensor] = getattr(function, "A", function)
        self.apply_adjoint: Callable[[Tensor], Tensor] | None = getattr(function, "A_adjoint", None)
        self.shape = shape

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
        return self.apply_function(x)

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        if self.shape is not None or self.apply_adjoint is None:
            return self.shape or measured
        channels, rows, columns = self.apply_adjoint(torch.zeros(1, *measured)).shape[1:]
        self.shape = (channels, rows, columns)
        return self.shape

    def adjoint(self, y: Float[Tensor, "r cy hy wy"]) -> Float[Tensor, "r c h w"]:
        return super().adjoint(y) if self.apply_adjoint is None else self.apply_adjoint(y)


def as_operator(given: Any, shape: tuple[int, int, int] | None = None) -> Operator:
    """Return an operator: the one given, the identity for None, or one made of a callable or a deepinv physics.

    Raises:
        ValueError: For anything else.
    """
    if given is None:
        return Identity()
    if isinstance(given, Operator):
        return given
    if callable(given) or hasattr(given, "A"):
        return FunctionOperator(given, shape)
    raise ValueError(f"operator={given!r}; give an Operator, a function of images (n, c, h, w), or an object with A")


def measure(operator: Operator, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
    """Return A x. Raises ValueError, with the shape of the images, where the user's code fails."""
    try:
        with torch.no_grad():
            return operator(x)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(
            f"the operator fails on images of shape {tuple(x.shape)} ({type(error).__name__}: {error})"
        ) from error


def check_operator(operator: Operator, measurement: Float[Tensor, "r cy hy wy"]) -> None:
    """Raise ValueError unless the operator maps images of its `image_shape` to the shape of the measurement."""
    replicas, *measured = measurement.shape
    shape = operator.image_shape((measured[0], measured[1], measured[2]))
    found = measure(operator, measurement.new_zeros(replicas, *shape)).shape
    if found != measurement.shape:
        raise ValueError(
            f"the operator maps images of shape {(replicas, *shape)} to {tuple(found)}, the measurement has "
            f"{tuple(measurement.shape)}; define its image_shape (a function or physics: A_adjoint, or shape=...)"
        )


def check_rank(x: Tensor) -> Tensor:
    """Return the tensor itself; raise ValueError unless it has the four axes replica, channel, row, column."""
    if x.ndim != 4:
        raise ValueError(f"an operator takes replica, channel, row and column, got a tensor of shape {tuple(x.shape)}")
    return x
