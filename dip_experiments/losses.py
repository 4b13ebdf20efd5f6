"""Data terms E(A f; y) that compare what the operator makes of the output with the measurement."""

from abc import abstractmethod
from typing import ClassVar, Literal

import torch.nn.functional as F
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from dip_experiments.schema import Part
from dip_experiments.tensors import mean_squared_error

Measured = Float[Tensor, "r c hy wy"]
PerReplica = Float[Tensor, " r"]


class Loss(Part):
    """A data term: the mean of an error over all values of the measurement, one number for each replica.

    Subclass it for a loss of your own. Where a mask hides values, both arguments are 0.
    """

    kind: ClassVar[str] = "loss"

    @abstractmethod
    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        """Return the loss of each replica.

        Args:
            fitted: A f, the operator applied to the output.
            measurement: y.
        """


class MeanSquaredError(Loss):
    """mean (A f - y)^2 (Ulyanov et al. 2018, Eq. 3)."""

    name: Literal["mse"]

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        return mean_squared_error(fitted, measurement)


MSE = MeanSquaredError(name="mse")


class L1(Loss):
    """mean |A f - y|: outliers such as salt and pepper count less."""

    name: Literal["l1"]

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        return (fitted - measurement).abs().flatten(1).mean(1)


class Huber(Loss):
    """d^2 / 2 where |d| = |A f - y| is at most `delta`, delta (|d| - delta / 2) elsewhere; the mean of it (Huber 1964).

    `delta`: in units of the image, whose range is 1.
    """

    name: Literal["huber"]
    delta: PositiveFloat

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        values: Tensor = F.huber_loss(fitted, measurement, reduction="none", delta=self.delta)
        return values.flatten(1).mean(1)
