"""Stein's unbiased risk estimate of a network that is shown the measurement (Jo et al., ICCV 2021)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from dip_experiments.noise.estimation import Sigma
from dip_experiments.stopping.rule import (
    FitContext,
    FitInput,
    HeldOut,
    MinimumRule,
    Observation,
    State,
    Statistic,
    noise_of,
    unknown_sigma,
)


class Sure(MinimumRule):
    """The smallest mean (f(y) - y)^2 + 2 sigma^2 div f(y) / N - sigma^2, of the output.

    The divergence is taken by the latent, which must be the measurement, with the weights held: that they depend on
    it too is not counted. `sigma` in grey levels of 255, None: estimated.
    """

    name: Literal["sure"]
    columns: ClassVar[tuple[str, ...]] = ("sure", "sure_divergence")
    needs_divergence: ClassVar[bool] = True
    sigma: Sigma

    @property
    def assumes_white_noise(self) -> bool:
        return True

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from super().config_errors(fit)
        yield from unknown_sigma("sure", "sigma", self.sigma, fit)
        if fit.latent != "measurement":
            yield (
                f"stopping=sure with latent={fit.latent}: the divergence is by the measurement; say latent=measurement"
            )
        if not (fit.measures_every_pixel and fit.noise_can_be_estimated):
            yield f"stopping=sure with task={fit.task}: it needs the whole image measured; choose another rule"

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        noise, facts = noise_of(self.sigma, given)
        return replace(given, held_out={"noise": noise}, facts=facts)

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        noise, divergence = held_out["noise"], seen.divergence
        if divergence is None:
            raise ValueError("SURE needs the divergence of the output by the measurement")
        risk = seen.energy + 2 * noise * divergence - noise
        return Statistic(risk + noise, (risk + noise).nanmean(), {"sure": risk, "sure_divergence": divergence})
