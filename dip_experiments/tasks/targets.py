"""Target signals x0 of the impedance study (Ulyanov et al. 2018, Fig. 2): their settings, and a sample per replica.

The signal is what is fitted; the reference is the clean image behind it, None without one.
"""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.schema import Part, Sigma
from dip_experiments.tasks.noise import Gaussian
from dip_experiments.tasks.sampling import Image, repeat_per_seed, sample_per_seed

Images = Float[Tensor, "r c h w"]


class Target(Part):
    """The signal made of an image "c h w" in [0, 1] that is fitted."""

    kind: ClassVar[str] = "target"

    @abstractmethod
    def draw(self, image: Image, draws: torch.Generator) -> Image:
        """Draw the signal."""

    def signal(self, image: Image, seeds: Sequence[int]) -> Images:
        """Return the signal of each replica."""
        return sample_per_seed(partial(self.draw, image), seeds, "target")

    @abstractmethod
    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        """Return the clean image of each replica."""


class Natural(Target):
    """The image itself."""

    name: Literal["natural"]

    def draw(self, image: Image, draws: torch.Generator) -> Image:
        return image

    def reference(self, image: Image, seeds: Sequence[int]) -> Images:
        return repeat_per_seed(image, seeds)


class Noisy(Target):
    """Image + N(0, (sigma / 255)^2), clipped to [0, 1] or not; `sigma` is in grey levels of 255."""

    name: Literal["noisy"]
    sigma: Sigma
    clip: bool

    def draw(self, image: Image, draws: torch.Generator) -> Image:
        return Gaussian(name="gaussian", sigma=self.sigma, clip=self.clip).apply(image, draws)

    def reference(self, image: Image, seeds: Sequence[int]) -> Images:
        return repeat_per_seed(image, seeds)


class Shuffled(Target):
    """The image with its pixels permuted, the same permutation for all channels."""

    name: Literal["shuffled"]

    def draw(self, image: Image, draws: torch.Generator) -> Image:
        order = torch.randperm(image.shape[1] * image.shape[2], generator=draws)
        return image.flatten(1)[:, order].view_as(image)

    def reference(self, image: Image, seeds: Sequence[int]) -> None:
        return None


class PureNoise(Target):
    """U(0, 1), independent in every pixel and channel, of the image's shape."""

    name: Literal["noise"]

    def draw(self, image: Image, draws: torch.Generator) -> Image:
        return torch.rand(image.shape, generator=draws, dtype=torch.float64).to(image)

    def reference(self, image: Image, seeds: Sequence[int]) -> None:
        return None
