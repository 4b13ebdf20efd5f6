"""Blur kernels: their settings, and the values that they are convolved with."""

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import AfterValidator, PositiveFloat, PositiveInt
from torch import Tensor

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.schema import HashContent, Part
from dip_experiments.tasks.extra_inputs import ExtraInputs, own

REACH = 3.0
"""Standard deviations at which a Gaussian kernel is cut off (ours)."""


class Kernel(Part):
    """A blur kernel of sum 1, of odd sides."""

    kind: ClassVar[str] = "task.kernel"

    def extra_inputs(self) -> dict[str, ExtraInput]:
        """Return the files that are read, by role."""
        return {}

    @abstractmethod
    def values(self, extra_inputs: ExtraInputs) -> Float[Tensor, "kh kw"]:
        """Return the kernel, in float64."""


class GaussianKernel(Kernel):
    """exp(-d^2 / (2 width^2)) at distance d; `width`: standard deviation in pixels."""

    name: Literal["gaussian"]
    width: PositiveFloat

    def values(self, extra_inputs: ExtraInputs) -> Float[Tensor, "kh kw"]:
        reach = math.ceil(REACH * self.width)
        profile = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / self.width) ** 2)
        kernel = torch.outer(profile, profile)
        return kernel / kernel.sum()


def odd(width: int) -> int:
    """Return the width itself. Raises ValueError unless it is odd."""
    if width % 2 == 0:
        raise ValueError(f"task.kernel.width={width}: must be odd, as the kernel's centre is a pixel")
    return width


class BoxKernel(Kernel):
    """The mean of `width` x `width` pixels, an odd number."""

    name: Literal["box"]
    width: Annotated[PositiveInt, AfterValidator(odd)]

    def values(self, extra_inputs: ExtraInputs) -> Float[Tensor, "kh kw"]:
        return torch.full((self.width, self.width), 1 / self.width**2, dtype=torch.float64)


class KernelFile(Kernel):
    """A picture of the kernel: its brightness, divided by its sum; both sides odd."""

    name: Literal["file"]
    path: Annotated[str, HashContent()]

    def extra_inputs(self) -> dict[str, ExtraInput]:
        return {"kernel": own(self.path, "task.kernel.path", "kernel")}

    def values(self, extra_inputs: ExtraInputs) -> Float[Tensor, "kh kw"]:
        kernel = extra_inputs["kernel"].double().mean(0)
        if not (kernel.shape[0] % 2 and kernel.shape[1] % 2 and kernel.sum() > 0):
            raise ValueError(
                f"task.kernel.path={self.path}: a kernel of {kernel.shape[0]} x {kernel.shape[1]} pixels and sum "
                f"{float(kernel.sum()):.3g}; both sides must be odd, and some pixel above 0"
            )
        return kernel / kernel.sum()
