"""Split the measurement: fit one part, score with the other, which the fit never sees."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field
from scipy.optimize import minimize
from torch import Tensor

from dip_experiments.noise import ClippedNoise, local_mean
from dip_experiments.noise.estimation import Array, different, without_noise
from dip_experiments.schema import DefaultForHash, Exchangeable, in_order_of
from dip_experiments.stopping.noise_models import NoiseModel
from dip_experiments.stopping.rule import (
    FitContext,
    FitInput,
    HeldOut,
    MinimumRule,
    Observation,
    State,
    Statistic,
    covariance,
)
from dip_experiments.tensors import generator

Denoiser = Literal["nlm", "dct", "tv", "wavelet", "nl_ridge", "lichi", "wiener"]


class Split(MinimumRule):
    """The smallest error of the average, estimated without bias by what was put aside.

    With e what was added to y (see `laws`), the mean of (A f - y)^2 + 2 k (A f - y) e - var y is the error
    mean (A f - A x)^2 in the mean, for every f made from y + e alone, with k = 1 / a^2. `covariance` less, it is that
    of the replicas' mean. All means are over the values that are measured and noisy: not over a mask's holes, nor over
    bars, margins and skies without noise. Where A is
    not the identity that is the error of the measurement, not of the image. Its standard error is that of the mean over
    values and, where the noise's strength is estimated, the doubt about it. `split_cross` is mean (A f - y) e, so that
    other k can be looked at; `split_freedom` is c_t = 1 - <y1 - A f, e> / |e|^2, the degrees of freedom of all the
    fit per value. `a`: how strong e is against the noise; the fit sees 1 + a^2 of its variance. `mix`: what other
    denoisers make of y + e is mixed in at the ensemble's stop, as much as lowers the estimated error; then the Wiener
    filter of `baselines`, guided by that.
    """

    changes_fit: ClassVar[bool] = True
    name: Literal["split"]
    epoch: ClassVar[int] = 2  # errors are means over what is measured; doubt about an estimated level by picture
    columns: ClassVar[tuple[str, ...]] = (
        "split_mse",
        "split_mse_se",
        "split_output_mse",
        "split_mean_mse",
        "split_mean_mse_se",
        "split_cross",
        "split_freedom",
    )
    a: Annotated[float, Field(gt=0, le=2)]
    law: Annotated[NoiseModel, Exchangeable(NoiseModel)]
    mix: Annotated[list[Denoiser], AfterValidator(in_order_of(get_args(Denoiser))), DefaultForHash([])]

    @property
    def assumes_white_noise(self) -> bool:
        return self.law.is_white

    @property
    def ends(self) -> Sequence[int]:
        return self.law.ends

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from super().config_errors(fit)
        yield from self.law.config_errors(fit)
        if self.mix and not fit.measures_every_pixel:
            yield (
                f"stopping.mix with task={fit.task}: other denoisers need the whole image measured; say stopping.mix=[]"
            )

    def fixed(self, measurement: Float[Tensor, "r c h w"]) -> "Split":
        """Return the rule with the noise of this measurement for good. Raises ValueError as `NoiseModel.known`."""
        return self.model_copy(update={"law": self.law.fixed(measurement)})

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        y, known = given.measurement, given.known()
        if not torch.equal(known, known[:1].expand_as(known)):
            raise ValueError(
                "stopping=split: the replicas' masks differ, so the error of the mean of their images cannot be "
                "estimated; give all the same with shared=[task], or fit replicas=1"
            )
        filled = given.filled()
        law, known = self.law.noise_of(filled), known & noisy(y)
        places = filled if law.clipped else y  # what clipping left depends on the pixels around
        draws = [generator(seed, "stopping") for seed in seeds]
        drawn = [law.extra(image, self.a, draw) for image, draw in zip(places, draws, strict=True)]
        extra, noise = torch.stack(drawn) * known, law.variance(places) * known
        held_out = {"extra": extra, "noise": noise, "y": y, "measured": known[0].flatten().nonzero().squeeze(1)}
        mean_noise = measured(noise, held_out).mean()
        held_out |= {
            "strength": measured(extra.square(), held_out).mean(1),
            "level": mean_noise,
            "doubt": (mean_noise * law.doubt).reshape(1),
            "inflation": y.new_tensor([law.inflation(y)]),
        }
        if law.clipped and given.operator.is_identity:
            held_out |= undoing(law.clipped, y)
        return FitInput(y + extra, given.operator, held_out, law.facts, given.growth * (1 + self.a**2))

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        average, output = (seen.operator(image) for image in (seen.average, seen.output))
        errors = self.errors(average, held_out)
        error, uncertainty = mean_of(errors)
        mean_error, mean_uncertainty = of_mean(measured(average, held_out), errors)
        found = (
            error,
            with_doubt(uncertainty, held_out),
            self.errors(output, held_out).mean(1),
            mean_error.expand_as(error),
            with_doubt(mean_uncertainty, held_out).expand_as(error),
            cross(average, held_out),
            cross(output, held_out) / held_out["strength"],
        )
        # Errors estimated below 0 are errors too: to compare by ratios, the noise's variance is added to all.
        level = held_out["level"]
        return Statistic(error + level, mean_error + level, dict(zip(self.columns, found, strict=True)))

    def errors(self, fitted: Float[Tensor, "r c hy wy"], held_out: HeldOut) -> Float[Tensor, "r n"]:
        """Return of each value that is measured what is (A f - A x)^2 in the mean."""
        residual = fitted - held_out["y"]
        values = residual.square() + 2 * self.a**-2 * residual * held_out["extra"] - held_out["noise"]
        return measured(values, held_out)

    def estimate(self, fitted: Float[Tensor, "r c hy wy"], held_out: HeldOut) -> dict[str, float]:
        """Estimate the error of the mean of the replicas' A f; where the noise was clipped, that of `unbiased`."""
        stretch = measured(held_out["stretch"], held_out) if "stretch" in held_out else 1.0
        mse, uncertainty = of_mean(measured(fitted, held_out) * stretch, self.errors(fitted, held_out) * stretch**2)
        return {"mse": float(mse), "mse_se": float(with_doubt(uncertainty, held_out))}

    def unbiased(self, image: Float[Tensor, "c h w"], held_out: HeldOut) -> Float[Tensor, "c h w"]:
        if "clipped_mean" not in held_out:
            return image
        clipped = ClippedNoise(
            *(held_out[name].cpu().double().numpy() for name in ("clipped_mean", "clipped_variance"))
        )
        return torch.from_numpy(clipped.undone(image.cpu().double().numpy())).to(image)

    def weights(
        self, fitted: Float[Tensor, "r c hy wy"], others: Float[Tensor, "k r c hy wy"], held_out: HeldOut
    ) -> list[float]:
        """Return w_k >= 0, at most 1 in sum, for which the mean of f + sum w_k (g_k - f) has the least error estimate.

        In w that error is a square, w' H w + 2 s' w, less what it is without.
        """
        away = others - fitted
        residual = fitted - held_out["y"] + self.a**-2 * held_out["extra"]
        means = away.nanmean(1).flatten(1).double()
        slopes = [(part * residual).flatten(1).mean(1).nanmean() - covariance(part, fitted) for part in away]
        return smallest_square(
            (means @ means.T / means.shape[1]).cpu().numpy(), torch.stack(slopes).double().cpu().numpy()
        )


def undoing(clipped: ClippedNoise, y: Float[Tensor, "r c h w"]) -> dict[str, Tensor]:
    """Return what undoes the bias of clipped noise: its table, and how errors grow by that."""
    stretch = clipped.stretch(local_mean(y).cpu().double().numpy())
    tables = {"clipped_mean": clipped.mean, "clipped_variance": clipped.variance, "stretch": stretch}
    return {name: torch.from_numpy(values).to(y) for name, values in tables.items()}


def smallest_square(square: Array, slopes: Array) -> list[float]:
    """Return w >= 0 with a sum of 1 at most where w' `square` w + 2 `slopes`' w is smallest."""
    size = square.trace() or 1.0  # so that the search's tolerance suits
    found = minimize(
        lambda w: (w @ square @ w + 2 * slopes @ w) / size,
        np.zeros(len(slopes)),
        jac=lambda w: 2 * (square @ w + slopes) / size,
        bounds=[(0, 1)] * len(slopes),
        constraints={"type": "ineq", "fun": lambda w: 1 - w.sum(), "jac": lambda w: -np.ones_like(w)},
        method="SLSQP",
        options={"ftol": 1e-9},
    )
    return np.clip(found.x, 0, 1).tolist()


def noisy(y: Float[Tensor, "r c h w"]) -> Bool[Tensor, "1 1 h w"]:
    """Return False in bars and margins without noise, whose error cannot be estimated as that of the rest."""
    constant = np.all([without_noise(image) for image in different(y)], axis=0)
    return torch.from_numpy(~constant if not constant.all() else np.ones_like(constant)).to(y.device)[None, None]


def measured(values: Float[Tensor, "r c hy wy"], held_out: HeldOut) -> Float[Tensor, "r n"]:
    """Return those of the values where something is measured, which is the same in all replicas."""
    return values.flatten(1).index_select(1, held_out["measured"])


def mean_of(errors: Float[Tensor, "*r n"]) -> tuple[Float[Tensor, "*r"], Float[Tensor, "*r"]]:
    """Return the mean over values, and its standard error."""
    return errors.mean(-1), errors.std(-1) / errors.shape[-1] ** 0.5


def with_doubt(alone: Float[Tensor, "*r"], held_out: HeldOut) -> Float[Tensor, "*r"]:
    """Return a standard error, of values taken for independent, with what they share and the doubt about the noise."""
    return torch.hypot(alone * held_out["inflation"].sqrt(), held_out["doubt"]).view_as(alone)


def of_mean(fitted: Float[Tensor, "r n"], errors: Float[Tensor, "r n"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return error and standard error of the mean of the replicas' f, from those of each.

    Replicas of one noisy picture share its noise, so that they are no independent looks: it is the spread of the
    replicas' mean, value by value, that counts.
    """
    _, alone = mean_of(errors.nanmean(0))
    return errors.mean(-1).nanmean() - covariance(fitted, fitted), alone


def cross(fitted: Float[Tensor, "r c hy wy"], held_out: HeldOut) -> Float[Tensor, " r"]:
    """Return mean (A f - y) e: how much of e the fit has followed, which is c_t once it is divided by mean e^2."""
    return measured((fitted - held_out["y"]) * held_out["extra"], held_out).mean(1)
