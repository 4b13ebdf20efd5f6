"""Observers of a fit: `observe=[bands]`, `observe=[degrees_of_freedom]` and their like."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from dip_experiments.architectures import Network
from dip_experiments.stopping import FitContext, FitInput, FitStart, HeldOut, Observation, Observer
from dip_experiments.stopping.rule import State
from dip_experiments.theory.bands import BANDS, amplitude_ratio, band_masks, explained_energy
from dip_experiments.theory.degrees_of_freedom import FEWEST, pseudo_values
from dip_experiments.theory.jacobian import evaluation, gradient_norms, less_mean, noise_like, trainable
from dip_experiments.theory.linearised_path import (
    descent_rate,
    distinct_pixels,
    nearest,
    path,
    reached_by_descent,
)
from dip_experiments.theory.posterior import initial_moments, pooled_spread, spread, update
from dip_experiments.theory.tangent_kernel import energy, relative_changes, spectrum, tangent_kernel

BEFORE = "before."
"""Beginning of the names of weights before the first iteration."""
LARGEST = 4096
"""Values of an image whose tangent kernel is computed: 64 MB of it in float32 (ours)."""


def no_hidden_values(observer: str, fit: FitContext) -> Iterator[str]:
    """Yield why an observer that compares A f with all of the measurement cannot, where a rule hides a part of it."""
    if fit.hides_values:
        yield (
            f"observe=[{observer}] with held_out_pixels: it compares the output with all of the measurement, a part of "
            "which that rule hides; leave one of them out"
        )


class Bands(Observer):
    """How much of five frequency bands of the measurement the output has explained: see `theory.bands`.

    `band_1` to `band_5` are the ratios of amplitudes, from the lowest band to the highest, `band_energy_1` to
    `band_energy_5` the parts of the energy that are explained.
    """

    name: Literal["bands"]
    columns: ClassVar[tuple[str, ...]] = (
        *(f"band_{band + 1}" for band in range(BANDS)),
        *(f"band_energy_{band + 1}" for band in range(BANDS)),
    )

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from no_hidden_values(self.name, fit)

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        y = fit.fit_input.measurement
        return {"target": y, "masks": band_masks(*y.shape[2:]).to(y)}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        images = seen.operator(seen.output), held_out["target"], held_out["masks"]
        return dict(zip(self.columns, [*amplitude_ratio(*images), *explained_energy(*images)], strict=True))


class DegreesOfFreedom(Observer):
    """Degrees of freedom per value, from replicas that differ in their noise alone: see `theory.degrees_of_freedom`.

    `freedom` has a pseudo-value of each replica: their mean is the estimate, and their standard deviation by the root
    of their number its standard error. Share all else: `shared=[target,init,latent,perturbation]`.
    """

    name: Literal["degrees_of_freedom"]
    columns: ClassVar[tuple[str, ...]] = ("freedom",)

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        yield from no_hidden_values(self.name, fit)
        needed = {"init", "latent", "perturbation"}
        if fit.replicas < FEWEST or not needed <= fit.shared or {"target", "task"} <= fit.shared:
            yield (
                f"observe=[degrees_of_freedom]: it compares fits that differ in their noise alone; give "
                f"replicas={FEWEST} or more and shared=[target,init,latent,perturbation], or "
                "shared=[init,latent,perturbation] where the target draws the noise"
            )

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        y = given.measurement
        if len(y) > 1 and torch.equal(y[:1].expand_as(y), y):
            raise ValueError(
                "observe=[degrees_of_freedom]: it compares fits that differ in their noise, and here all replicas see "
                "the same measurement; choose a task or a target with noise"
            )
        return super().hold_out(given, seeds)

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        return {"fitted": fit.fit_input.measurement}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        return {"freedom": pseudo_values(seen.operator(seen.output), held_out["fitted"])}


class GradientNorms(Observer):
    """Norms of the gradients towards the measurement and towards noise before the first iteration, for each replica.

    In the summary: `picture` and `noise` are those of `theory.jacobian.gradient_norms` for the measurement and for
    noise of its norm, `picture_centred` and `noise_centred` for both less their means, again of one norm.
    """

    name: Literal["gradient_norms"]

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        y = fit.fit_input.measurement
        centred = less_mean(y)
        directions = {
            "picture": y,
            "noise": noise_like(y, fit.seeds),
            "picture_centred": centred,
            "noise_centred": noise_like(centred, fit.seeds, centred=True),
        }
        return {name: gradient_norms(fit.network, fit.latent, image) for name, image in directions.items()}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        return {}

    def results(self, network: Network, state: State, held_out: HeldOut) -> Mapping[str, Any]:
        return {name: norms.tolist() for name, norms in held_out.items()}


class TangentKernel(Observer):
    """The tangent kernel before the first iteration, and the fit that it predicts: see `theory.tangent_kernel`.

    Columns: `path_distance`, how far the output is from the nearest point of the linearised fit, whatever its speed,
    by how far it is from the first output; `linearised_distance`, the same for the point at this iteration of gradient
    descent, not known for another optimizer. Curves of `nearest` and `linearised` have their PSNR. At the end:
    eigenvalues, energies of the image less its mean, of the image less the first output (what is to be fitted) and of
    the noise, three columns of the kernel, and the change of each weight.
    """

    name: Literal["tangent_kernel"]
    columns: ClassVar[tuple[str, ...]] = ("path_distance", "linearised_distance")
    scored: ClassVar[tuple[str, ...]] = ("nearest", "linearised")

    @property
    def images_held(self) -> int:
        return super().images_held + 2 * LARGEST  # eigenvectors and path, as if the image were the largest

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        if fit.replicas > 1:
            yield f"observe=[tangent_kernel] with replicas={fit.replicas}: it is that of one network; sweep seed=0,1,2"
        if not fit.plain:
            yield (
                "observe=[tangent_kernel]: the fit that it predicts is that of the weights by squared error alone; use "
                "loss=mse, regularizer=none, latent.perturbation=0, fit.weight_noise=0 and latent.optimise=theta"
            )

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        n = given.measurement[0].numel()
        if not given.operator.is_identity or n > LARGEST:
            raise ValueError(
                f"observe=[tangent_kernel]: the kernel of {n} values has as many rows; give an image of at most "
                f"{LARGEST}, such as image=camera image.size=32, that is measured itself"
            )
        return super().hold_out(given, seeds)

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        y = fit.fit_input.measurement
        kernel = tangent_kernel(fit.network, fit.latent)
        found, first = spectrum(kernel), evaluation(fit.network, fit.latent)(trainable(fit.network))
        reference = y if fit.reference is None else fit.reference
        lr = fit.optimizer.descent_lr
        rate = torch.nan if lr is None else descent_rate(lr, y.numel(), found)
        pixels = distinct_pixels(reference[0].mean(0))
        images = {"image": less_mean(reference), "misfit": reference - first, "noise": y - reference}
        return {
            "values": found.values,
            "vectors": found.vectors,
            "first": first,
            "target": found.vectors.T @ (y - first).flatten(),
            "path": path(found),
            "rate": y.new_tensor([rate]),
            **{f"{name}_energy": energy(found, image) for name, image in images.items()},
            "pixels": torch.tensor(pixels, device=y.device),
            "columns": kernel[:, [row * y.shape[3] + column for row, column in pixels]].T,
            **{f"{BEFORE}{name}": value.clone() for name, value in trainable(fit.network).items()},
        }

    def initial_state(self, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> State:
        return {name: torch.zeros_like(images) for name in self.scored}

    def images(self, state: State) -> Mapping[str, Float[Tensor, "r c h w"]]:
        return {name: state[name] for name in self.scored}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        vectors, misfit, first = held_out["vectors"], held_out["target"], held_out["first"]
        moved = vectors.T @ (seen.output - first).flatten()
        done = seen.iteration - 1
        parts = {
            "nearest": nearest(moved, misfit, held_out["path"]),
            "linearised": reached_by_descent(held_out["values"], held_out["rate"], done),
        }
        distances = []
        for name, part in parts.items():
            state[name].copy_(first + (vectors @ (part * misfit)).view_as(first))
            away = (moved - part * misfit).norm() / moved.norm().clamp_min(1e-12)
            distances.append((done > 0) * away)
        return dict(zip(self.columns, distances, strict=True))

    def results(self, network: Network, state: State, held_out: HeldOut) -> Mapping[str, Any]:
        arrays = ("values", "image_energy", "misfit_energy", "noise_energy", "pixels", "columns")
        before = {name.removeprefix(BEFORE): value for name, value in held_out.items() if name.startswith(BEFORE)}
        changes = relative_changes(before, trainable(network))
        return {**{name: held_out[name].cpu().numpy() for name in arrays}, "weight_changes": changes}


class Posterior(Observer):
    """Mean and spread of the outputs of every `every`-th iteration after `burn_in`: see `theory.posterior`.

    With `optimizer=sgld` they are samples of a posterior. `posterior_spread` is the mean of the spread over an image;
    in the summary is the part of the reference within 1, 2 and 3 spreads of the mean, and that of all replicas' samples
    together if they are fitted to one measurement (`shared=[task]`): those of several are of several posteriors.
    """

    name: Literal["posterior"]
    columns: ClassVar[tuple[str, ...]] = ("posterior_spread",)
    scored: ClassVar[tuple[str, ...]] = ("posterior_mean",)
    spreads: ClassVar[Mapping[str, str]] = {"posterior_mean": "posterior_deviation"}
    of_one_measurement: ClassVar[tuple[str, ...]] = ("pooled_mean", "pooled_spread")
    burn_in: NonNegativeInt
    every: PositiveInt

    @property
    def images_held(self) -> int:
        return super().images_held + 8

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        if fit.iterations is not None and fit.iterations < self.burn_in + 2 * self.every:
            yield (
                f"observe.posterior.burn_in={self.burn_in} with fit.iterations={fit.iterations}: no two samples; give "
                f"at least {self.burn_in + 2 * self.every} iterations, or a smaller burn_in or every"
            )

    def initial_state(self, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> State:
        return initial_moments(images)

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        after = seen.iteration - self.burn_in
        update(state, seen.output, ((after > 0) & (after % self.every == 0)).squeeze())
        return {"posterior_spread": spread(state).flatten(1).mean(1).to(seen.output)}

    def images(self, state: State) -> Mapping[str, Float[Tensor, "r c h w"]]:
        return {
            "posterior_mean": torch.where(state["count"] > 0, state["mean"], torch.nan),
            "posterior_deviation": spread(state),
        }

    def results(self, network: Network, state: State, held_out: HeldOut) -> Mapping[str, Any]:
        sound = state["mean"].isfinite().flatten(1).all(1)  # without replicas that failed
        samples = int(state["count"])
        if samples < 2 or not sound.any():
            return {"samples": samples}
        pooled = pooled_spread(state["mean"][sound], spread(state)[sound], state["count"])
        mean = state["mean"][sound].mean(0)
        arrays = {
            name: image.float().cpu().numpy() for name, image in (("pooled_mean", mean), ("pooled_spread", pooled))
        }
        return {"samples": samples, **arrays}
