"""Remove JPEG's blocks and ringing: A = I, E = mean squared error to the JPEG (Fig. 3)."""

import io
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import PIL.Image
from pydantic import Field

from dip_experiments.operators import Identity
from dip_experiments.tasks.eight_bit import from_8_bit, to_8_bit
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeat_per_seed
from dip_experiments.tasks.task import Task


class Jpeg(Restoration):
    """`quality` from 1 (worst) to 100; None: the picture is a JPEG already."""

    measures_every_pixel: ClassVar[bool] = True
    noise_can_be_estimated: ClassVar[bool] = False  # blocks of 8 x 8 pixels look like noise, or hide it
    name: Literal["jpeg"]
    quality: Annotated[int, Field(ge=1, le=100)] | None

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        if self.quality is None:
            return Task(repeat_per_seed(image, seeds), Identity())
        return Task(
            repeat_per_seed(through_file(image, self.quality), seeds), Identity(), repeat_per_seed(image, seeds)
        )


def through_file(image: Image, quality: int) -> Image:
    """Write the image as JPEG and read it back, in 8 bit, by Pillow with its own chroma subsampling."""
    file = io.BytesIO()
    to_8_bit(image).save(file, format="JPEG", quality=quality)
    return from_8_bit(PIL.Image.open(file)).to(image)
