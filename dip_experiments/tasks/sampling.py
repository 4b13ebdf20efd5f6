"""Random draws of a task or a target: a sample for each replica, from the replica's own seed."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.tensors import generator

Image = Float[Tensor, "c h w"]


def sample_per_seed(drawn: Callable[[torch.Generator], Tensor], seeds: Sequence[int], source: str) -> Tensor:
    """Draw one tensor for each seed, replica first. `source`: the name of the stream, `task` or `target`."""
    return torch.stack([drawn(generator(seed, source)) for seed in seeds])


def repeat_per_seed(image: Tensor, seeds: Sequence[int]) -> Tensor:
    """Repeat the same for each seed, replica first."""
    return image.expand(len(seeds), *image.shape)


def normal(image: Image, draws: torch.Generator) -> Image:
    """Draw N(0, 1) of the image's shape, in float64: a sample does not depend on the image's precision."""
    return torch.randn(image.shape, generator=draws, dtype=torch.float64).to(image)


def uniform(channels: int, image: Image, draws: torch.Generator) -> Float[Tensor, "cu h w"]:
    """Draw U(0, 1) in so many channels of the image's size, in float64."""
    return torch.rand(channels, *image.shape[1:], generator=draws, dtype=torch.float64).to(image.device)
