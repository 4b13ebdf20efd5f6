"""Observers of a fit: `observe=[bands]`, `observe=[degrees_of_freedom]` and their like."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.stopping import FitContext, FitStart, HeldOut, Observation, Observer
from dip_experiments.stopping.rule import State
from dip_experiments.theory.bands import BANDS, amplitude_ratio, band_masks, explained_energy
from dip_experiments.theory.degrees_of_freedom import degrees_of_freedom


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
