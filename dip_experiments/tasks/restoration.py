"""What every restoration task is: words that make a task from a picture, one realisation per replica."""

from abc import abstractmethod
from collections.abc import Sequence

from dip_experiments.data.pictures import Companion
from dip_experiments.schema import Group
from dip_experiments.tasks.companions import Companions
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.task import Task


class Restoration(Group):
    """A degraded picture that is made good.

    The picture is the reference, unless the words say that it is degraded already: then nobody knows the clean one.
    """

    def companions(self, picture: str) -> dict[str, Companion]:
        """What it reads besides the picture of that name, by role.

        Raises ValueError for what the authors did not publish with it.
        """
        return {}

    @abstractmethod
    def make(self, image: Image, seeds: Sequence[int], companions: Companions) -> Task:
        """The task for replicas of the given seeds. Raises ValueError where image and words do not fit."""
