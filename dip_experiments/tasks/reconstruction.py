"""Fit the target itself: A = I (the study of Fig. 2)."""

from collections.abc import Sequence
from typing import Literal

from dip_experiments.data.pictures import Companion
from dip_experiments.operators import Identity
from dip_experiments.schema import Group
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.targets import AnyTarget
from dip_experiments.tasks.task import Task


class Reconstruction(Group):
    """E = mean squared error to the target."""

    name: Literal["reconstruction"]

    def companions(self, picture: str) -> dict[str, Companion]:
        """None."""
        return {}

    def make(self, image: Image, seeds: Sequence[int], target: AnyTarget) -> Task:
        """The task for replicas of the given seeds, of what the target makes of the image."""
        return Task(target.signal(image, seeds), Identity(), target.reference(image, seeds))
