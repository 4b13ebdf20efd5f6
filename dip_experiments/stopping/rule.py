"""Base classes of stopping rules: settings, a statistic of each iteration, and the decision made of it."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from dip_experiments.noise import local_mean
from dip_experiments.noise.estimation import ENDS, INFLATED, Sigma, used_sigma
from dip_experiments.operators import Operator
from dip_experiments.schema import Part

State = dict[str, Tensor]
"""Tensors that a rule updates in place, replica first, of fixed shapes, so that an iteration can be recorded."""
Values: TypeAlias = Float[Tensor, " k"]
Flags: TypeAlias = Bool[Tensor, " k"]
"""One for each replica, and last that of their mean image."""
HeldOut = Mapping[str, Tensor]
"""Data that a rule holds out before the fit, which never sees them."""


@dataclass(frozen=True)
class FitContext:
    """The properties of a fit that decide which rules can monitor it.

    `task`, `latent`: their names; `measures_every_pixel`, `noise_can_be_estimated`: properties of the task; `block`:
    iterations between two looks at the rules; `iterations`: how many at most, None if unknown; `shared`: streams of
    random numbers that all replicas draw alike; `hides_values`: a rule hides a part of the measurement; `plain`: the
    weights alone are fitted, by squared error alone, without perturbations; `rule`: the name of the rule whose law of
    noise is checked.
    """

    task: str
    measures_every_pixel: bool
    noise_can_be_estimated: bool
    latent: str
    block: int
    iterations: int | None = None
    replicas: int = 1
    shared: frozenset[str] = frozenset()
    hides_values: bool = False
    plain: bool = True
    rule: str = "split"


@dataclass(frozen=True)
class Observation:
    """One iteration as a rule sees it, without the reference.

    `operator` is that of the task before a rule hid something of it; `energy` is the mean squared residual over the
    values that are fitted, without those hidden from the fit; `divergence` is (1 / N) sum b_i d f_i / d y_j b_j by the
    latent, where a rule asks for it, with b its probe: +-1, so that it is (1 / N) sum d f_i / d y_i in the mean.
    """

    iteration: Int[Tensor, "1"]
    output: Float[Tensor, "r c h w"]
    average: Float[Tensor, "r c h w"]
    operator: Operator
    energy: Float[Tensor, " r"]
    divergence: Float[Tensor, " r"] | None = None


@dataclass(frozen=True)
class FitInput:
    """The measurement and operator that are fitted, and the data that a rule holds out.

    `facts`: noise levels and the like that the rule uses, for the summary. `growth`: variance of the noise in this
    measurement over that in the original one.
    """

    measurement: Float[Tensor, "r c hy wy"]
    operator: Operator
    held_out: HeldOut = field(default_factory=dict)
    facts: Mapping[str, float | str] = field(default_factory=dict)
    growth: float = 1.0

    def known(self) -> Bool[Tensor, "r c hy wy"]:
        """Return True for each value that is measured: all of them, but for masks."""
        return self.operator.measured(self.measurement)

    @property
    def complete(self) -> bool:
        """True if every value is measured."""
        return bool(self.known().all())

    def filled(self) -> Float[Tensor, "r c hy wy"]:
        """Return the measurement with the mean of known values around in place of hidden ones, which are no black.

        Where none is around, that of the replica's known values.
        """
        known = self.known()
        if known.all():
            return self.measurement
        share = local_mean(known.to(self.measurement))
        around = local_mean(self.measurement * known) / share  # 0 / 0 where nothing is known
        mean = (self.measurement * known).sum((1, 2, 3), keepdim=True) / known.sum((1, 2, 3), keepdim=True)
        return torch.where(known, self.measurement, torch.where(share > 0, around, mean))

    def share(self) -> Float[Tensor, " r"]:
        """Return the part of the values that is measured, for each replica."""
        return self.known().flatten(1).double().mean(1).to(self.measurement.dtype)


@dataclass(frozen=True)
class Statistic:
    """A rule's statistic of one iteration.

    `value` of each replica and `ensemble` of their mean image decide; `columns` are written to the curves.
    """

    value: Float[Tensor, " r"]
    ensemble: Float[Tensor, ""]
    columns: Mapping[str, Float[Tensor, " r"]]


@dataclass(frozen=True)
class BestSoFar:
    """`value`: statistic at the best iteration so far, infinite before the first; `since`: iterations since then."""

    value: Values
    since: Int[Tensor, " k"]
    iteration: Int[Tensor, "1"]


class Stopping(Part):
    """The choice of an early-stopping rule, or of none."""

    kind: ClassVar[str] = "stopping"


class StoppingRule(Stopping):
    """An early-stopping criterion: monitors one fit of several replicas and decides where to stop it.

    It never sees the reference. Subclass `MinimumRule` or `ThresholdRule` for a rule of your own.
    """

    changes_fit: ClassVar[bool] = False
    """True if it holds out a part of the measurement, so that the fit is another one."""
    epoch: ClassVar[int] = 1
    """Raised by hand when the rule begins to find other things; it is stored with what was found."""
    columns: ClassVar[tuple[str, ...]] = ()
    """The curves that it writes."""
    large_state: ClassVar[tuple[str, ...]] = ()
    """Names in its state that are too large to be copied for every block."""
    hides_values: ClassVar[bool] = False
    """True if the fit does not see all of the measurement's values."""
    needs_divergence: ClassVar[bool] = False
    """True if it needs the divergence of the output by the measurement. A probe of its own is held out as `probe`."""
    scored: ClassVar[tuple[str, ...]] = ()
    """Names of an observer's images whose PSNR to the reference, if one is known, is the curve `psnr_<name>`."""

    @property
    def assumes_white_noise(self) -> bool:
        """True if it goes wrong where pixels or channels share their noise."""
        return False

    @property
    def ends(self) -> Sequence[int]:
        """Values that the noise it assumes has only where the picture was clipped."""
        return ENDS

    @property
    def images_held(self) -> int:
        """Images per replica that it holds in memory: those at its stop, their copies, and its own."""
        return 12

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        """Yield a message for each reason why it cannot monitor such a fit."""
        yield from ()

    def hold_out(self, given: FitInput, seeds: Sequence[int]) -> FitInput:
        """Return the input of the fit, without the data that the rule holds out. Raises ValueError where it cannot."""
        return replace(given, held_out={}, facts={})

    def initial_state(self, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> State:
        """Return the state before the first iteration; `images` have the shape, device and precision of the fit's."""
        return {}

    @abstractmethod
    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        """Return the statistic of one iteration, without a branch on a value or a copy to another device."""

    def estimate(self, fitted: Float[Tensor, "r c hy wy"], held_out: HeldOut) -> dict[str, float] | None:
        """Return the estimated `mse` of the mean of the replicas' A f, and its standard error `mse_se`.

        Over the values that are measured; an error of the image only where A is the identity. None if the rule
        estimates no error.
        """
        return None

    def unbiased(self, image: Float[Tensor, "c h w"], held_out: HeldOut) -> Float[Tensor, "c h w"]:
        """Return the image of which a fitted image is the mean measurement: itself, but for noise that was clipped."""
        return image

    @abstractmethod
    def decide(self, value: Values, best: BestSoFar) -> tuple[Flags, Flags]:
        """Return True where this iteration is the best one so far, and True where the stop is final."""


class MinimumRule(StoppingRule):
    """Stop at the smallest statistic, final after `patience` iterations without a smaller one.

    Iterations up to `warm_up` do not count; a new minimum has to be below `accept` times the last one.
    """

    patience: PositiveInt
    warm_up: NonNegativeInt
    accept: Annotated[float, Field(gt=0, le=1)]

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        if self.patience < fit.block:
            yield (
                f"stopping={self.name} with patience={self.patience}: the fit is looked at every fit.block={fit.block} "
                "iterations; give it at least as much patience"
            )

    def decide(self, value: Values, best: BestSoFar) -> tuple[Flags, Flags]:
        smaller = (value < self.accept * best.value) & (best.iteration > self.warm_up)
        return smaller, best.value.isfinite() & (best.since >= self.patience) & ~smaller


class ThresholdRule(StoppingRule):
    """Stop at the first iteration whose statistic is not above 0."""

    def decide(self, value: Values, best: BestSoFar) -> tuple[Flags, Flags]:
        return value <= 0, value <= 0


def unknown_sigma(rule: str, key: str, sigma: Sigma, fit: FitContext) -> Iterator[str]:
    """Yield why a rule cannot work with this sigma; `key`: its setting below `stopping`."""
    if sigma == 0:
        yield f"stopping.{key}=0 with {rule}: without noise there is nothing to stop for; use stopping=none"
    yield from unknown_level(rule, key, "in grey levels of 255", sigma, fit)


def unknown_level(rule: str, key: str, unit: str, level: float | None, fit: FitContext) -> Iterator[str]:
    """Yield why the noise level cannot be estimated, where it is not given."""
    if level is None and not fit.noise_can_be_estimated:
        yield (
            f"stopping={rule} with task={fit.task}: its noise cannot be estimated; give stopping.{key} {unit} "
            f'(from Python: settings={{"stopping.{key}": ...}})'
        )


def covariance(some: Float[Tensor, "*r n"], others: Float[Tensor, "*r n"]) -> Float[Tensor, ""]:
    """Return mean (a_r - mean a) (b_r - mean b) over replicas and values.

    Of images and themselves it is by how much the error of their mean is smaller than the mean of their errors.
    """
    away = (images - images.nanmean(0, keepdim=True) for images in (some, others))
    return torch.mul(*away).nanmean()


def noise_of(sigma: Sigma, given: FitInput) -> tuple[Float[Tensor, " r"], Mapping[str, float | str]]:
    """Return the variance of the noise in the fitted measurement, and facts for the summary.

    `sigma`: standard deviation in the original measurement in grey levels of 255, None to estimate it.

    An estimated standard deviation is enlarged: a residual that seems too small too late costs more than too early.
    """
    used, facts = used_sigma(sigma, given.measurement)
    grown = given.growth if sigma is not None else INFLATED**2
    return given.measurement.new_full((len(given.measurement),), (used / 255) ** 2 * grown), facts
