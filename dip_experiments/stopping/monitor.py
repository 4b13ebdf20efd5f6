"""A rule at work: what it has seen of one trajectory, and the images at its stop."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dip_experiments.stopping.rule import Observation, Prepared, SoFar, State, StoppingRule


@dataclass(frozen=True)
class Stop:
    """Where a rule stops: None if nowhere; `final` if it has made sure, which later iterations do not change."""

    iteration: int | None
    final: bool


class Watch:
    """One rule watching R replicas and, as number R, their mean image.

    `output` and `average` are each replica's at its own stop, `together` are the averages at the joint stop. Everything
    is kept in place in tensors of fixed shapes. Only a rule that `ends` may end the loop. `facts`: what the rule says
    of itself.
    """

    def __init__(self, rule: StoppingRule, images: Float[Tensor, "r c h w"], prepared: Prepared, ends: bool) -> None:
        self.rule, self.ends, self.facts = rule, ends, prepared.facts
        evidence = self.evidence = {
            name: value.to(images) if value.is_floating_point() else value.to(images.device)
            for name, value in prepared.evidence.items()
        }
        state = rule.begin(images, evidence)
        self.rings: State = {name: state.pop(name) for name in rule.rings}
        self.state: State = state
        judged = len(images) + 1
        self.best: Float[Tensor, " k"] = images.new_full((judged,), torch.inf)
        self.at: Int[Tensor, " k"] = torch.zeros(judged, dtype=torch.long, device=images.device)
        self.final: Bool[Tensor, " k"] = torch.zeros(judged, dtype=torch.bool, device=images.device)
        self.output, self.average, self.together = (torch.zeros_like(images) for _ in range(3))

    @torch.no_grad()
    def observe(self, seen: Observation) -> Float[Tensor, "_ r"]:
        """Takes note of an iteration; gives the columns of the curves."""
        found = self.rule.observe(seen, {**self.state, **self.rings}, self.evidence)
        value = torch.cat([found.value, found.joint.reshape(1)]).to(self.best)
        so_far = SoFar(self.best, seen.iteration - self.at, seen.iteration)
        better, settled = self.rule.judge(value, so_far)
        better = better & ~self.final
        self.best.copy_(torch.where(better, value, self.best))
        self.at.copy_(torch.where(better, seen.iteration, self.at))
        self.final.logical_or_(settled)
        here = better[:-1, None, None, None]
        self.output.copy_(torch.where(here, seen.output, self.output))
        self.average.copy_(torch.where(here, seen.average, self.average))
        self.together.copy_(torch.where(better[-1], seen.average, self.together))
        columns = [found.columns[name] for name in self.rule.columns]
        return torch.stack(columns) if columns else seen.energy.new_zeros(0, len(seen.energy))

    def stops(self) -> tuple[list[Stop], Stop]:
        """Where it stops each replica, and their mean."""
        found = [Stop(at or None, final) for at, final in zip(self.at.tolist(), self.final.tolist(), strict=True)]
        return found[:-1], found[-1]

    @property
    def each(self) -> dict[str, Float[Tensor, "r c h w"]]:
        """What it keeps of every replica's own stop."""
        return {"output": self.output, "average": self.average}

    @property
    def mean(self) -> Float[Tensor, "c h w"]:
        """The mean of the averages at the joint stop, without replicas that failed."""
        return self.together.nanmean(0)

    @property
    def over(self) -> bool:
        """Whether the loop has to end."""
        return self.ends and bool(self.final[-1])

    def small(self) -> State:
        """All that it remembers but for the rings, whose values of before a block stay when the block is run again."""
        named = ("best", "at", "final", "output", "average", "together")
        return self.state | {f"watch.{name}": getattr(self, name) for name in named}

    def place(self, state: State) -> None:
        """Puts back what `small` gave, in place."""
        live = self.small()
        for name, value in state.items():
            live[name].copy_(value)

    def place_rings(self, rings: dict[str, Any]) -> None:
        """Puts back the rings of a checkpoint."""
        for name, value in rings.items():
            self.rings[name].copy_(value)
