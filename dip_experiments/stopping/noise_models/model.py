"""Noise models, and how each lets one measurement be split into two that are independent given the clean image.

y1 = y + e is fitted, y2 = y - e / a^2 is never seen; both have the clean image x as their mean, and var y1 =
(1 + a^2) var y. Known as data thinning (Neufeld et al. 2024), data fission (Leiner et al. 2023) and, as a training
loss, recorrupted-to-recorrupted (Pang et al., CVPR 2021).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import PrivateAttr
from torch import Tensor

from dip_experiments.noise import ClippedNoise
from dip_experiments.noise.estimation import ENDS
from dip_experiments.schema import Part
from dip_experiments.stopping.rule import FitContext

Image = Float[Tensor, "c h w"]
Measured = Float[Tensor, "r c h w"]
Facts = dict[str, float | str]


@dataclass(frozen=True)
class KnownNoise(ABC):
    """Noise whose strength is known, given or estimated.

    Attributes:
        level: Its strength, in the unit of its model.
        facts: Messages on it, for the summary.
        doubt: Standard error of the noise's variance, as a part of it: 0 where the level is given.
    """

    level: float
    facts: Facts
    doubt: float = 0.0

    @abstractmethod
    def extra(self, y: Image, a: float, draws: torch.Generator) -> Image:
        """Return e, given y: with mean 0, and a^2 times the covariance of y."""

    @abstractmethod
    def variance(self, y: Measured) -> Measured:
        """Return an estimate of var y, right in the mean."""

    def inflation(self, y: Measured) -> float:
        """Return how much larger the variance of a mean of squares is than for values that share no noise."""
        return 1.0

    @property
    def clipped(self) -> ClippedNoise | None:
        """Say what clipping made of its mean, which is then no more the image; None where it was not clipped."""
        return None


class NoiseModel(Part):
    """Noise that depends on the clean value; a level that is None is estimated from the measurement."""

    kind: ClassVar[str] = "stopping.law"

    ends: ClassVar[Sequence[int]] = ENDS
    """Values that such noise has only where it was clipped."""
    is_white: ClassVar[bool] = True
    """True if neighbours and channels share nothing of it."""
    is_gaussian: ClassVar[bool] = False
    """True if it is Gaussian for a given image, or taken for such, as Stein's risk needs it."""
    _fixed: KnownNoise | None = PrivateAttr(default=None)

    def fixed(self, measurement: Measured) -> "NoiseModel":
        """Return the law with the noise of this measurement for good: that of parts of it, too, such as tiles.

        Raises:
            ValueError: As `known`.
        """
        found = self.model_copy()
        found._fixed = self.known(measurement)
        return found

    @property
    def is_fixed(self) -> bool:
        """True if its noise does not depend on the measurement any more."""
        return self._fixed is not None

    def noise_of(self, measurement: Measured) -> KnownNoise:
        """Return the noise of a measurement, or that of which this one is a part: see `fixed`. Raises as `known`."""
        return self.known(measurement) if self._fixed is None else self._fixed

    def config_errors(self, fit: FitContext) -> Iterator[str]:
        """Return why the law cannot be split for such a task."""
        yield from ()

    @abstractmethod
    def known(self, measurement: Measured) -> KnownNoise:
        """Return the noise of a measurement.

        Raises ValueError without noise, or where the law does not suit the measurement.
        """
