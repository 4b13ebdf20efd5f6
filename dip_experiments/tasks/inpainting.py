"""Fill in what is missing: E = mean over *all* pixels of (m (x_hat - x))^2, m = 1 where known (PAPER detail 8)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from dip_experiments import operators
from dip_experiments.data.pictures import ExtraInput
from dip_experiments.schema import Exchangeable
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.masks import Mask, expand_shorthand
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeat_per_seed
from dip_experiments.tasks.task import Task


class Inpainting(Restoration):
    """`mask`: which values are missing; the operator of the task has it as `known`."""

    noise_can_be_estimated: ClassVar[bool] = False  # holes look like noise
    name: Literal["inpainting"]
    mask: Annotated[Mask, Exchangeable(Mask), BeforeValidator(expand_shorthand)]

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        return self.mask.extra_inputs(picture)

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        operator = operators.Mask(self.mask.known(image, seeds, extra_inputs))
        return Task(operator(repeat_per_seed(image, seeds)), operator, self.mask.reference(image, seeds))
