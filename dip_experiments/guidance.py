"""Guidance: methods in which a fit's own output becomes its latent, its target or a part of its loss."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from dip_experiments.latents import Latents, Shape, check_shown, framed, within
from dip_experiments.operators import Operator
from dip_experiments.schema import Part
from dip_experiments.tensors import generator, mean_squared_error

Images = Float[Tensor, "r c h w"]
PerReplica = Float[Tensor, " r"]


@dataclass(frozen=True)
class Progress:
    """A fit between two iterations.

    Attributes:
        done: Iterations that are done, from 1 on, of `iterations`.
        latent: z, which may be changed in place.
        measurement: What is fitted, which may be changed in place if `Guidance.moves_measurement`.
        operator: A.
        output: Computes f_theta(z) with the present weights, without perturbation or gradient.
        seeds: One for each replica, of what is drawn.
    """

    done: int
    iterations: int
    latent: Latents
    measurement: Float[Tensor, "r cy hy wy"]
    operator: Operator
    output: Callable[[], Images]
    seeds: Sequence[int]


class Guidance(Part):
    """Use of the output within its own fit. Subclass it for one of your own: all methods but `advance` do nothing.

    Class attributes:
        looks_at_latent: True if latent and image must have the same channels.
        moves_measurement: True if `advance` changes the measurement.
        jumps: True if a loss may rise from one iteration to the next because what is fitted changes.
        optimises: theta or both where the method needs that of `latent.optimise`, else an empty string.
    """

    kind: ClassVar[str] = "guidance"
    looks_at_latent: ClassVar[bool] = False
    moves_measurement: ClassVar[bool] = False
    jumps: ClassVar[bool] = False
    optimises: ClassVar[str] = ""

    @property
    def passes(self) -> int:
        """How many images of the network one iteration averages."""
        return 1

    @property
    def latent_lr(self) -> float | None:
        """Learning rate of the latent, None for that of the weights."""
        return None

    def config_errors(self, iterations: int) -> Iterator[str]:
        """Yield a message for each reason why it does not suit a fit of so many iterations."""
        yield from ()

    def first(self, latent: Latents, seeds: Sequence[int]) -> Latents:
        """Return the latent of the first iteration, made of the one that was chosen."""
        return latent

    def around(self, latent: Latents, noise: Sequence[torch.Generator]) -> list[Latents]:
        """Return the latents whose images an iteration averages. `noise`: a source of draws for each replica."""
        return [latent]

    def penalty(self, output: Images, latent: Latents) -> PerReplica | None:
        """Return what is added to the loss of each replica, None for nothing. `latent`: z without perturbation."""
        return None

    @abstractmethod
    def advance(self, fit: Progress) -> None:
        """Change latent or measurement in place after an iteration, deterministically."""

    def check(self, shape: Shape, image: Images) -> None:
        """Raise ValueError where a latent of that shape does not suit images such as `image`."""
        if self.looks_at_latent:
            check_shown(f"guidance={self.name}: the image", image, shape)


class NoGuidance(Guidance):
    """The fit of the paper: latent and measurement stay what they are."""

    name: Literal["none"]

    def advance(self, fit: Progress) -> None:
        return


NO_GUIDANCE = NoGuidance(name="none")


class AutoencodingSequential(Guidance):
    """aSeqDIP: E(A f(z); y) + `weight` mean (f(z) - z)^2, and z <- f_theta(z) after every `inner` iterations.

    z begins as A^T y: `latent=adjoint` (Alkhouri, Liang, Bell, Qu, Wang & Ravishankar, NeurIPS 2024). The penalty is a
    mean like the data term, so that its weight means the same for every size.
    """

    looks_at_latent: ClassVar[bool] = True
    optimises: ClassVar[str] = "theta"
    name: Literal["autoencoding"]
    inner: PositiveInt
    weight: NonNegativeFloat

    def penalty(self, output: Images, latent: Latents) -> PerReplica | None:
        return self.weight * mean_squared_error(output, within(latent, output))

    def advance(self, fit: Progress) -> None:
        if fit.done % self.inner == 0:
            replace_latent(fit, fit.output())


class SelfGuided(Guidance):
    """min over theta and z of E(A g; y) + `weight` mean (g - z)^2, where g = E f(z + eta), eta ~ U(0, m).

    The expectation is a mean of `draws` images in each iteration, m is `amplitude` times the largest |z| of a replica;
    z has a learning rate of its own (Liang, Bell, Qu, Wang & Ravishankar, Analysis of Deep Image Prior and Exploiting
    Self-Guidance for Image Reconstruction, 2024).
    """

    looks_at_latent: ClassVar[bool] = True
    optimises: ClassVar[str] = "both"
    name: Literal["self_guided"]
    weight: NonNegativeFloat
    draws: PositiveInt
    amplitude: PositiveFloat
    lr: PositiveFloat

    @property
    def passes(self) -> int:
        return self.draws

    @property
    def latent_lr(self) -> float | None:
        return self.lr

    def around(self, latent: Latents, noise: Sequence[torch.Generator]) -> list[Latents]:
        most = self.amplitude * latent.detach().abs().amax(dim=(1, 2, 3), keepdim=True)
        return [latent + most * _uniform(latent, noise) for _ in range(self.draws)]

    def penalty(self, output: Images, latent: Latents) -> PerReplica | None:
        return self.weight * mean_squared_error(output, within(latent, output))

    def advance(self, fit: Progress) -> None:
        return


class SelfDiffusion(Guidance):
    """z = x_t = x^ + sigma_t eps for each of `levels` levels of falling noise, and x^ <- f_theta(x_t) between them.

    sigma_t^2 = 1 - prod_(i <= t) (1 - beta_i), beta rising linearly from `first_beta` to `last_beta`; eps is drawn once
    for a level. Each level has the same number of iterations, the last one what is left. x^ begins as the latent that
    is chosen (Luo et al., NeurIPS 2025).
    """

    looks_at_latent: ClassVar[bool] = True
    jumps: ClassVar[bool] = True
    optimises: ClassVar[str] = "theta"
    name: Literal["self_diffusion"]
    levels: PositiveInt
    first_beta: Annotated[float, Field(gt=0, lt=1)]
    last_beta: Annotated[float, Field(gt=0, lt=1)]

    def config_errors(self, iterations: int) -> Iterator[str]:
        if iterations < self.levels:
            yield (
                f"guidance=self_diffusion with fit.iterations={iterations}: each of guidance.levels={self.levels} "
                "takes one iteration at least; give more iterations, or fewer levels"
            )

    def sigma(self, level: int) -> float:
        """Return the standard deviation of the noise of a level, 0 to `levels` - 1, in units of the image."""
        step = (self.last_beta - self.first_beta) / max(self.levels - 1, 1)
        remaining = math.prod(1 - (self.first_beta + index * step) for index in range(self.levels - level))
        return math.sqrt(1 - remaining)

    def first(self, latent: Latents, seeds: Sequence[int]) -> Latents:
        return latent + self.sigma(0) * _normal(latent, seeds, 0)

    def advance(self, fit: Progress) -> None:
        level, rest = divmod(fit.done, fit.iterations // self.levels)
        if rest == 0 and level < self.levels:
            replace_latent(fit, fit.output())
            fit.latent.add_(self.sigma(level) * _normal(fit.latent, fit.seeds, level))


class TargetMoving(Guidance):
    """y <- (1 - `share`) y + `share` A f_theta(z) after every `every` iterations.

    Iterative target smoothing, ICML 2024. A value that a mask hides stays hidden. The loss and `psnr_measurement` are
    those of the moved measurement.
    """

    moves_measurement: ClassVar[bool] = True
    name: Literal["target_moving"]
    every: PositiveInt
    share: Annotated[float, Field(gt=0, lt=1)]

    def advance(self, fit: Progress) -> None:
        if fit.done % self.every == 0:
            fit.measurement.lerp_(fit.operator(fit.output()), self.share)


def replace_latent(fit: Progress, image: Images) -> None:
    """Make an image the latent, in place, its border repeated where the latent is larger."""
    channels, rows, columns = fit.latent.shape[1:]
    fit.latent.copy_(framed(image, (channels, rows, columns)))


def _uniform(like: Latents, noise: Sequence[torch.Generator]) -> Latents:
    """Return U(0, 1) of that shape, each replica's from its own source of draws."""
    drawn = torch.empty_like(like, requires_grad=False)
    for replica, draw in zip(drawn, noise, strict=True):
        replica.uniform_(generator=draw)
    return drawn


def _normal(like: Latents, seeds: Sequence[int], level: int) -> Latents:
    """Return N(0, 1) of that shape, each replica's from its own seed and the level."""
    drawn = [
        torch.randn(like.shape[1:], generator=generator(seed, f"guidance/{level}"), dtype=torch.float64)
        for seed in seeds
    ]
    return torch.stack(drawn).to(like)
