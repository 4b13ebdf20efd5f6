"""Noises: their settings, and how each makes an image "c h w" in [0, 1] noisy."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.schema import DefaultForHash, Part, Share, Sigma, use_slash
from dip_experiments.tasks.extra_inputs import ExtraInputs, published
from dip_experiments.tasks.sampling import Image, normal, repeat_per_seed, sample_per_seed, uniform
from dip_experiments.tensors import gamma_values, gaussian_response

Images = Float[Tensor, "r c h w"]
MOST_PHOTONS = 1e9
"""At white: noise of 0.008 grey levels of 255, which is none; counts near 2^63 would overflow."""


UNIT, POSITIVE = (0.0, 1.0), (0.0, math.inf)


class Noise(Part):
    """The way a noisy picture comes about."""

    kind: ClassVar[str] = "task.noise"
    is_published: ClassVar[bool] = False
    """True if the noisy picture is a file of the authors'."""

    @property
    def domain(self) -> tuple[float, float]:
        """Least and largest value of a clean measurement that it may be added to."""
        return -math.inf, math.inf

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        """Return what it reads besides the picture of that name."""
        return {}

    @abstractmethod
    def measured(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Images:
        """Return the noisy image of each replica."""

    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        """Return the clean image of each replica, None where nobody knows it."""
        return repeat_per_seed(image, seeds)


class AddedNoise(Noise):
    """Noise that is drawn, for each replica from its own seed. Subclass it for a noise of your own."""

    @abstractmethod
    def apply(self, image: Image, draws: torch.Generator) -> Image:
        """Return a noisy version of the image "c h w" in [0, 1], drawn from the generator."""

    def measured(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Images:
        return sample_per_seed(partial(self.apply, image), seeds, "task")


class Gaussian(AddedNoise):
    """x + N(0, (sigma / 255)^2), clipped to [0, 1] or not, never quantised (PAPER detail 4)."""

    name: Literal["gaussian"]
    sigma: Sigma
    clip: bool

    @property
    def domain(self) -> tuple[float, float]:
        return UNIT if self.clip else super().domain

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
    `grey`: the same in all channels.
    """

    name: Literal["blurred_gaussian"]
    sigma: Sigma
    radius: PositiveFloat
    grey: Annotated[bool, DefaultForHash(False)] = False

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        _, rows, columns = image.shape
        response = gaussian_response(rows, columns, self.radius)
        white = normal((image[:1] if self.grey else image).double(), draws)
        smooth = torch.fft.ifft2(torch.fft.fft2(white) * response).real
        return image + smooth.to(image) * (self.sigma / 255)


class Gamma(AddedNoise):
    """x s with s of Gamma's law, mean 1, variance 1 / looks: speckle of a multi-look image (Goodman 1976)."""

    name: Literal["gamma"]
    looks: Annotated[float, Field(gt=0, le=MOST_PHOTONS)]

    @property
    def domain(self) -> tuple[float, float]:
        return POSITIVE

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return image * gamma_values(self.looks, image.double(), draws).div(self.looks).to(image)


class Speckle(AddedNoise):
    """x (1 + N(0, (sigma / 255)^2)), not clipped: `sigma` grey levels where the image is white, none where black."""

    name: Literal["speckle"]
    sigma: Sigma

    @property
    def domain(self) -> tuple[float, float]:
        return POSITIVE

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return image + image * normal(image, draws) * (self.sigma / 255)


class Poisson(AddedNoise):
    """Poisson(peak x) / peak, not clipped: mean x, variance x / peak. `peak`: photons expected at white."""

    name: Literal["poisson"]
    peak: Annotated[float, Field(gt=0, le=MOST_PHOTONS)]

    @property
    def domain(self) -> tuple[float, float]:
        return POSITIVE

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return counted(image, self.peak, draws)


class PoissonGaussian(AddedNoise):
    """Poisson(peak x) / peak + N(0, (sigma / 255)^2), not clipped: variance x / peak + sigma^2 (Foi et al. 2008).

    `peak`: photons expected at white; `sigma`: of the electronics.
    """

    name: Literal["poisson_gaussian"]
    peak: Annotated[float, Field(gt=0, le=MOST_PHOTONS)]
    sigma: Sigma

    @property
    def domain(self) -> tuple[float, float]:
        return POSITIVE

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        return counted(image, self.peak, draws) + normal(image, draws) * (self.sigma / 255)


def counted(image: Image, peak: float, draws: torch.Generator) -> Image:
    """Return the image as counted photons show it, `peak` of which are expected at white."""
    return (torch.poisson(image.double() * peak, generator=draws) / peak).to(image)


class SaltAndPepper(AddedNoise):
    """`fraction` of the pixels white or black with equal chance, in all channels at once."""

    name: Literal["salt_and_pepper"]
    fraction: Share

    @property
    def domain(self) -> tuple[float, float]:
        return UNIT

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        drawn = uniform(1, image, draws)
        return torch.where(drawn < self.fraction, (drawn < self.fraction / 2).to(image), image)


class AuthorsNoise(Noise):
    """The noisy image that the authors published for the picture."""

    is_published: ClassVar[bool] = True
    name: Literal["noisy25"]

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        return {"noisy": published(picture, "task/noise=noisy25", "task/noise=gaussian", "noisy25")}

    def measured(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Images:
        return repeat_per_seed(extra_inputs["noisy"], seeds)


class NoNoise(Noise):
    """The picture is noisy already."""

    name: Literal["none"]

    def measured(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Images:
        return repeat_per_seed(image, seeds)

    def reference(self, image: Image, seeds: Sequence[int]) -> None:
        return None


def expand_shorthand(value: Any) -> Any:
    """Expand `task.noise=none`. Raises ValueError for a noise that needs further settings."""
    if not isinstance(value, str):
        return value
    known = Noise.registered()
    if value not in known:
        raise use_slash("task.noise", value, f", with one of {', '.join(known)}")
    if set(known[value].model_fields) != set(Noise.model_fields):
        raise use_slash("task.noise", value)
    return {"name": value}
