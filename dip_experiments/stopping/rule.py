"""What every stopping rule is: words, a statistic of what may be seen, and when that says stop."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from dip_experiments.operators import Operator
from dip_experiments.schema import Group
from dip_experiments.stopping.noise_estimation import ENDS, INFLATED, Sigma, used_sigma

State = dict[str, Tensor]
"""What a rule remembers, replica first: changed in place, of fixed shapes, so that an iteration can be recorded."""
Values: TypeAlias = Float[Tensor, " k"]
Flags: TypeAlias = Bool[Tensor, " k"]
"""Of the replicas, and last of their mean."""
Evidence = Mapping[str, Tensor]
"""What a rule has put aside before the fit: the fit never sees it."""
WHOLE = ("denoising", "jpeg", "reconstruction")
"""Tasks that measure the image itself, so that other denoisers can work on it."""


@dataclass(frozen=True)
class Observation:
    """One iteration as a rule sees it; there is no clean image here.

    `operator` is that of the task before a rule hid something of it; `energy` is the mean squared residual over the
    values that are fitted, without those hidden from the fit; `divergence` is (1 / N) d f_i / d y_i by the latent,
    where a rule asks for it.
    """

    iteration: Int[Tensor, "1"]
    output: Float[Tensor, "r c h w"]
    average: Float[Tensor, "r c h w"]
    operator: Operator
    energy: Float[Tensor, " r"]
    divergence: Float[Tensor, " r"] | None = None


@dataclass(frozen=True)
class Prepared:
    """What is fitted, what was put aside of it, and what the rule has to say of itself.

    `growth`: how many times the noise's variance in the measurement is what it was when it was given.
    """

    measurement: Float[Tensor, "r c hy wy"]
    operator: Operator
    evidence: Evidence = field(default_factory=dict)
    facts: Mapping[str, float | str] = field(default_factory=dict)
    growth: float = 1.0

    def known(self) -> Bool[Tensor, "r c hy wy"]:
        """Where something is measured: everywhere, but for masks."""
        ones = torch.ones_like(self.measurement)
        return self.operator(self.operator.adjoint(ones)).ne(0)

    def share(self) -> Float[Tensor, " r"]:
        """What part of the values is measured, replica by replica."""
        return self.known().flatten(1).double().mean(1).to(self.measurement.dtype)


@dataclass(frozen=True)
class Statistic:
    """What a rule makes of an observation.

    `value` of each replica and `joint` of their mean image are judged; `columns` go into the curves.
    """

    value: Float[Tensor, " r"]
    joint: Float[Tensor, ""]
    columns: Mapping[str, Float[Tensor, " r"]]


@dataclass(frozen=True)
class SoFar:
    """`best`: the value at the stop so far, infinite before there is one; `since`: iterations since then."""

    best: Values
    since: Int[Tensor, " k"]
    iteration: Int[Tensor, "1"]


class StoppingRule(Group):
    """Watches one trajectory; its words, and how it comes to its verdict, replica by replica and for all together."""

    name: str
    epoch: ClassVar[int] = 1
    """Raised by hand when the rule begins to find other things; it is stored with what was found."""
    columns: ClassVar[tuple[str, ...]] = ()
    """The curves that it writes."""
    rings: ClassVar[tuple[str, ...]] = ()
    """Names of what is too large in its state to be copied for every block."""
    trusts_noise: ClassVar[bool] = False
    """Whether it goes wrong where pixels or channels share their noise."""
    needs_divergence: ClassVar[bool] = False
    """Whether it looks at the divergence."""

    @property
    def ends(self) -> Sequence[int]:
        """Values that the noise it assumes has only where the picture was clipped."""
        return ENDS

    @property
    def images_kept(self) -> int:
        """How many images per replica it holds: those at its stop, their copies, and its own."""
        return 12

    def faults(self, task: str, latent: str, block: int) -> Iterator[str]:
        """Why it cannot watch such a fit, in words: names of task and latent, iterations of a block."""
        yield from ()

    def prepare(self, given: Prepared, seeds: Sequence[int]) -> Prepared:
        """What is fitted: the same, unless the rule needs a part of it. Raises ValueError where it cannot."""
        return replace(given, evidence={}, facts={})

    def begin(self, images: Float[Tensor, "r c h w"], evidence: Evidence) -> State:
        """What it remembers before the first iteration; `images` have the shape, device and precision of the fit's."""
        return {}

    @abstractmethod
    def observe(self, seen: Observation, state: State, evidence: Evidence) -> Statistic:
        """The statistic of one iteration. No value is branched on, and nothing leaves the device."""

    def estimate(self, fitted: Float[Tensor, "r c hy wy"], evidence: Evidence) -> dict[str, float] | None:
        """`mse` of the mean of the replicas' A f with its standard error, `mse_se`; None from a rule that has none.

        Over the values that are measured; an error of the image only where A is the identity.
        """
        return None

    @abstractmethod
    def judge(self, value: Values, so_far: SoFar) -> tuple[Flags, Flags]:
        """Whether this iteration is the one to stop at as far as is known, and whether that is final."""


class MinimumRule(StoppingRule):
    """The iteration with the smallest statistic, believed after `patience` iterations without a smaller one.

    The first minimum that is believed stays: later ones are not looked at. It counts after `warm_up` iterations, and
    if it is below `accept` times the one before.
    """

    patience: PositiveInt
    warm_up: NonNegativeInt
    accept: Annotated[float, Field(gt=0, le=1)]

    def faults(self, task: str, latent: str, block: int) -> Iterator[str]:
        if self.patience < block:
            yield (
                f"stopping={self.name} with patience={self.patience}: the fit is looked at every fit.block={block} "
                "iterations; give it at least as much patience"
            )

    def judge(self, value: Values, so_far: SoFar) -> tuple[Flags, Flags]:
        smaller = (value < self.accept * so_far.best) & (so_far.iteration > self.warm_up)
        return smaller, so_far.best.isfinite() & (so_far.since >= self.patience) & ~smaller


class ThresholdRule(StoppingRule):
    """The first iteration whose statistic is not above 0."""

    def judge(self, value: Values, so_far: SoFar) -> tuple[Flags, Flags]:
        return value <= 0, value <= 0


def covariance(some: Float[Tensor, "*r n"], others: Float[Tensor, "*r n"]) -> Float[Tensor, ""]:
    """mean (a_r - mean a) (b_r - mean b) over replicas and values.

    Of images and themselves it is by how much the error of their mean is smaller than the mean of their errors.
    """
    away = (images - images.nanmean(0, keepdim=True) for images in (some, others))
    return torch.mul(*away).nanmean()


def noise_of(sigma: Sigma, given: Prepared) -> tuple[Float[Tensor, " r"], Mapping[str, float | str]]:
    """The noise's variance in what is fitted, and what is to be said of it; `sigma` is that of what was given.

    An estimated standard deviation is enlarged: a residual that seems too small too late costs more than too early.
    """
    used, facts = used_sigma(sigma, given.measurement)
    grown = given.growth if sigma is not None else INFLATED**2
    return given.measurement.new_full((len(given.measurement),), (used / 255) ** 2 * grown), facts
