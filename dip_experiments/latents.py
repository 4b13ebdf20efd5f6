"""Latents z, the inputs of the network: drawn once, or an image that it is shown (PAPER detail 1)."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from dip_experiments.schema import DefaultForHash, Part
from dip_experiments.tensors import generator, margins_around

Shape = tuple[int, int, int]
"""Channels, rows and columns."""
Latents = Float[Tensor, "r cz hz wz"]


class Latent(Part):
    """Latent of each replica: its values, and its changes during the fit.

    `scale`: factor of its values. `perturbation`: standard deviation added afresh in each iteration, in units of the
    latent. `jitter`: standard deviation of a relative change of z, made once and different for each replica even where
    they share all else. `optimise`: theta (the weights), z, both, or z with the parameters of norms alone (deep random
    projector, Li et al., CVPR 2023).
    """

    kind: ClassVar[str] = "latent"
    channels: PositiveInt
    scale: PositiveFloat
    perturbation: NonNegativeFloat
    jitter: Annotated[NonNegativeFloat, DefaultForHash(0.0)] = 0.0
    optimise: Literal["theta", "z", "both", "z_and_norms"]

    @abstractmethod
    def make(self, shape: Shape, seeds: Sequence[int], input_image: Float[Tensor, "#r c h w"] | None) -> Latents:
        """Return the latents, in float64.

        Args:
            shape: Channels, rows and columns that the network takes.
            seeds: One for each replica.
            input_image: The image that the network can be shown: the flash image or, where A = I, the measurement.

        Raises:
            ValueError: If no such latent has this shape.
        """

    def jittered(self, latent: Latents, seeds: Sequence[int]) -> Latents:
        """Return z (1 + jitter N(0, 1)), drawn for each replica from its own seed.

        A jitter near a number's precision changes only how a fit rounds: the difference between replicas that share
        all else is then that of rounding alone.
        """
        if not self.jitter:
            return latent
        draws = [
            torch.randn(latent.shape[1:], generator=generator(seed, "jitter"), dtype=latent.dtype) for seed in seeds
        ]
        return latent * (1 + self.jitter * torch.stack(draws))


class UniformNoise(Latent):
    """U(0, scale), drawn once."""

    name: Literal["noise"]

    def make(self, shape: Shape, seeds: Sequence[int], input_image: Float[Tensor, "#r c h w"] | None) -> Latents:
        drawn = [torch.rand(shape, generator=generator(seed, "latent"), dtype=torch.float64) for seed in seeds]
        return torch.stack(drawn) * self.scale


class NormalNoise(Latent):
    """N(0, scale^2), drawn once."""

    name: Literal["normal"]

    def make(self, shape: Shape, seeds: Sequence[int], input_image: Float[Tensor, "#r c h w"] | None) -> Latents:
        drawn = [torch.randn(shape, generator=generator(seed, "latent"), dtype=torch.float64) for seed in seeds]
        return torch.stack(drawn) * self.scale


class Meshgrid(Latent):
    """The coordinates of the pixels in [0, 1], in two channels."""

    name: Literal["meshgrid"]

    def make(self, shape: Shape, seeds: Sequence[int], input_image: Float[Tensor, "#r c h w"] | None) -> Latents:
        if shape[0] != 2:
            raise ValueError(f"latent=meshgrid has 2 channels, this architecture takes {shape[0]}; use latent=noise")
        return (coordinates(*shape[1:]) * self.scale).expand(len(seeds), *shape).clone()


class FourierFeatures(Latent):
    """sin(2 pi B v), then cos(2 pi B v), of each pixel's v = (column, row) in [0, 1], B ~ N(0, bandwidth^2).

    Tancik et al., Fourier Features Let Networks Learn High Frequency Functions, NeurIPS 2020. B is drawn once for each
    replica and has a row for each two channels.

    Attributes:
        bandwidth: In cycles per side of the picture.
    """

    name: Literal["fourier_features"]
    channels: Annotated[int, Field(gt=0, multiple_of=2)]
    bandwidth: PositiveFloat

    def make(self, shape: Shape, seeds: Sequence[int], input_image: Float[Tensor, "#r c h w"] | None) -> Latents:
        if shape[0] % 2:
            raise ValueError(
                f"latent=fourier_features has two channels for each frequency, this architecture takes {shape[0]}; use "
                "latent=noise"
            )
        grid, count = coordinates(*shape[1:]), shape[0] // 2
        drawn = [torch.randn(count, 2, generator=generator(seed, "latent"), dtype=torch.float64) for seed in seeds]
        phases = torch.einsum("rfv,vhw->rfhw", 2 * torch.pi * self.bandwidth * torch.stack(drawn), grid)
        return torch.cat([phases.sin(), phases.cos()], 1) * self.scale


class ShownImage(Latent):
    """An image that the network is shown, its border repeated where z is larger.

    The flash image (Fig. 10); the measurement y (Jo et al. 2021); or A^T y, which is as large as the image whatever A
    is (Alkhouri et al. 2024), times the factor that brings A A^T y closest to y (ours).
    """

    name: Literal["flash", "measurement", "adjoint"]

    def make(self, shape: Shape, seeds: Sequence[int], input_image: Float[Tensor, "#r c h w"] | None) -> Latents:
        if input_image is None:
            raise ValueError(f"latent={self.name} without a {self.name} image; use it with task=flash_no_flash")
        check_shown(f"latent={self.name}: the {self.name} image", input_image, shape)
        return (framed(input_image, shape) * self.scale).expand(len(seeds), *shape).clone()


def check_shown(subject: str, image: Float[Tensor, "#r c h w"], shape: Shape) -> None:
    """Raise ValueError, about the subject, where an image cannot be the latent of that shape."""
    channels, rows, columns = image.shape[1:]
    if shape[1] < rows or shape[2] < columns:
        raise ValueError(
            f"{subject} has {rows} x {columns} pixels, the latent of this architecture {shape[1]} x "
            f"{shape[2]}; use one that takes a latent as large as the image, such as skip"
        )
    if channels != shape[0]:
        raise ValueError(
            f"{subject} has {channels} channels, this architecture takes {shape[0]}; set latent.channels={channels}"
        )


def framed(image: Float[Tensor, "#r c h w"], shape: Shape) -> Float[Tensor, "#r c hz wz"]:
    """Return an image in the middle of a latent of that shape, its border repeated around it."""
    return F.pad(image, margins_around(shape[1] - image.shape[2], shape[2] - image.shape[3]), mode="replicate")


def within(latent: Latents, image: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cz h w"]:
    """Return the middle of a latent, of the size of an image: what `framed` puts around it is left out."""
    left, _, top, _ = margins_around(latent.shape[2] - image.shape[2], latent.shape[3] - image.shape[3])
    return latent[:, :, top : top + image.shape[2], left : left + image.shape[3]]


def coordinates(rows: int, columns: int) -> Float[Tensor, "2 h w"]:
    """Return column and row of each pixel, from 0 to 1, in float64."""
    down, across = (torch.linspace(0, 1, side, dtype=torch.float64) for side in (rows, columns))
    return torch.stack(torch.meshgrid(across, down, indexing="xy"))
