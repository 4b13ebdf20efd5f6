"""Linear measurement operators A: what the fitted image is compared through."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Operator(nn.Module, ABC):
    """Linear and deterministic A with its adjoint: <A x, y> = <x, A^T y>. Holds buffers, never parameters."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c hy wy"]:
        """A x."""

    @abstractmethod
    def adjoint(self, y: Float[Tensor, "r c hy wy"]) -> Float[Tensor, "r c h w"]:
        """A^T y."""


class Identity(Operator):
    """A = I: the whole image is measured."""

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return check_rank(x)

    def adjoint(self, y: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return check_rank(y)


def check_rank(x: Tensor) -> Tensor:
    """The tensor itself; raises ValueError unless it has the four axes replica, channel, row, column."""
    if x.ndim != 4:
        raise ValueError(f"an operator takes replica, channel, row and column, got a tensor of shape {tuple(x.shape)}")
    return x
