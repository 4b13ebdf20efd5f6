"""The discrepancy principle (Morozov 1966): stop when the residual is as large as the noise."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import PositiveFloat

from dip_experiments.noise.estimation import Sigma
from dip_experiments.stopping.rule import (
    FitContext,
    FitInput,
    HeldOut,
    Observation,
    State,
    Statistic,
    ThresholdRule,
    noise_of,
    unknown_sigma,
)


class Discrepancy(ThresholdRule):
    """The first iteration with mean (A f - y)^2 <= `tau` sigma^2, over the values that are fitted.

    `sigma` in grey levels of 255, None: estimated.
    """

    name: Literal["discrepancy"]
    columns: ClassVar[tuple[str, ...]] = ("discrepancy",)
    epoch: ClassVar[int] = 2  # residual and noise are of the same values, where others are hidden
    sigma: Sigma
    tau: PositiveFloat

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from unknown_sigma("discrepancy", "sigma", self.sigma, fit)

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        noise, facts = noise_of(self.sigma, given)
        return replace(given, held_out={"noise": noise}, facts=facts)

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        excess = seen.energy - self.tau * held_out["noise"]
        return Statistic(excess, excess.nanmean(), {"discrepancy": excess})
