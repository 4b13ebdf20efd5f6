"""Base class of all tasks: settings that make a task from a picture, one sample per replica."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.schema import Part
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.task import Task


class TaskSettings(Part):
    """A task: what is measured of a picture, and through which operator."""

    kind: ClassVar[str] = "task"
    measures_every_pixel: ClassVar[bool] = False
    """True if A = I, so that other denoisers can work on the measurement, and a network can be shown it."""
    divides: ClassVar[bool] = False
    """True if parts of a picture can be restored one by one, once the noise is known."""
    noise_can_be_estimated: ClassVar[bool] = True
    """False if the measurement tells no level of noise."""
    restores: ClassVar[bool] = True
    """False if the measurement is no degraded picture: it describes one, or is a goal that may be out of reach."""

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        """Return the files that are read besides the picture of that name, by role.

        Raises:
            ValueError: For files that the authors did not publish with it.
        """
        return {}


class Restoration(TaskSettings):
    """A degraded picture that is restored.

    The picture is the reference, unless the settings say that it is degraded already.
    """

    @abstractmethod
    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        """Return the task for replicas of the given seeds. Raises ValueError where image and settings do not fit."""
