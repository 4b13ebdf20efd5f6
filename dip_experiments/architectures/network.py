"""Base class of all architectures: R independent networks held as one, from latents to images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dip_experiments.tensors import Margins, derive_seed, margins_around

T = TypeVar("T")
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)
"""Norms that may have parameters."""


class TooSmall(ValueError):
    """The image has no room for the network's scales."""


class Network(nn.Module, ABC):
    """f_theta: z -> x_hat, R independent replicas side by side.

    Inside, the replicas lie next to each other in the channels ("1 (r c) h w") and every convolution has `groups=R`;
    batch normalisation is per channel, so no replica sees another one. At the doors a replica is an item ("r c h w").
    What is computed may be larger than the image: the image is what lies inside `margins`, as `padded` gives them.
    `names`: what it is called in conf/architecture, the first in a run's name; empty for those of other packages.
    `per_scale`: arguments that may be lists with an entry per scale, fine to coarse, and can do with fewer.
    `neutral`: arguments that came later, and the value at which they leave the run id.
    `recordable`: an iteration can be recorded in a CUDA graph.
    """

    names: ClassVar[tuple[str, ...]] = ()
    per_scale: ClassVar[tuple[str, ...]] = ()
    neutral: ClassVar[Mapping[str, object]] = MappingProxyType({})
    recordable: ClassVar[bool] = True
    made_of: ClassVar[Any] = None
    """The user's class or function that makes its modules, of a class made by `module_adapter`."""

    def __init__(self, latent_shape: tuple[int, int, int], replicas: int, margins: Margins = (0, 0, 0, 0)) -> None:
        super().__init__()
        if replicas < 1:
            raise ValueError(f"replicas={replicas}: at least 1 network is needed")
        self.latent_shape = latent_shape
        self.margins = margins
        self.replicas = replicas

    def forward(self, z: Float[Tensor, "r cz hz wz"]) -> Float[Tensor, "r c h w"]:
        """Return images in [0, 1], one per latent."""
        x_hat = self.forward_replicas(z.flatten(0, 1).unsqueeze(0))
        left, right, top, bottom = self.margins
        return F.pad(x_hat.squeeze(0).unflatten(0, (self.replicas, -1)), (-left, -right, -top, -bottom))

    @staticmethod
    def finest(values: list[T], count: int) -> list[T]:
        """Return so many entries of a `per_scale` list, without those of the deepest scales."""
        return values[:count]

    def choose_trained(self, optimise: str) -> None:
        """Let a fit change the parameters that `latent.optimise` names, and compute no gradients of the others."""
        self.requires_grad_(optimise in ("theta", "both"))
        if optimise == "z_and_norms":
            for parameter in self.norm_parameters():
                parameter.requires_grad_(True)

    def norm_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the scales and shifts of all norms."""
        for module in self.modules():
            if isinstance(module, NORMS):
                yield from module.parameters()

    def plain(self) -> "Network":
        """Return the same network by its definition, of the same weights, for what a faster evaluation cannot do."""
        return self

    @abstractmethod
    def forward_replicas(self, z: Float[Tensor, "1 rcz hz wz"]) -> Float[Tensor, "1 rc h w"]:
        """Return the images with the replicas in the channels."""

    def convolution_weights(self, replica: int) -> Iterator[Tensor]:
        """Yield the weights of one replica's convolutions, in place."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                yield module.weight.chunk(self.replicas)[replica]

    @torch.no_grad()
    def take_weights(self, singles: Sequence["Network"]) -> None:
        """Copy the weights of as many networks of one replica each."""
        for name, parameter in self.named_parameters():
            parameter.copy_(torch.cat([single.get_parameter(name) for single in singles]))


def padded(size: tuple[int, int], scales: int, smallest: int) -> tuple[tuple[int, int], Margins]:
    """Return the sizes of a network that halves its input `scales` times: (rows and columns computed, margins cut off).

    Both sides are the next multiples of 2^scales, and the image of `size` lies in the middle. Raises TooSmall for an
    image that has fewer than `smallest` pixels a side at the bottom.
    """
    multiple = 2**scales
    if min(size) < smallest * multiple:
        needed, fewer = (
            ("a network of one scale needs", "") if scales == 1 else (f"{scales} scales need", ", or use fewer scales")
        )
        raise TooSmall(
            f"image of {size[0]} x {size[1]} pixels: {needed} at least {smallest * multiple} a side; "
            f"give a larger picture{fewer}"
        )
    down, across = (-side % multiple for side in size)
    return (size[0] + down, size[1] + across), margins_around(down, across)


def build_replicas(build: Callable[[int], Network], seeds: Sequence[int]) -> Network:
    """Return one network of R = len(seeds) replicas; replica r has the weights that `build(1)` draws under seeds[r].

    `build(replicas)` makes the network. PyTorch's own initialisation (PAPER detail 3) reads the global generator,
    which is left as it was found.
    """
    singles = [_seeded(lambda: build(1), derive_seed(seed, "init")) for seed in seeds]
    network = _seeded(lambda: build(len(seeds)), 0)
    network.take_weights(singles)
    return network


def _seeded(build: Callable[[], Network], seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
