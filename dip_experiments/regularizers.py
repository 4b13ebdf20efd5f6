"""Explicit priors R(x) that are added to the data term (Ulyanov et al. 2018, Eq. 1)."""

from abc import abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Float
from pydantic import NonNegativeFloat
from torch import Tensor

from dip_experiments.schema import Part
from dip_experiments.tensors import total_variation


class Regularizer(Part):
    """An explicit prior, its weight included. Subclass it for a regularizer of your own."""

    kind: ClassVar[str] = "regularizer"

    @property
    def is_zero(self) -> bool:
        """True if it adds nothing, so that it is not computed."""
        return False

    @abstractmethod
    def __call__(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
        """Return R(x) of each replica's output."""


class NoRegularizer(Regularizer):
    """R = 0: the network is the prior."""

    name: Literal["none"]

    @property
    def is_zero(self) -> bool:
        return True

    def __call__(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
        return x.new_zeros(len(x))


NO_REGULARIZER = NoRegularizer(name="none")


class TotalVariation(Regularizer):
    """`weight` times the mean isotropic total variation, see `tensors.total_variation`."""

    name: Literal["tv"]
    weight: NonNegativeFloat

    @property
    def is_zero(self) -> bool:
        return self.weight == 0

    def __call__(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
        return self.weight * total_variation(x)
