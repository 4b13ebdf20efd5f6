"""Observers: they measure a fit, and never stop it."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.architectures import Network
from dip_experiments.optimizers import Optimizer
from dip_experiments.stopping.rule import (
    BestSoFar,
    FitInput,
    Flags,
    HeldOut,
    Observation,
    State,
    Statistic,
    StoppingRule,
    Values,
)


@dataclass(frozen=True)
class FitStart:
    """A fit before its first iteration, replica first.

    Attributes:
        fit_input: The measurement that is fitted, and its operator.
        reference: The clean image, None if it is not known. An observer may describe with it what was measured; no rule
            that stops a fit is given it.
        seeds: One for each replica.
    """

    network: Network
    latent: Float[Tensor, "r cz hz wz"]
    fit_input: FitInput
    reference: Float[Tensor, "r c h w"] | None
    optimizer: Optimizer
    seeds: Sequence[int]


class Observer(StoppingRule):
    """Measures a fit and never stops it: columns of its curves, images at its end, numbers and arrays of its summary.

    No iteration is shown the reference. Subclass it for a measure of your own.
    """

    spreads: ClassVar[Mapping[str, str]] = {}
    """Image -> the image of its standard deviation, whose coverage is part of the summary."""
    of_one_measurement: ClassVar[tuple[str, ...]] = ()
    """Names of `results` that are over all replicas: left out where their measurements differ."""

    @property
    def images_held(self) -> int:
        return 8  # those of the monitor

    def start(self, fit: FitStart) -> dict[str, Tensor]:
        """Return constants that are measured before the first iteration; they join the data that is held out.

        A fit that is resumed measures them again.
        """
        return {}

    @abstractmethod
    def measure(self, seen: Observation, state: State, held_out: HeldOut) -> Mapping[str, Float[Tensor, " r"]]:
        """Return the columns of one iteration, without a branch on a value or a copy to another device."""

    def images(self, state: State) -> Mapping[str, Float[Tensor, "r c h w"]]:
        """Return images by name, as they are after the iterations so far."""
        return {}

    def results(self, network: Network, state: State, held_out: HeldOut) -> Mapping[str, Any]:
        """Return numbers, lists of them, and arrays, at the end of the fit: for the summary, and for `observed.npz`."""
        return {}

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        never = torch.full_like(seen.energy, torch.inf)
        return Statistic(never, never[0], self.measure(seen, state, held_out))

    def decide(self, value: Values, best: BestSoFar) -> tuple[Flags, Flags]:
        never = torch.zeros_like(value, dtype=torch.bool)
        return never, never
