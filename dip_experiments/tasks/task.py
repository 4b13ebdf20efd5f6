"""A task: what was measured, the operator the fit looks through, and the energy E(x; x0)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.operators import Operator
from dip_experiments.tensors import mean_squared_error


@dataclass(frozen=True)
class Task:
    """E(x; x0) = mean (A x - x0)^2 over all elements (Ulyanov et al. 2018, Eq. 1), one energy per replica.

    `reference` is the clean image where one is known; without it no quality is ever reported.
    """

    measurement: Float[Tensor, "r c hy wy"]
    operator: Operator
    reference: Float[Tensor, "r c h w"] | None = None

    def loss(self, x_hat: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
        """The energy of each replica's image."""
        return mean_squared_error(self.operator(x_hat), self.measurement)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Replicas, channels, rows and columns of the image that is fitted: what A takes."""
        replicas, channels, height, width = self.operator.adjoint(self.measurement).shape
        return replicas, channels, height, width

    def to(self, device: torch.device, dtype: torch.dtype) -> "Task":
        """The same task on another device and in another precision."""
        reference = None if self.reference is None else self.reference.to(device, dtype)
        return Task(self.measurement.to(device, dtype), self.operator.to(device, dtype), reference)
