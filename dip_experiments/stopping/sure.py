"""Stein's unbiased risk estimate of a network that is shown the measurement (Jo et al., ICCV 2021)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from dip_experiments.stopping.noise_estimation import HIDDEN, Sigma, unknown_sigma
from dip_experiments.stopping.rule import (
    WHOLE,
    Evidence,
    MinimumRule,
    Observation,
    Prepared,
    State,
    Statistic,
    noise_of,
)


class Sure(MinimumRule):
    """The smallest mean (f(y) - y)^2 + 2 sigma^2 div f(y) / N - sigma^2, of the output.

    The divergence is taken by the latent, which must be the measurement, with the weights held: that they depend on
    it too is not counted. `sigma` in grey levels of 255, None: estimated.
    """

    name: Literal["sure"]
    columns: ClassVar[tuple[str, ...]] = ("sure", "sure_divergence")
    trusts_noise: ClassVar[bool] = True
    needs_divergence: ClassVar[bool] = True
    sigma: Sigma

    def faults(self, task: str, latent: str, block: int) -> Iterator[str]:
        yield from super().faults(task, latent, block)
        yield from unknown_sigma("sure", "sigma", self.sigma, task)
        if latent != "measurement":
            yield f"stopping=sure with latent={latent}: the divergence is by the measurement; say latent=measurement"
        if task not in WHOLE or task in HIDDEN:
            yield f"stopping=sure with task={task}: it needs the whole image measured; choose another rule"

    def prepare(self, given: Prepared, seeds: Sequence[int]) -> Prepared:
        noise, facts = noise_of(self.sigma, given)
        return replace(given, evidence={"noise": noise}, facts=facts)

    def observe(self, seen: Observation, state: State, evidence: Evidence) -> Statistic:
        noise, divergence = evidence["noise"], seen.divergence
        if divergence is None:
            raise ValueError("SURE needs the divergence of the output by the measurement")
        risk = seen.energy + 2 * noise * divergence - noise
        return Statistic(risk + noise, (risk + noise).nanmean(), {"sure": risk, "sure_divergence": divergence})
