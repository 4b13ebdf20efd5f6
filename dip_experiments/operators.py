"""Linear measurement operators A: what the fitted image is compared through."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dip_experiments.tensors import decimate, lanczos_kernel

FACTORS, LOBES = (2, 4, 8), (2, 3)


class Operator(nn.Module, ABC):
    """Linear and deterministic A with its adjoint: <A x, y> = <x, A^T y>. Holds buffers, never parameters."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c hy wy"]:
        """A x."""

    @abstractmethod
    def adjoint(self, y: Float[Tensor, "r c hy wy"]) -> Float[Tensor, "r c h w"]:
        """A^T y."""

    @property
    def is_identity(self) -> bool:
        """Whether A = I, so that an error of A f is an error of the image f."""
        return False

    def __matmul__(self, first: "Operator") -> "Operator":
        """self @ first: first one, then the other."""
        return Composed(self, first)


class Composed(Operator):
    """A B: x goes through B first. (A B)^T = B^T A^T."""

    def __init__(self, last: Operator, first: Operator) -> None:
        super().__init__()
        self.last, self.first = last, first

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c hy wy"]:
        return self.last(self.first(x))

    def adjoint(self, y: Float[Tensor, "r c hy wy"]) -> Float[Tensor, "r c h w"]:
        return self.first.adjoint(self.last.adjoint(y))

    @property
    def is_identity(self) -> bool:
        return self.last.is_identity and self.first.is_identity


class Identity(Operator):
    """A = I: the whole image is measured."""

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


class Downsampler(Operator):
    """A x = (x * k) at every `factor`-th pixel (2, 4, 8), k the Lanczos kernel of 2 or 3 `lobes` (PAPER detail 7).

    A convolution at stride `factor`, phase 0.5, borders replicated, each channel on its own.
    """

    kernel: Float[Tensor, "k k"]

    def __init__(self, factor: int, lobes: int) -> None:
        super().__init__()
        if factor not in FACTORS or lobes not in LOBES:
            raise ValueError(f"downsampling by {factor} with Lanczos-{lobes}; factors are {FACTORS}, lobes {LOBES}")
        self.factor = factor
        self.register_buffer("kernel", lanczos_kernel(factor, lobes))

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c hy wy"]:
        height, width = check_rank(x).shape[2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"downsampling by {self.factor} of {height} x {width} pixels; crop both to multiples of {self.factor}"
            )
        return decimate(x, self.kernel, self.factor)

    def adjoint(self, y: Float[Tensor, "r c hy wy"]) -> Float[Tensor, "r c h w"]:
        # A is linear: its adjoint is the pull-back of any point, so also of 0.
        replicas, channels, height, width = check_rank(y).shape
        zero = y.new_zeros(replicas, channels, height * self.factor, width * self.factor)
        return torch.func.vjp(self.forward, zero)[1](y)[0]


def check_rank(x: Tensor) -> Tensor:
    """The tensor itself; raises ValueError unless it has the four axes replica, channel, row, column."""
    if x.ndim != 4:
        raise ValueError(f"an operator takes replica, channel, row and column, got a tensor of shape {tuple(x.shape)}")
    return x
