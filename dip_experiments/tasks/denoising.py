"""Remove noise: A = I, E = mean squared error to the noisy image (Fig. 4)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.operators import Identity
from dip_experiments.schema import Exchangeable
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.noise import Noise, expand_shorthand
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.task import Task


class Denoising(Restoration):
    """`noise`: how the noisy picture comes about."""

    measures_every_pixel: ClassVar[bool] = True
    divides: ClassVar[bool] = True
    name: Literal["denoising"]
    noise: Annotated[Noise, Exchangeable(Noise), BeforeValidator(expand_shorthand)]

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        return self.noise.extra_inputs(picture)

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        measurement = self.noise.measured(image, seeds, extra_inputs)
        return Task(measurement, Identity(), self.noise.reference(image, seeds))
