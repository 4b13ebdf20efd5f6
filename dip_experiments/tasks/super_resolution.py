"""More pixels (Figs. 5 and 6, PAPER detail 7): how the small image is made is not what the fit looks through."""

from collections.abc import Sequence
from typing import Literal

import PIL.Image
from jaxtyping import Float
from torch import Tensor

from dip_experiments.operators import Downsampler
from dip_experiments.tasks.eight_bit import from_8_bit, to_8_bit
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeat_per_seed
from dip_experiments.tasks.task import Task


class SuperResolution(Restoration):
    """`factor` times as many pixels a side, looked at through a Lanczos kernel of so many `lobes`.

    `source`: whether the picture is made small first, or is the small one already.
    """

    name: Literal["super_resolution"]
    factor: Literal[2, 3, 4, 8]
    lobes: Literal[2, 3]
    source: Literal["original", "low_resolution"]

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        operator = Downsampler(self.factor, self.lobes)
        if self.source == "low_resolution":
            return Task(repeat_per_seed(image, seeds), operator)
        return Task(repeat_per_seed(low_resolution(image, self.factor), seeds), operator, repeat_per_seed(image, seeds))


def low_resolution(image: Image, factor: int) -> Float[Tensor, "c hy wy"]:
    """Return the image 1 / `factor` its size, by Pillow's antialiased Lanczos-3 in 8 bit (PAPER detail 7).

    Raises ValueError unless `factor` divides both sides.
    """
    height, width = image.shape[1:]
    if height % factor or width % factor:
        raise ValueError(
            f"task.factor={factor}: needs sides that it divides, not {height} x {width} pixels; "
            f"use image.multiple={factor}"
        )
    size = (width // factor, height // factor)
    return from_8_bit(to_8_bit(image).resize(size, PIL.Image.Resampling.LANCZOS)).to(image)
