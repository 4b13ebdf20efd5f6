"""The discrepancy principle (Morozov 1966): stop when the residual is as large as the noise."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import PositiveFloat

from dip_experiments.noise.estimation import Sigma
from dip_experiments.stopping.assumed_noise import Law, assumed_noise, assumption_errors
from dip_experiments.stopping.rule import (
    FitContext,
    FitInput,
    HeldOut,
    Observation,
    State,
    Statistic,
    ThresholdRule,
)


class Discrepancy(ThresholdRule):
    """The first iteration with mean (A f - y)^2 <= `tau` mean var y, over the values that are fitted.

    `sigma`: of white noise, in grey levels of 255, None: estimated. `law`: of other noise, whose mean variance over the
    measurement is what is expected of the residual; what neighbours and channels share of it plays no part in that.
    """

    name: Literal["discrepancy"]
    columns: ClassVar[tuple[str, ...]] = ("discrepancy",)
    epoch: ClassVar[int] = 2  # residual and noise are of the same values, where others are hidden
    sigma: Sigma
    tau: PositiveFloat
    law: Law = None

    @property
    def ends(self) -> Sequence[int]:
        return super().ends if self.law is None else self.law.ends

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from assumption_errors("discrepancy", self.sigma, self.law, fit)

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        noise = assumed_noise(self.sigma, self.law, given)
        return replace(given, held_out={"noise": noise.variance}, facts=noise.facts)

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        excess = seen.energy - self.tau * held_out["noise"]
        return Statistic(excess, excess.nanmean(), {"discrepancy": excess})
