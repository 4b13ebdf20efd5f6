"""ES-WMV (Wang et al., TMLR 2023): the minimum of the variance of the last outputs, from a sliding sum."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from dip_experiments.stopping.rule import FitContext, HeldOut, MinimumRule, Observation, State, Statistic

REWOUND = 64
"""Iterations by which the guard may go back: so many more outputs than the window are stored, none is ever copied."""


class WindowedVariance(MinimumRule):
    """mean over pixels of the variance over the last `window` outputs; it has a value once the window is full.

    Welford's update with one output coming and one leaving, in float64: O(1) images an iteration, whatever the window.
    """

    name: Literal["windowed_variance"]
    columns: ClassVar[tuple[str, ...]] = ("windowed_variance",)
    large_state: ClassVar[tuple[str, ...]] = ("outputs",)
    window: Annotated[int, Field(ge=2)]

    @property
    def images_held(self) -> int:
        return super().images_held + self.window + REWOUND + 6

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from super().config_errors(fit)
        if fit.block > REWOUND:
            yield f"stopping=windowed_variance with fit.block={fit.block}: it can go back {REWOUND}; use fit.block=50"

    def initial_state(self, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> State:
        replicas = len(images)
        return {
            "outputs": images.new_zeros(self.window + REWOUND, *images.shape),
            "mean": torch.zeros_like(images, dtype=torch.float64),
            "squares": images.new_zeros(replicas, dtype=torch.float64),
        }

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        """Update M = sum (x - mean)^2, which changes by (x_new - x_old) (x_new - mean_new + x_old - mean_old)."""
        ring, mean, n = state["outputs"], state["mean"], seen.iteration
        full = (n > self.window).to(mean)
        leaving = ring.index_select(0, (n - self.window - 1) % len(ring)).squeeze(0).double()
        coming = seen.output.double()
        ring.index_copy_(0, (n - 1) % len(ring), seen.output.unsqueeze(0))
        before = coming - mean  # Welford while the window fills, a swap of two once it is full
        change = torch.where(full > 0, (coming - leaving) / self.window, before / n)
        mean.add_(change)
        after = coming - mean
        added = torch.where(full > 0, (coming - leaving) * (after + leaving - mean + change), before * after)
        state["squares"].add_(added.flatten(1).sum(1))
        size = seen.output[0].numel() * self.window
        found = torch.where(n >= self.window, state["squares"] / size, torch.nan).to(seen.output)
        return Statistic(found, found.nanmean(), {"windowed_variance": found})
