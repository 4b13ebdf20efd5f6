"""Any module or function that makes one as a network of several replicas."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dip_experiments.architectures.network import Network
from dip_experiments.tensors import Margins, derive_seed, margins_around

Maker = Callable[[], nn.Module]


class ModuleNetwork(Network):
    """R modules of a user's own, one for each replica, called on latents (1, cz, h, w) one after the other.

    The image is the middle of a module's output, which may be larger. Modules stay in training mode: batch
    normalisation uses the statistics of the image, as in the paper. Before each run the global generator is seeded
    by the replica's seed and the number of runs, which is saved and restored with the weights, and it is left as it
    was: dropout goes on as if a fit had not been interrupted.

    Args:
        make: Return a new module, initialised from PyTorch's global generator.
        latent_shape: Channels, rows and columns of the latent.
        image_shape: Channels, rows and columns of the image.
        replicas: How many modules.
    """

    recordable: ClassVar[bool] = False
    seeds: Int[Tensor, " r"]
    runs: Int[Tensor, " r"]

    def __init__(
        self, make: Maker, latent_shape: tuple[int, int, int], image_shape: tuple[int, int, int], replicas: int = 1
    ) -> None:
        super().__init__(latent_shape, replicas)
        self.members = nn.ModuleList(make() for _ in range(replicas))
        self.margins = margins_of(self.members[0], latent_shape, image_shape)
        self.register_buffer("seeds", torch.full((replicas,), torch.initial_seed() >> 1))
        self.register_buffer("runs", torch.zeros(replicas, dtype=torch.long))

    def forward_replicas(self, z: Float[Tensor, "1 rcz hz wz"]) -> Float[Tensor, "1 rc h w"]:
        images = [self._run(r, latent) for r, latent in enumerate(z.chunk(self.replicas, dim=1))]
        return torch.cat(images, dim=1)

    def _run(self, replica: int, z: Tensor) -> Tensor:
        """Run one module, with the global generator seeded for it."""
        if z.is_meta:
            return self.members[replica](z)
        devices = [z.device] if z.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(derive_seed(int(self.seeds[replica]), f"network/{int(self.runs[replica])}"))
            self.runs[replica] += 1
            image: Tensor = self.members[replica](z)
        return image

    def convolution_weights(self, replica: int) -> Iterator[Tensor]:
        for module in self.members[replica].modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                yield module.weight

    @torch.no_grad()
    def take_weights(self, singles: Sequence[Network]) -> None:
        for replica, single in enumerate(singles):
            self.seeds[replica] = single.get_buffer("seeds")[0]
            self.members[replica].load_state_dict(single.get_submodule("members.0").state_dict())


@cache
def adapted(source: Any) -> type[ModuleNetwork]:
    """Return a network class whose replicas are modules that a class or function makes.

    Args:
        source: Takes those of `input_channels`, `output_channels` and `size` (rows, columns) that it names, and the
            settings below `architecture`.
    """
    names = inspect.signature(source).parameters

    class Adapted(ModuleNetwork):
        made_of: ClassVar[Any] = staticmethod(source)

        def __init__(
            self, input_channels: int, output_channels: int, size: tuple[int, int], replicas: int = 1, **arguments: Any
        ) -> None:
            given = {"input_channels": input_channels, "output_channels": output_channels, "size": tuple(size)}
            arguments = {**{name: value for name, value in given.items() if name in names}, **arguments}
            super().__init__(lambda: source(**arguments), (input_channels, *size), (output_channels, *size), replicas)

    Adapted.__name__ = Adapted.__qualname__ = source.__name__
    Adapted.__module__ = source.__module__
    return Adapted


def margins_of(module: nn.Module, latent_shape: tuple[int, int, int], image_shape: tuple[int, int, int]) -> Margins:
    """Return the margins around the image in a module's output.

    Raises:
        ValueError: If the output is no image of as many channels, or too small.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        before = {name: value.clone() for name, value in module.state_dict().items()}
        try:
            output: Any = module(torch.zeros(1, *latent_shape, dtype=_dtype(module)))
        except Exception as error:  # whatever the user's code raises
            raise ValueError(
                f"{type(module).__name__}: fails on a latent of shape {(1, *latent_shape)} "
                f"({type(error).__name__}: {error})"
            ) from error
        module.load_state_dict(before)
    wanted = f"an image of {image_shape[0]} channels and at least {image_shape[1]} x {image_shape[2]} pixels"
    if not isinstance(output, Tensor) or output.ndim != 4 or output.shape[1] != image_shape[0]:
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"{type(module).__name__}: returns {found} for a latent {(1, *latent_shape)}, not {wanted}")
    down, across = output.shape[2] - image_shape[1], output.shape[3] - image_shape[2]
    if min(down, across) < 0:
        raise ValueError(f"{type(module).__name__}: returns an image of shape {tuple(output.shape)}, not {wanted}")
    return margins_around(down, across)


def _dtype(module: nn.Module) -> torch.dtype:
    return next((parameter.dtype for parameter in module.parameters()), torch.get_default_dtype())
