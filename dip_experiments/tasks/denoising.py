"""Remove noise: A = I, E = mean squared error to the noisy image (Fig. 4)."""

from collections.abc import Sequence
from typing import Literal

from dip_experiments.data.pictures import Companion
from dip_experiments.operators import Identity
from dip_experiments.tasks.companions import Companions
from dip_experiments.tasks.noise import Noise
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.task import Task


class Denoising(Restoration):
    """`noise` says how the noisy picture comes about."""

    name: Literal["denoising"]
    noise: Noise

    def companions(self, picture: str) -> dict[str, Companion]:
        return self.noise.companions(picture)

    def make(self, image: Image, seeds: Sequence[int], companions: Companions) -> Task:
        measurement = self.noise.measured(image, seeds, companions)
        return Task(measurement, Identity(), self.noise.reference(image, seeds))
