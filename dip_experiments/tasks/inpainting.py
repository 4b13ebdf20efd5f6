"""Fill in what is missing: E = mean over *all* pixels of (m (x_hat - x))^2, m = 1 where known (PAPER detail 8)."""

from collections.abc import Sequence
from typing import Literal

from dip_experiments import operators
from dip_experiments.data.pictures import Companion
from dip_experiments.tasks.companions import Companions
from dip_experiments.tasks.masks import Mask
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeated
from dip_experiments.tasks.task import Task


class Inpainting(Restoration):
    """`mask` says what is missing; the operator of the task has it as `known`."""

    name: Literal["inpainting"]
    mask: Mask

    def companions(self, picture: str) -> dict[str, Companion]:
        return self.mask.companions(picture)

    def make(self, image: Image, seeds: Sequence[int], companions: Companions) -> Task:
        operator = operators.Mask(self.mask.known(image, seeds, companions))
        return Task(operator(repeated(image, seeds)), operator, self.mask.reference(image, seeds))
