"""Split the measurement: fit one part, score with the other, which the fit never sees."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from dip_experiments.schema import Neutral
from dip_experiments.stopping.laws import Law
from dip_experiments.stopping.rule import Evidence, MinimumRule, Observation, Prepared, State, Statistic, covariance
from dip_experiments.tensors import generator


class Split(MinimumRule):
    """The smallest error of the average, estimated without bias by what was put aside.

    With e what was added to y (see `laws`), the mean of (A f - y)^2 + 2 k (A f - y) e - var y is the error
    mean (A f - A x)^2 in the mean, for every f made from y + e alone, with k = 1 / a^2. `covariance` less, it is that
    of the replicas' mean. Its standard error is that of the mean over values. `split_cross` is mean (A f - y) e, so
    that other k can be looked at; `split_freedom` is c_t = 1 - <y1 - A f, e> / |e|^2, the degrees of freedom of the
    whole fit per value. `a`: how strong e is against the noise; the fit sees 1 + a^2 of its variance. `mix`: what
    another denoiser makes of y + e is mixed in at the joint stop, as much as lowers the estimated error.
    """

    name: Literal["split"]
    a: Annotated[float, Field(gt=0, le=2)]
    law: Law
    mix: Annotated[Literal["nlm", "tv", "wavelet"] | None, Neutral(None)]

    @property
    def trusts_noise(self) -> bool:
        return True

    @property
    def columns(self) -> tuple[str, ...]:
        names = ("mse", "mse_se", "output_mse", "mean_mse", "mean_mse_se", "cross", "freedom")
        return tuple(f"split_{name}" for name in names)

    def faults(self, task: str, latent: str, block: int) -> Iterator[str]:
        yield from super().faults(task, latent, block)
        yield from self.law.faults(task)

    def prepare(self, given: Prepared, seeds: Sequence[int]) -> Prepared:
        y, known = given.measurement, given.known()
        level, facts = self.law.level(y)
        draws = [generator(seed, "stopping") for seed in seeds]
        drawn = [self.law.extra(image, level, self.a, draw) for image, draw in zip(y, draws, strict=True)]
        extra, noise = torch.stack(drawn) * known, self.law.variance(y, level) * known
        evidence = {"extra": extra, "noise": noise, "y": y, "k": torch.tensor(self.a**-2)}
        return Prepared(y + extra, given.operator, evidence, facts, given.growth * (1 + self.a**2))

    def observe(self, seen: Observation, state: State, evidence: Evidence) -> Statistic:
        seen_average, seen_output = (seen.operator(image) for image in (seen.average, seen.output))
        error, uncertainty = error_of(seen_average, evidence)
        mean_error, mean_uncertainty = error_of_mean(seen_average, evidence)
        cross = ((seen_average - evidence["y"]) * evidence["extra"]).flatten(1).mean(1)
        found = (
            error,
            uncertainty,
            error_of(seen_output, evidence)[0],
            mean_error.expand_as(error),
            mean_uncertainty.expand_as(error),
            cross,
            freedom(seen_output, evidence),
        )
        # Errors estimated below 0 are errors too: to compare by ratios, the noise's variance is added to all.
        level = evidence["noise"].mean()
        return Statistic(error + level, mean_error + level, dict(zip(self.columns, found, strict=True)))


def error_of(fitted: Float[Tensor, "r c hy wy"], evidence: Evidence) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """mean (A f - A x)^2 and its standard error, estimated."""
    residual = fitted - evidence["y"]
    values = residual.square() + 2 * evidence["k"] * residual * evidence["extra"] - evidence["noise"]
    values = values.flatten(1)
    return values.mean(1), values.std(1) / values.shape[1] ** 0.5


def error_of_mean(
    fitted: Float[Tensor, "r c hy wy"], evidence: Evidence
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """mean (A f - A x)^2 of the mean f of the replicas and its standard error, estimated."""
    error, uncertainty = error_of(fitted, evidence)
    alone = (uncertainty.square().nanmean() / uncertainty.isfinite().sum()).sqrt()
    return error.nanmean() - covariance(fitted, fitted), alone


def weight(fitted: Float[Tensor, "r c hy wy"], other: Float[Tensor, "r c hy wy"], evidence: Evidence) -> float:
    """w in [0, 1] for which the mean of (1 - w) f + w g has the smallest estimated error, a square in w."""
    away = other - fitted
    residual = fitted - evidence["y"] + evidence["k"] * evidence["extra"]
    slope = (away * residual).flatten(1).mean(1).nanmean() - covariance(away, fitted)
    return float((-slope / away.nanmean(0).square().mean()).nan_to_num(0).clamp(0, 1))


def freedom(fitted: Float[Tensor, "r c hy wy"], evidence: Evidence) -> Float[Tensor, " r"]:
    """c_t of what was fitted to y + e: the part of e that the fit has followed."""
    extra = evidence["extra"]
    left = ((evidence["y"] + extra - fitted) * extra).flatten(1).sum(1)
    return 1 - left / extra.square().flatten(1).sum(1)
