"""ES-EMV (Wang et al., TMLR 2023): the minimum of an exponentially weighted variance of the outputs."""

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from dip_experiments.stopping.rule import HeldOut, MinimumRule, Observation, State, Statistic


class MovingVariance(MinimumRule):
    """mu <- mu + alpha d, v <- (1 - alpha) (v + alpha mean d^2) with d = f - mu; the first output begins."""

    name: Literal["moving_variance"]
    columns: ClassVar[tuple[str, ...]] = ("moving_variance",)
    alpha: Annotated[float, Field(gt=0, lt=1)]

    def initial_state(self, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> State:
        return {"mean": torch.zeros_like(images), "variance": images.new_zeros(len(images))}

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        later = (seen.iteration > 1).to(seen.output)
        difference = seen.output - state["mean"]
        state["mean"].add_(difference * (1 - later * (1 - self.alpha)))
        squared = difference.square().flatten(1).mean(1)
        state["variance"].copy_(later * (1 - self.alpha) * (state["variance"] + self.alpha * squared))
        found = torch.where(later > 0, state["variance"], torch.nan)
        return Statistic(found, found.nanmean(), {"moving_variance": found})
