"""State of a stopping rule during one fit, and the images at its stop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dip_experiments.stopping.observer import Observer
from dip_experiments.stopping.rule import BestSoFar, FitInput, Observation, State, StoppingRule


@dataclass(frozen=True)
class Stop:
    """The iteration at which a rule stops, None if nowhere; `final` if later iterations do not change it."""

    iteration: int | None
    final: bool


class RuleMonitor:
    """One rule monitoring R replicas and, as number R, their mean image.

    `output` and `average` are each replica's at its own stop, `ensemble_average` the averages at the stop of their
    mean. All state is updated in place in tensors of fixed shapes. Only a rule that `ends` may end the loop. `facts`:
    noise levels and the like that the rule uses.
    """

    def __init__(self, rule: StoppingRule, images: Float[Tensor, "r c h w"], fit_input: FitInput, ends: bool) -> None:
        self.rule, self.ends, self.facts = rule, ends, fit_input.facts
        held_out = self.held_out = {
            name: value.to(images) if value.is_floating_point() else value.to(images.device)
            for name, value in fit_input.held_out.items()
        }
        state = rule.initial_state(images, held_out)
        self.large_state: State = {name: state.pop(name) for name in rule.large_state}
        self.state: State = state
        count = len(images) + 1
        self.best: Float[Tensor, " k"] = images.new_full((count,), torch.inf)
        self.at: Int[Tensor, " k"] = torch.zeros(count, dtype=torch.long, device=images.device)
        self.final: Bool[Tensor, " k"] = torch.zeros(count, dtype=torch.bool, device=images.device)
        self.output, self.average, self.ensemble_average = (torch.zeros_like(images) for _ in range(3))

    @torch.no_grad()
    def observe(self, seen: Observation) -> Float[Tensor, "_ r"]:
        """Update the state with one iteration and return the rule's columns of the curves."""
        found = self.rule.observe(seen, {**self.state, **self.large_state}, self.held_out)
        value = torch.cat([found.value, found.ensemble.reshape(1)]).to(self.best)
        best = BestSoFar(self.best, seen.iteration - self.at, seen.iteration)
        better, confirmed = self.rule.decide(value, best)
        better = better & ~self.final
        self.best.copy_(torch.where(better, value, self.best))
        self.at.copy_(torch.where(better, seen.iteration, self.at))
        self.final.logical_or_(confirmed)
        here = better[:-1, None, None, None]
        self.output.copy_(torch.where(here, seen.output, self.output))
        self.average.copy_(torch.where(here, seen.average, self.average))
        self.ensemble_average.copy_(torch.where(better[-1], seen.average, self.ensemble_average))
        columns = [found.columns[name] for name in self.rule.columns]
        return torch.stack(columns) if columns else seen.energy.new_zeros(0, len(seen.energy))

    def stops(self) -> tuple[list[Stop], Stop]:
        """Return the stop of each replica, and that of their mean."""
        found = [Stop(at or None, final) for at, final in zip(self.at.tolist(), self.final.tolist(), strict=True)]
        return found[:-1], found[-1]

    def images(self) -> Mapping[str, Float[Tensor, "r c h w"]]:
        """Return the images of an observer by name, none of a rule that stops."""
        found = self.rule.images(self.state) if isinstance(self.rule, Observer) else {}
        return {name: image.to(self.output) for name, image in found.items()}

    def scored(self) -> dict[str, Float[Tensor, "r c h w"]]:
        """Return those of the images whose PSNR is a curve."""
        return {name: image for name, image in self.images().items() if name in self.rule.scored}

    @property
    def per_replica(self) -> dict[str, Float[Tensor, "r c h w"]]:
        """Images at the stop of each replica, by name."""
        return {"output": self.output, "average": self.average}

    @property
    def mean(self) -> Float[Tensor, "c h w"]:
        """Mean of the averages at the stop of the mean image, without replicas that failed."""
        return self.ensemble_average.nanmean(0)

    @property
    def over(self) -> bool:
        """True if the loop has to end."""
        return self.ends and bool(self.final[-1])

    def small_state(self) -> State:
        """Return the state without `large_state`, whose values stay when a block is run again."""
        named = ("best", "at", "final", "output", "average", "ensemble_average")
        return self.state | {f"monitor.{name}": getattr(self, name) for name in named}

    def restore(self, state: State) -> None:
        """Put back, in place, what `small_state` returned."""
        live = self.small_state()
        for name, value in state.items():
            live[name].copy_(value)

    def restore_large_state(self, state: dict[str, Any]) -> None:
        """Put back the large state of a checkpoint."""
        for name, value in state.items():
            self.large_state[name].copy_(value)
