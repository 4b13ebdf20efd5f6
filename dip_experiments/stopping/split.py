"""Split the measurement: fit one part, score with the other, which the fit never sees."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

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
    columns: ClassVar[tuple[str, ...]] = (
        "split_mse",
        "split_mse_se",
        "split_output_mse",
        "split_mean_mse",
        "split_mean_mse_se",
        "split_cross",
        "split_freedom",
    )
    trusts_noise: ClassVar[bool] = True
    a: Annotated[float, Field(gt=0, le=2)]
    law: Law
    mix: Annotated[Literal["nlm", "tv", "wavelet"] | None, Neutral(None)]

    def faults(self, task: str, latent: str, block: int) -> Iterator[str]:
        yield from super().faults(task, latent, block)
        yield from self.law.faults(task)

    def prepare(self, given: Prepared, seeds: Sequence[int]) -> Prepared:
        y, known = given.measurement, given.known()
        level, facts = self.law.level(y)
        draws = [generator(seed, "stopping") for seed in seeds]
        drawn = [self.law.extra(image, level, self.a, draw) for image, draw in zip(y, draws, strict=True)]
        extra, noise = torch.stack(drawn) * known, self.law.variance(y, level) * known
        evidence = {"extra": extra, "strength": extra.square().flatten(1).mean(1), "noise": noise, "y": y}
        return Prepared(y + extra, given.operator, evidence, facts, given.growth * (1 + self.a**2))

    def observe(self, seen: Observation, state: State, evidence: Evidence) -> Statistic:
        average, output = (seen.operator(image) for image in (seen.average, seen.output))
        error, uncertainty = self.error(average, evidence)
        mean_error, mean_uncertainty = of_mean(average, error, uncertainty)
        found = (
            error,
            uncertainty,
            self.error(output, evidence)[0],
            mean_error.expand_as(error),
            mean_uncertainty.expand_as(error),
            cross(average, evidence),
            cross(output, evidence) / evidence["strength"],
        )
        # Errors estimated below 0 are errors too: to compare by ratios, the noise's variance is added to all.
        level = evidence["noise"].mean()
        return Statistic(error + level, mean_error + level, dict(zip(self.columns, found, strict=True)))

    def error(
        self, fitted: Float[Tensor, "r c hy wy"], evidence: Evidence
    ) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
        """mean (A f - A x)^2 and its standard error, estimated."""
        residual = fitted - evidence["y"]
        values = residual.square() + 2 * self.a**-2 * residual * evidence["extra"] - evidence["noise"]
        values = values.flatten(1)
        return values.mean(1), values.std(1) / values.shape[1] ** 0.5

    def estimate(self, fitted: Float[Tensor, "r c hy wy"], evidence: Evidence) -> dict[str, float]:
        mse, uncertainty = of_mean(fitted, *self.error(fitted, evidence))
        return {"mse": float(mse), "mse_se": float(uncertainty)}

    def weight(
        self, fitted: Float[Tensor, "r c hy wy"], other: Float[Tensor, "r c hy wy"], evidence: Evidence
    ) -> float:
        """w in [0, 1] for which the mean of (1 - w) f + w g has the smallest estimated error, a square in w."""
        away = other - fitted
        residual = fitted - evidence["y"] + self.a**-2 * evidence["extra"]
        slope = (away * residual).flatten(1).mean(1).nanmean() - covariance(away, fitted)
        return float((-slope / away.nanmean(0).square().mean()).nan_to_num(0).clamp(0, 1))


def of_mean(
    fitted: Float[Tensor, "r c hy wy"], error: Float[Tensor, " r"], uncertainty: Float[Tensor, " r"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Error and standard error of the mean of the replicas' f, from those of each."""
    alone = (uncertainty.square().nanmean() / uncertainty.isfinite().sum()).sqrt()
    return error.nanmean() - covariance(fitted, fitted), alone


def cross(fitted: Float[Tensor, "r c hy wy"], evidence: Evidence) -> Float[Tensor, " r"]:
    """mean (A f - y) e: how much of e the fit has followed, which is c_t once it is divided by mean e^2."""
    return ((fitted - evidence["y"]) * evidence["extra"]).flatten(1).mean(1)
