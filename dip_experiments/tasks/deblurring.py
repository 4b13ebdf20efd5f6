"""Remove blur: A x = x * k with a known kernel k."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.operators import Blur
from dip_experiments.schema import Exchangeable
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.inverse import Source, measured_through
from dip_experiments.tasks.kernels import Kernel
from dip_experiments.tasks.noise import Noise, expand_shorthand
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.task import Task


class Deblurring(Restoration):
    """`kernel`: the blur, known; `noise`: added after it.

    `source`: `original`, the picture is blurred first; `measurement`, it is blurred and noisy already.
    """

    name: Literal["deblurring"]
    kernel: Annotated[Kernel, Exchangeable(Kernel)]
    noise: Annotated[Noise, Exchangeable(Noise), BeforeValidator(expand_shorthand)]
    source: Source

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        return self.kernel.extra_inputs()

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        operator = Blur(self.kernel.values(extra_inputs))
        return measured_through(operator, self.noise, self.source, image, seeds)
