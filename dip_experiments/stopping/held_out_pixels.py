"""Watch pixels that the fit never sees, as one watches a validation set."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch

from dip_experiments.operators import Mask
from dip_experiments.schema import Share
from dip_experiments.stopping.rule import Evidence, MinimumRule, Observation, Prepared, State, Statistic
from dip_experiments.tensors import generator


class HeldOutPixels(MinimumRule):
    """The smallest mean (A x_bar - y)^2 over `fraction` of the pixels, drawn for each replica, in all channels alike.

    Noise must be independent from pixel to pixel. They are missing in what is fitted (PAPER detail 8).
    """

    name: Literal["held_out_pixels"]
    columns: ClassVar[tuple[str, ...]] = ("held_out_mse",)
    trusts_noise: ClassVar[bool] = True
    fraction: Share

    def prepare(self, given: Prepared, seeds: Sequence[int]) -> Prepared:
        y, there = given.measurement, given.known()
        streams = [generator(seed, "stopping/pixels") for seed in seeds]
        drawn = torch.stack([torch.rand(y.shape[2:], generator=draws, dtype=torch.float64) for draws in streams])
        hidden = (drawn < self.fraction).unsqueeze(1) & there
        if not (hidden.flatten(1).any(1) & (there & ~hidden).flatten(1).any(1)).all():
            raise ValueError(
                f"stopping=held_out_pixels with fraction={self.fraction:g} of {int(there[0, 0].sum())} known pixels: "
                "none is left to fit or to watch; choose another fraction or rule"
            )
        evidence = {"hidden": hidden, "y": y}
        return replace(
            given, measurement=y * ~hidden, operator=Mask(~hidden) @ given.operator, evidence=evidence, facts={}
        )

    def observe(self, seen: Observation, state: State, evidence: Evidence) -> Statistic:
        hidden = evidence["hidden"]
        residual = (seen.operator(seen.average) - evidence["y"]) * hidden
        found = residual.square().flatten(1).sum(1) / hidden.flatten(1).sum(1)
        return Statistic(found, found.nanmean(), {"held_out_mse": found})
