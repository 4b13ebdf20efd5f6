"""Target signals x0 of the impedance study (Ulyanov et al. 2018, Fig. 2), one realisation per replica."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.tasks.degradations import gaussian
from dip_experiments.tensors import generator

Image = Float[Tensor, "c h w"]


@dataclass(frozen=True)
class Target:
    """`signal`: the x0 to be fitted; `reference`: the clean image behind it, None where there is none."""

    signal: Float[Tensor, "r c h w"]
    reference: Float[Tensor, "r c h w"] | None


def natural(image: Image, seeds: Sequence[int]) -> Target:
    """The image itself."""
    signal = image.expand(len(seeds), *image.shape)
    return Target(signal, reference=signal)


def noisy(image: Image, seeds: Sequence[int], sigma: float, clip: bool) -> Target:
    """Image + N(0, (sigma / 255)^2), clipped to [0, 1] or not; `sigma` is in grey levels of 255."""
    signal = torch.stack([gaussian(image, sigma, clip, _draws(seed)) for seed in seeds])
    return Target(signal, reference=natural(image, seeds).signal)


def shuffled(image: Image, seeds: Sequence[int]) -> Target:
    """The image with its pixels permuted, the same permutation for all channels. No clean image lies behind it."""
    pixels = image.shape[1] * image.shape[2]
    orders = [torch.randperm(pixels, generator=_draws(seed)) for seed in seeds]
    return Target(torch.stack([image.flatten(1)[:, order].view_as(image) for order in orders]), reference=None)


def noise(image: Image, seeds: Sequence[int]) -> Target:
    """U(0, 1), independent in every pixel and channel, of the image's shape."""
    drawn = torch.stack([torch.rand(image.shape, generator=_draws(seed), dtype=torch.float64) for seed in seeds])
    return Target(drawn.to(image), reference=None)


TARGETS: dict[str, Callable[..., Target]] = {
    "natural": natural,
    "noisy": noisy,
    "shuffled": shuffled,
    "noise": noise,
}


def make_target(name: str, image: Image, seeds: Sequence[int], **options: Any) -> Target:
    """The target called `name` for replicas of the given seeds; `options` as its function takes them."""
    return TARGETS[name](image, seeds, **options)


def _draws(seed: int) -> torch.Generator:
    return generator(seed, "target")
