"""RuleMonitor pixels that the fit never sees, as one monitors a validation set."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch

from dip_experiments.operators import Mask
from dip_experiments.schema import Share
from dip_experiments.stopping.rule import FitInput, HeldOut, MinimumRule, Observation, State, Statistic
from dip_experiments.tensors import generator


class HeldOutPixels(MinimumRule):
    """The smallest mean (A x_bar - y)^2 over `fraction` of the pixels, drawn for each replica, in all channels alike.

    Noise must be independent from pixel to pixel. They are missing in what is fitted (PAPER detail 8).
    """

    changes_fit: ClassVar[bool] = True
    hides_values: ClassVar[bool] = True
    name: Literal["held_out_pixels"]
    columns: ClassVar[tuple[str, ...]] = ("held_out_mse",)
    fraction: Share

    @property
    def assumes_white_noise(self) -> bool:
        return True

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        y, known = given.measurement, given.known()
        streams = [generator(seed, "stopping/pixels") for seed in seeds]
        drawn = torch.stack([torch.rand(y.shape[2:], generator=draws, dtype=torch.float64) for draws in streams])
        hidden = (drawn < self.fraction).unsqueeze(1) & known
        if not (hidden.flatten(1).any(1) & (known & ~hidden).flatten(1).any(1)).all():
            raise ValueError(
                f"stopping=held_out_pixels with fraction={self.fraction:g} of {int(known[0, 0].sum())} known pixels: "
                "none is left to fit or to watch; choose another fraction or rule"
            )
        held_out = {"hidden": hidden, "y": y}
        return replace(
            given, measurement=y * ~hidden, operator=Mask(~hidden) @ given.operator, held_out=held_out, facts={}
        )

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        hidden = held_out["hidden"]
        residual = (seen.operator(seen.average) - held_out["y"]) * hidden
        found = residual.square().flatten(1).sum(1) / hidden.flatten(1).sum(1)
        return Statistic(found, found.nanmean(), {"held_out_mse": found})
