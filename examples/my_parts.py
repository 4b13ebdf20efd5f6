"""Parts of one's own: loss, regularizer, latent, guidance, optimizer, noise, mask, stopping rule and observer.

Each is a class with its settings as fields and its formula as a method.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

import dip_experiments as dip
from dip_experiments.latents import framed
from dip_experiments.stopping.rule import MinimumRule, Observation, Statistic
from dip_experiments.tensors import generator


class Charbonnier(dip.Loss):
    """mean sqrt((A f - y)^2 + epsilon^2)."""

    epsilon: float = 0.01

    def __call__(self, fitted: Tensor, measurement: Tensor) -> Tensor:
        """Return the loss of each replica."""
        return ((fitted - measurement).square() + self.epsilon**2).sqrt().flatten(1).mean(1)


class Smoothness(dip.Regularizer):
    """weight times the mean squared difference of neighbouring rows and columns."""

    weight: float = 0.1

    def __call__(self, x: Tensor) -> Tensor:
        """Return the penalty of each replica."""
        rows, columns = x.diff(dim=-2), x.diff(dim=-1)
        return self.weight * (rows.square().flatten(1).mean(1) + columns.square().flatten(1).mean(1))


class SignLatent(dip.Latent):
    """Scale or -scale, each with probability 1/2, drawn once."""

    channels: int = 8
    scale: float = 0.1
    perturbation: float = 0.0
    optimise: str = "theta"

    def make(self, shape: tuple[int, int, int], seeds: Sequence[int], input_image: Tensor | None) -> Tensor:
        """Return the latents, one for each replica."""
        streams = [generator(seed, "latent") for seed in seeds]
        return self.scale * torch.stack([2 * torch.randint(2, shape, generator=s).double() - 1 for s in streams])


class SlowLatent(dip.Guidance):
    """z <- (1 - share) z + share f(z) after every `every` iterations."""

    looks_at_latent = True
    every: int = 10
    share: float = 0.1

    def advance(self, fit) -> None:
        """Change the latent in place."""
        if fit.done % self.every == 0:
            fit.latent.lerp_(framed(fit.output(), fit.latent.shape[1:]), self.share)


class NesterovMomentum(dip.Optimizer):
    """Gradient descent with Nesterov's momentum."""

    lr: float = 0.1
    momentum: float = 0.9

    def make(self, parameters):
        """Return PyTorch's optimizer over the parameters."""
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, nesterov=True)


class Stripes(dip.Noise):
    """Adds N(0, (sigma / 255)^2) to each row."""

    sigma: float = 10.0

    def apply(self, image: Tensor, draws: torch.Generator) -> Tensor:
        """Return the noisy image."""
        rows = torch.randn(image.shape[1], 1, generator=draws, dtype=torch.float64)
        return image + rows.to(image) * (self.sigma / 255)


class Checkerboard(dip.Mask):
    """Every second field of `side` x `side` pixels is missing."""

    side: int = 1

    def draw(self, image: Tensor, draws: torch.Generator) -> Tensor:
        """Return True where the image is known."""
        rows, columns = (torch.arange(size) // self.side for size in image.shape[1:])
        return ((rows[:, None] + columns) % 2 == 0).expand(image.shape)


class SmallestStep(MinimumRule):
    """Stops where the output changes least from one iteration to the next."""

    patience: int = 100
    warm_up: int = 10
    accept: float = 1.0

    def initial_state(self, images: Tensor, held_out: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the rule remembers: the last output."""
        return {"last": torch.zeros_like(images)}

    def observe(self, seen: Observation, state: dict[str, Tensor], held_out: dict[str, Tensor]) -> Statistic:
        """Return the mean squared change of each replica's output, and of all."""
        change = (seen.output - state["last"]).square().flatten(1).mean(1)
        state["last"].copy_(seen.output)
        return Statistic(change, change.nanmean(), {})


class Roughness(dip.Observer):
    """Measures how much neighbouring pixels of the output differ, as a column of the curves; never stops a fit."""

    columns = ("roughness",)

    def measure(self, seen: Observation, state: dict[str, Tensor], held_out: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean absolute difference along the rows, of each replica."""
        rows = seen.output.diff(dim=3)
        return {"roughness": rows.abs().flatten(1).mean(1)}
