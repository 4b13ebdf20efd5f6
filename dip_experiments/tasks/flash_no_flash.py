"""Restore a picture without flash with the help of one in flashlight (Fig. 10): that is the latent; A = I."""

from collections.abc import Sequence
from typing import Annotated, Literal

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.operators import Identity
from dip_experiments.schema import HashContent
from dip_experiments.tasks.extra_inputs import ExtraInputs, own, published
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeat_per_seed
from dip_experiments.tasks.task import Task


class FlashNoFlash(Restoration):
    """`flash`: the file of the flash image, None for the one that the authors published with the picture."""

    name: Literal["flash_no_flash"]
    flash: Annotated[str | None, HashContent()]

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        if self.flash:
            return {"flash": own(self.flash, "task.flash")}
        return {"flash": published(picture, "task=flash_no_flash", "task.flash=...", "flash")}

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        """Return the task; the flash image leaves the energy alone."""
        return Task(repeat_per_seed(image, seeds), Identity())
