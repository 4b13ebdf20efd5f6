"""Noises: their words, and how each makes an image "c h w" in [0, 1] noisy."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, Field, PositiveFloat
from torch import Tensor

from dip_experiments.data.pictures import Companion
from dip_experiments.schema import Group, Share, Sigma, chosen_with_slash
from dip_experiments.tasks.choices import kinds
from dip_experiments.tasks.companions import Companions, published
from dip_experiments.tasks.sampling import Image, normal, realised, repeated, uniform
from dip_experiments.tensors import gamma_values

Images = Float[Tensor, "r c h w"]
MOST_PHOTONS = 1e9
"""At white: noise of 0.008 grey levels of 255 there, which is none; counts near 2^63 would overflow."""


class AnyNoise(Group):
    """How a noisy picture comes about."""

    def companions(self, picture: str) -> dict[str, Companion]:
        """What it reads besides the picture of that name."""
        return {}

    @abstractmethod
    def measured(self, image: Image, seeds: Sequence[int], companions: Companions) -> Images:
        """The noisy image of each replica."""

    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        """The clean image of each replica, None where nobody knows it."""
        return repeated(image, seeds)


class AddedNoise(AnyNoise):
    """Noise that is drawn."""

    @abstractmethod
    def apply(self, image: Image, draws: torch.Generator) -> Image:
        """A noisy image."""

    def measured(self, image: Image, seeds: Sequence[int], companions: Companions) -> Images:
        return realised(partial(self.apply, image), seeds, "task")


class Gaussian(AddedNoise):
    """x + N(0, (sigma / 255)^2), clipped to [0, 1] or not, never quantised (PAPER detail 4)."""

    name: Literal["gaussian"]
    sigma: Sigma
    clip: bool

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        noisy = image + normal(image, draws) * (self.sigma / 255)
        return noisy.clamp(0, 1) if self.clip else noisy


class GreyGaussian(AddedNoise):
    """x + N(0, (sigma / 255)^2), the same in all channels, not clipped (as in Heckel & Hand's public code)."""

    name: Literal["grey_gaussian"]
    sigma: Sigma

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return image + normal(image[:1], draws) * (self.sigma / 255)


class BlurredGaussian(AddedNoise):
    """x + noise of standard deviation sigma / 255 that neighbours share, not clipped.

    White noise on the torus, smoothed by a Gaussian of `radius` pixels standard deviation, and brought back to sigma.
    """

    name: Literal["blurred_gaussian"]
    sigma: Sigma
    radius: PositiveFloat

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64) for side in image.shape[1:])
        response = torch.exp(-2 * (torch.pi * self.radius) ** 2 * (rows[:, None] ** 2 + columns**2))
        response = response / response.square().mean().sqrt()
        smooth = torch.fft.ifft2(torch.fft.fft2(normal(image.double(), draws)) * response).real
        return image + smooth.to(image) * (self.sigma / 255)


class Gamma(AddedNoise):
    """x s with s of Gamma's law, mean 1, variance 1 / looks: speckle of a multi-look image (Goodman 1976)."""

    name: Literal["gamma"]
    looks: Annotated[float, Field(gt=0, le=MOST_PHOTONS)]

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return image * gamma_values(self.looks, image.double(), draws).div(self.looks).to(image)


class Speckle(AddedNoise):
    """x (1 + N(0, (sigma / 255)^2)), not clipped: `sigma` grey levels where the image is white, none where black."""

    name: Literal["speckle"]
    sigma: Sigma

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return image + image * normal(image, draws) * (self.sigma / 255)


class Poisson(AddedNoise):
    """Poisson(peak x) / peak, not clipped: mean x, variance x / peak. `peak`: photons expected at white."""

    name: Literal["poisson"]
    peak: Annotated[float, Field(gt=0, le=MOST_PHOTONS)]

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return (torch.poisson(image.double() * self.peak, generator=draws) / self.peak).to(image)


class SaltAndPepper(AddedNoise):
    """`fraction` of the pixels white or black with equal chance, in all channels at once."""

    name: Literal["salt_and_pepper"]
    fraction: Share

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        drawn = uniform(1, image, draws)
        return torch.where(drawn < self.fraction, (drawn < self.fraction / 2).to(image), image)


class AuthorsNoise(AnyNoise):
    """The noisy image that the authors published for the picture."""

    name: Literal["noisy25"]

    def companions(self, picture: str) -> dict[str, Companion]:
        return {"noisy": published(picture, "task/noise=noisy25", "task/noise=gaussian", "noisy25")}

    def measured(self, image: Image, seeds: Sequence[int], companions: Companions) -> Images:
        return repeated(companions["noisy"], seeds)


class NoNoise(AnyNoise):
    """The picture is noisy already."""

    name: Literal["none"]

    def measured(self, image: Image, seeds: Sequence[int], companions: Companions) -> Images:
        return repeated(image, seeds)

    def reference(self, image: Image, seeds: Sequence[int]) -> None:
        return None


Kinds = Gaussian | GreyGaussian | BlurredGaussian | Gamma | Speckle | Poisson | SaltAndPepper | AuthorsNoise | NoNoise


def in_full(words: Any) -> Any:
    """`task.noise=none` in full. Raises ValueError for a word that says too little."""
    if not isinstance(words, str):
        return words
    known = kinds(Kinds)
    if words not in known:
        raise chosen_with_slash("task.noise", words, f", with one of {', '.join(known)}")
    if set(known[words].model_fields) != {"name"}:
        raise chosen_with_slash("task.noise", words)
    return {"name": words}


Noise = Annotated[Kinds, Field(discriminator="name"), BeforeValidator(in_full)]
"""Every noise, told apart by `name`."""
