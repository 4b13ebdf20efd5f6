"""Observers of a fit: `observe=[bands]`, `observe=[degrees_of_freedom]` and their like."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from dip_experiments.architectures import Network
from dip_experiments.stopping import FitContext, FitStart, HeldOut, Observation, Observer
from dip_experiments.stopping.rule import State
from dip_experiments.theory.bands import BANDS, amplitude_ratio, band_masks, explained_energy
from dip_experiments.theory.degrees_of_freedom import degrees_of_freedom
from dip_experiments.theory.jacobian import evaluation, gradient_norms, less_mean, noise_like, trainable
from dip_experiments.theory.linearised_path import descent_rate, distinct_pixels, nearest, path
from dip_experiments.theory.posterior import initial_moments, pooled_spread, spread, update
from dip_experiments.theory.tangent_kernel import energy, relative_changes, spectrum, tangent_kernel

BEFORE = "before."
"""Beginning of the names of weights before the first iteration."""
LARGEST = 4096
"""Values of an image whose tangent kernel is computed: 64 MB of it in float32 (ours)."""


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

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        y = fit.fit_input.measurement
        return {"target": y, "masks": band_masks(*y.shape[2:]).to(y)}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        images = seen.operator(seen.output), held_out["target"], held_out["masks"]
        return dict(zip(self.columns, [*amplitude_ratio(*images), *explained_energy(*images)], strict=True))


class DegreesOfFreedom(Observer):
    """Degrees of freedom per value, from replicas that differ in their noise alone: see `theory.degrees_of_freedom`.

    Share all the rest: `shared=[target,init,latent,perturbation]`.
    """

    name: Literal["degrees_of_freedom"]
    columns: ClassVar[tuple[str, ...]] = ("freedom", "freedom_se")

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        needed = {"init", "latent", "perturbation"}
        if fit.replicas < 2 or not needed <= fit.shared or {"target", "task"} <= fit.shared:
            yield (
                "observe=[degrees_of_freedom]: it compares fits that differ in their noise alone; give replicas=2 or "
                "more and shared=[target,init,latent,perturbation], or shared=[init,latent,perturbation] where the "
                "target draws the noise"
            )

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        y = fit.fit_input.measurement
        if torch.equal(y[:1].expand_as(y), y):
            raise ValueError(
                "observe=[degrees_of_freedom]: it compares fits that differ in their noise, and here all replicas see "
                "the same measurement; choose a task or a target with noise"
            )
        return {"fitted": y}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        found = degrees_of_freedom(seen.operator(seen.output), held_out["fitted"])
        return {name: value.expand(len(seen.output)) for name, value in zip(self.columns, found, strict=True)}


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
    eigenvalues, energies of image and noise, three columns of the kernel, and the change of each weight.
    """

    name: Literal["tangent_kernel"]
    columns: ClassVar[tuple[str, ...]] = ("path_distance", "linearised_distance")
    scored: ClassVar[tuple[str, ...]] = ("nearest", "linearised")

    @property
    def images_held(self) -> int:
        return super().images_held + 4

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        if fit.replicas > 1:
            yield f"observe=[tangent_kernel] with replicas={fit.replicas}: it is that of one network; sweep seed=0,1,2"

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        y, n = fit.fit_input.measurement, fit.fit_input.measurement.numel()
        if not fit.fit_input.operator.is_identity or n > LARGEST:
            raise ValueError(
                f"observe=[tangent_kernel]: the kernel of {n} values has as many rows; give an image of at most "
                f"{LARGEST}, such as image=camera image.size=32, that is measured itself"
            )
        kernel = tangent_kernel(fit.network, fit.latent)
        found, first = spectrum(kernel), evaluation(fit.network, fit.latent)(trainable(fit.network))
        reference = y if fit.reference is None else fit.reference
        lr = fit.optimizer.descent_lr
        rate = torch.nan if lr is None else descent_rate(lr, n, found)
        pixels = distinct_pixels(reference[0].mean(0))
        return {
            "values": found.values,
            "vectors": found.vectors,
            "first": first,
            "misfit": found.vectors.T @ (y - first).flatten(),
            "path": path(found),
            "rate": y.new_tensor([rate]),
            "image_energy": energy(found, reference),
            "noise_energy": energy(found, y - reference) if not torch.equal(y, reference) else y.new_zeros(n),
            "pixels": torch.tensor(pixels, device=y.device),
            "columns": kernel[:, [row * y.shape[3] + column for row, column in pixels]].T,
            **{f"{BEFORE}{name}": value.clone() for name, value in trainable(fit.network).items()},
        }

    def initial_state(self, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> State:
        return {name: torch.zeros_like(images) for name in self.scored}

    def images(self, state: State) -> Mapping[str, Float[Tensor, "r c h w"]]:
        return {name: state[name] for name in self.scored}

    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        vectors, misfit, first = held_out["vectors"], held_out["misfit"], held_out["first"]
        moved = vectors.T @ (seen.output - first).flatten()
        reached = held_out["path"][nearest(moved, misfit, held_out["path"])]
        rate, started = held_out["rate"], (seen.iteration > 1).to(moved)
        descended = 1 - (1 - rate * held_out["values"]) ** (seen.iteration - 1) + 0 * rate
        distances = []
        for name, part in (("nearest", reached), ("linearised", descended)):
            predicted = part * misfit
            state[name].copy_(first + (vectors @ predicted).view_as(first))
            distances.append(started * (moved - predicted).norm() / moved.norm().clamp_min(1e-12))
        return {name: value.reshape(1) for name, value in zip(self.columns, distances, strict=True)}

    def results(self, network: Network, state: State, held_out: HeldOut) -> Mapping[str, Any]:
        arrays = ("values", "image_energy", "noise_energy", "pixels", "columns")
        before = {name.removeprefix(BEFORE): value for name, value in held_out.items() if name.startswith(BEFORE)}
        changes = relative_changes(before, trainable(network))
        return {**{name: held_out[name].cpu().numpy() for name in arrays}, "weight_changes": changes}


class Posterior(Observer):
    """Mean and spread of the outputs of every `every`-th iteration after `burn_in`: see `theory.posterior`.

    With `optimizer=sgld` they are samples of a posterior. `posterior_spread` is the mean of the spread over an image;
    in the summary is the part of the reference within 1, 2 and 3 spreads of the mean.
    """

    name: Literal["posterior"]
    columns: ClassVar[tuple[str, ...]] = ("posterior_spread",)
    scored: ClassVar[tuple[str, ...]] = ("posterior_mean",)
    spreads: ClassVar[Mapping[str, str]] = {"posterior_mean": "posterior_deviation"}
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
        pooled = pooled_spread(state["mean"][sound], spread(state)[sound], state["count"])
        mean = state["mean"][sound].mean(0)
        arrays = {
            name: image.float().cpu().numpy() for name, image in (("pooled_mean", mean), ("pooled_spread", pooled))
        }
        return {"samples": int(state["count"]), **arrays}
