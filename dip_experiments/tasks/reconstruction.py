"""Fit the target itself: A = I (the study of Fig. 2)."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from dip_experiments.operators import Identity
from dip_experiments.tasks.restoration import TaskSettings
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.targets import Target
from dip_experiments.tasks.task import Task


class Reconstruction(TaskSettings):
    """E = mean squared error to the target."""

    measures_every_pixel: ClassVar[bool] = True
    name: Literal["reconstruction"]

    def make(self, image: Image, seeds: Sequence[int], target: Target) -> Task:
        """Return the task for replicas of the given seeds, of what the target makes of the image."""
        return Task(target.signal(image, seeds), Identity(), target.reference(image, seeds))
