"""Operators made of a function or of a deepinv physics."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dip_experiments.operators.built_in import Identity
from dip_experiments.operators.operator import Operator, check_rank
from dip_experiments.tensors import generator


class FunctionOperator(Operator):
    """An operator made of any callable on tensors (n, c, h, w), or of a deepinv physics.

    A physics computes in the precision that its buffers have; values are converted before and after.

    Args:
        function: x -> y. An object with a method `A` is called by that, without noise, and its `A_adjoint`, if it has
            one, is the adjoint; else the adjoint is that of automatic differentiation.
        shape: Channels, rows and columns of the image. None: found by `A_adjoint`, else that of the measurement.
    """

    def __init__(self, function: Any, shape: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self.function = function  # a module's buffers move with the operator
        self.apply_function: Callable[[Tensor], Tensor] = getattr(function, "A", function)
        self.apply_adjoint: Callable[[Tensor], Tensor] | None = getattr(function, "A_adjoint", None)
        self.shape = shape

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
        return self._convert(self.apply_function, x)

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the shape that was given, that of A^T 0, or that of the measurement.

        Raises:
            ValueError: Where `A_adjoint` fails or gives no image.
        """
        if self.shape is not None or self.apply_adjoint is None:
            return self.shape or measured
        buffer = self._buffer()
        zero = torch.zeros(1, *measured, device=None if buffer is None else buffer.device)
        try:
            channels, rows, columns = self._convert(self.apply_adjoint, zero).shape[1:]
        except Exception as error:  # whatever the user's code raises
            raise ValueError(
                f"A_adjoint finds no image (n, c, h, w) for a measurement of shape {tuple(zero.shape)} "
                f"({type(error).__name__}: {error}); give a measurement of this operator, or image_shape"
            ) from error
        self.shape = (channels, rows, columns)
        return self.shape

    def adjoint(self, y: Float[Tensor, "r cy hy wy"]) -> Float[Tensor, "r c h w"]:
        return super().adjoint(y) if self.apply_adjoint is None else self._convert(self.apply_adjoint, y)

    def measured(self, y: Float[Tensor, "r cy hy wy"]) -> Bool[Tensor, "r cy hy wy"]:
        """Return False for values that a linear A makes 0 of random numbers: k-space not sampled, missing pixels.

        Unless the physics has no `mask` and y is not 0: a ray past the object is measured, and its value is noise.
        """
        if self.apply_adjoint is None:
            return super().measured(y)
        channels, rows, columns = check_rank(y).shape[1:]
        shape = self.image_shape((channels, rows, columns))
        x = torch.rand(1, *shape, generator=generator(0, "operator"), dtype=torch.float64).to(y)
        seen = self(x).ne(0)
        masked = getattr(self.function, "mask", None) is not None
        return seen.expand_as(y) if masked else seen | y.ne(0)

    def _buffer(self) -> Tensor | None:
        """Return the first floating-point parameter or buffer of a physics, None without one."""
        if not (isinstance(self.function, nn.Module) and hasattr(self.function, "A")):
            return None
        return next((t for t in chain(self.parameters(), self.buffers()) if t.is_floating_point()), None)

    def _convert(self, function: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """Apply a function in the precision of the physics. Raises where it returns no tensor of as many images."""
        buffer = self._buffer()
        found = function(given if buffer is None else given.to(buffer.dtype))
        if not isinstance(found, Tensor):
            raise TypeError(f"it returns {type(found).__name__}, a tensor (n, c, h, w) is wanted")
        if len(found) != len(given):
            raise ValueError(
                f"{len(found)} results for {len(given)} given, as with parameters for each image of a batch; in a data "
                "loader use batch_size=1"
            )
        return found if buffer is None else found.to(given.dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Move the buffers of a physics, which stay in their precision; move or convert those of another module."""
        if self._buffer() is None:
            return super()._apply(fn, recurse)
        return super()._apply(lambda t: t.to(fn(t.new_empty(0, dtype=torch.float32)).device), recurse)


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
    if hasattr(given, "dtype"):
        raise ValueError(f"operator: an array of {given.dtype}; a mask has bools, True where y is known: use mask > 0")
    raise ValueError(f"operator={given!r}; give an Operator, a function of images (n, c, h, w), or an object with A")
