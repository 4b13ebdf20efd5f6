"""Stop at an iteration that was chosen beforehand, as the paper does (PAPER: 1800 for denoising)."""

from typing import Literal

from pydantic import PositiveInt

from dip_experiments.stopping.rule import HeldOut, Observation, State, Statistic, ThresholdRule


class Fixed(ThresholdRule):
    """`iteration`: 1 is the untrained network."""

    name: Literal["fixed"]
    iteration: PositiveInt

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        left = (self.iteration - seen.iteration).to(seen.energy)
        return Statistic(left.expand_as(seen.energy), left.squeeze(), {})
