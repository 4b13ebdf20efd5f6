"""Stein's unbiased risk estimate of a network that is shown the measurement (Jo et al., ICCV 2021)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch

from dip_experiments.noise.estimation import Sigma
from dip_experiments.stopping.assumed_noise import Law, assumed_noise, assumption_errors
from dip_experiments.stopping.rule import (
    FitContext,
    FitInput,
    HeldOut,
    MinimumRule,
    Observation,
    State,
    Statistic,
)
from dip_experiments.tensors import generator


class Sure(MinimumRule):
    """The smallest mean (f(y) - y)^2 + 2 sigma^2 div f(y) / N - sigma^2, of the output.

    The divergence is taken by the latent, which must be the measurement, with the weights held: that they depend on
    it too is not counted. For noise of another covariance C it is mean (f(y) - y)^2 + (2 tr(C J) - tr C) / N with
    J = df / dy: the probe b of the divergence has then the covariance C, scaled to a mean variance of 1, so that
    b' J b is tr(C J) in the mean, as C is at the measurement (Eldar, IEEE TSP 2009, for Gaussian noise). Noise that was
    clipped counts with the variance that clipping leaves, and the risk is about the mean that it leaves.

    Attributes:
        sigma: Of white noise, in grey levels of 255, None: estimated.
        law: Of other Gaussian noise; None: white.
    """

    name: Literal["sure"]
    columns: ClassVar[tuple[str, ...]] = ("sure", "sure_divergence")
    needs_divergence: ClassVar[bool] = True
    sigma: Sigma
    law: Law = None

    @property
    def assumes_white_noise(self) -> bool:
        return self.law is None or self.law.is_white

    @property
    def ends(self) -> Sequence[int]:
        return super().ends if self.law is None else self.law.ends

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from super().config_errors(fit)
        yield from assumption_errors("sure", self.sigma, self.law, fit)
        if self.law is not None and not self.law.is_gaussian:
            yield (
                f"stopping=sure with stopping/law={self.law.name}: Stein's risk is of Gaussian noise; use "
                "stopping/law=poisson_gaussian, or stopping=split, which has this law too"
            )
        if fit.latent != "measurement":
            yield (
                f"stopping=sure with latent={fit.latent}: the divergence is by the measurement; say latent=measurement"
            )
        if not (fit.measures_every_pixel and fit.noise_can_be_estimated):
            yield f"stopping=sure with task={fit.task}: it needs the whole image measured; choose another rule"

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        noise = assumed_noise(self.sigma, self.law, given)
        held_out = {"noise": noise.variance}
        if noise.law is not None:
            y, law = given.measurement, noise.law
            draws = [generator(seed, "stopping/probe") for seed in seeds]
            probe = torch.stack([law.extra(image, 1.0, draw) for image, draw in zip(y, draws, strict=True)])
            scale = law.variance(y).flatten(1).mean(1).sqrt()
            held_out["probe"] = probe / scale[:, None, None, None]
        return replace(given, held_out=held_out, facts=noise.facts)

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        noise, divergence = held_out["noise"], seen.divergence
        if divergence is None:
            raise ValueError("SURE needs the divergence of the output by the measurement")
        risk = seen.energy + 2 * noise * divergence - noise
        return Statistic(risk + noise, (risk + noise).nanmean(), {"sure": risk, "sure_divergence": divergence})
