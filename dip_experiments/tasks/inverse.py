"""Any inverse problem y = A x + noise, with an operator of the user's."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict

from dip_experiments.operators import Operator, as_operator, measure
from dip_experiments.schema import TARGET, Exchangeable, Part, imported_object
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.noise import Noise, expand_shorthand
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeat_per_seed
from dip_experiments.tasks.task import Task

Source = Literal["original", "measurement"]
ROUNDING = 1e-3
"""Outside [0, 1] that is no more than rounding or a kernel's weights."""


class OperatorSettings(Part):
    """Settings of the operator of `task=inverse`."""

    kind: ClassVar[str] = "task.operator"

    @abstractmethod
    def make(self, shape: tuple[int, int, int] | None) -> Operator:
        """Return the operator. `shape`: channels, rows and columns of the image, None if it is not known."""


class CustomOperator(OperatorSettings):
    """A class or function of the user's by its dotted path; all other settings are its keyword arguments.

    It returns an `Operator`, a function of images (n, c, h, w), or a deepinv physics.
    """

    model_config = ConfigDict(extra="allow")
    adapts: ClassVar[bool] = True

    @classmethod
    def accepts(cls, found: Any) -> bool:
        return callable(found)

    def make(self, shape: tuple[int, int, int] | None) -> Operator:
        setting = f"{self.kind}.{TARGET}"
        made = imported_object(str(self.target), setting)
        try:
            return as_operator(made(**(self.model_extra or {})), shape)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{setting}={self.target}: {error}") from None


class Inverse(Restoration):
    """`operator`: A; `noise`: added to A x.

    `source`: `original`, the picture is x and is measured first; `measurement`, it is y.
    """

    noise_can_be_estimated: ClassVar[bool] = False  # A x may look like noise
    name: Literal["inverse"]
    operator: Annotated[OperatorSettings, Exchangeable(OperatorSettings)]
    noise: Annotated[Noise, Exchangeable(Noise), BeforeValidator(expand_shorthand)]
    source: Source

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        shape = None if self.source == "measurement" else (image.shape[0], image.shape[1], image.shape[2])
        return measured_through(self.operator.make(shape), self.noise, self.source, image, seeds)


def measured_through(operator: Operator, noise: Noise, source: Source, image: Image, seeds: Sequence[int]) -> Task:
    """Return the task of a picture that is measured through an operator and made noisy, or is so already.

    Raises:
        ValueError: If the operator fails on the picture, or the noise is that of published files, or is not for
            values as the measurement has.
    """
    if noise.is_published:
        raise ValueError(
            f"task/noise={noise.name}: was published for denoising; choose another noise, such as gaussian"
        )
    if source == "measurement":
        return Task(repeat_per_seed(image, seeds), operator)
    clean = measure(operator, image.unsqueeze(0)).squeeze(0)
    least, largest = float(clean.min()), float(clean.max())
    low, high = noise.domain
    if least < low - ROUNDING or largest > high + ROUNDING:
        within = "from 0 on" if high == math.inf else "in [0, 1]"
        raise ValueError(
            f"task/noise={noise.name}: it is for values {within}, and without noise the measurement has some from "
            f"{least:.3g} to {largest:.3g}; give task/noise=gaussian task.noise.clip=false"
        )
    return Task(noise.measured(clean, seeds, {}), operator, repeat_per_seed(image, seeds))
