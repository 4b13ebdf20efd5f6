"""A task: what was measured, the operator the fit looks through, and the energy E(x; x0)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dip_experiments.operators import Downsampler, Identity, Mask, Operator
from dip_experiments.tasks.degradations import (
    bernoulli_mask,
    box_mask,
    gaussian,
    jpeg,
    low_resolution,
    poisson,
    salt_and_pepper,
    speckle,
    text_mask,
)
from dip_experiments.tasks.targets import Target
from dip_experiments.tensors import generator, mean_squared_error

Image = Float[Tensor, "c h w"]
Known = Bool[Tensor, "c h w"]
Drawn = Bool[Tensor, "cm hm wm"]
Words = dict[str, Any]


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


def reconstruction(target: Target) -> Task:
    """Fit the target itself: A = I (the study of Fig. 2)."""
    return Task(target.signal, Identity(), target.reference)


def make_task(name: str, image: Image, seeds: Sequence[int], **options: Any) -> Task:
    """The restoration task called `name` from a picture, one realisation per replica; `options` as its function takes.

    The picture is the reference, unless the options say that it is degraded already: then nobody knows the clean one.
    """
    return TASKS[name](image, seeds, **options)


def denoising(image: Image, seeds: Sequence[int], noise: Words, noisy: Image | None = None) -> Task:
    """`noise`: its name and settings; `none` leaves the picture as it is, of `noisy25` the image comes as `noisy`."""
    settings = {name: value for name, value in noise.items() if name != "name"}
    if noise["name"] == "none":
        return Task(_repeated(image, seeds), Identity())
    if noisy is not None:
        return Task(_repeated(noisy, seeds), Identity(), _repeated(image, seeds))
    degrade = NOISES[noise["name"]]
    measurement = torch.stack([degrade(image, **settings, draws=_draws(seed)) for seed in seeds])
    return Task(measurement, Identity(), _repeated(image, seeds))


def jpeg_restoration(image: Image, seeds: Sequence[int], quality: int | None) -> Task:
    """Fit a JPEG of `quality` 1 to 100; None: the picture is one."""
    if quality is None:
        return Task(_repeated(image, seeds), Identity())
    return Task(_repeated(jpeg(image, quality), seeds), Identity(), _repeated(image, seeds))


def super_resolution(
    image: Image, seeds: Sequence[int], factor: int, lobes: int, source: Literal["original", "low_resolution"]
) -> Task:
    """`factor` times as many pixels a side. How the small image is made is not what the fit looks through: detail 7."""
    operator = Downsampler(factor, lobes)
    if source == "low_resolution":
        return Task(_repeated(image, seeds), operator)
    return Task(_repeated(low_resolution(image, factor), seeds), operator, _repeated(image, seeds))


def inpainting(image: Image, seeds: Sequence[int], mask: Words, drawn: Drawn | None = None) -> Task:
    """E = mean over *all* pixels of (m (x_hat - x))^2 (PAPER detail 8).

    `mask`: its name and settings; of `file`, `damage` and `authors` the values come as `drawn`, and `damage` has no
    reference.
    """
    settings = {name: value for name, value in mask.items() if name not in ("name", "path")}
    if mask["name"] == "bernoulli":
        known = torch.stack([bernoulli_mask(image, **settings, draws=_draws(seed)) for seed in seeds])
    else:
        one = SHAPES[mask["name"]](image, **settings) if drawn is None else _as_large_as(image, drawn)
        known = one.expand(len(seeds), *image.shape)
    clean, operator = _repeated(image, seeds), Mask(known)
    return Task(operator(clean), operator, None if mask["name"] == "damage" else clean)


def flash_no_flash(image: Image, seeds: Sequence[int], flash: str | None) -> Task:
    """Fit the image without flash (Fig. 10); the `flash` image is the fit's latent and leaves the energy alone."""
    return Task(_repeated(image, seeds), Identity())


SHAPES: dict[str, Callable[..., Known]] = {"box": box_mask, "text": text_mask}
NOISES: dict[str, Callable[..., Image]] = {
    "gaussian": gaussian,
    "speckle": speckle,
    "poisson": poisson,
    "salt_and_pepper": salt_and_pepper,
}
TASKS: dict[str, Callable[..., Task]] = {
    "denoising": denoising,
    "jpeg": jpeg_restoration,
    "super_resolution": super_resolution,
    "inpainting": inpainting,
    "flash_no_flash": flash_no_flash,
}


def _repeated(image: Image, seeds: Sequence[int]) -> Float[Tensor, "r c h w"]:
    return image.expand(len(seeds), *image.shape)


def _as_large_as(image: Image, drawn: Drawn) -> Known:
    if drawn.shape[1:] != image.shape[1:] or drawn.shape[0] not in (1, image.shape[0]):
        given, wanted = (" x ".join(map(str, shape)) for shape in (drawn.shape, image.shape))
        raise ValueError(
            f"mask of {given}, image of {wanted} (channels, rows, columns): it must be as large as the image"
        )
    return drawn.expand(image.shape)


def _draws(seed: int) -> torch.Generator:
    return generator(seed, "task")
