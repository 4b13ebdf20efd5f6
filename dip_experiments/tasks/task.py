"""A task: the measurement y, the operator A, and the reference where one is known."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.operators import Operator


@dataclass(frozen=True)
class Task:
    """A measurement y = A x + noise of each replica.

    `reference`: the clean image x where one is known; without it no quality is ever reported.
    """

    measurement: Float[Tensor, "r cy hy wy"]
    operator: Operator
    reference: Float[Tensor, "r c h w"] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Replicas, channels, rows and columns of the image that is fitted: the shape that A takes."""
        replicas, channels, rows, columns = self.measurement.shape
        return replicas, *self.operator.image_shape((channels, rows, columns))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Task":
        """Return the same task on another device and in another precision."""
        reference = None if self.reference is None else self.reference.to(device, dtype)
        return Task(self.measurement.to(device, dtype), self.operator.to(device, dtype), reference)
