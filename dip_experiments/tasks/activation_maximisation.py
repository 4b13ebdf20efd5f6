"""Show what a unit of a classifier responds to: an image that activates it as much as the network can make it."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat

from dip_experiments.operators import Features
from dip_experiments.schema import Exchangeable
from dip_experiments.tasks.classifiers import Classifier, features_of
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image
from dip_experiments.tasks.task import Task


class ActivationMaximisation(Restoration):
    """A x = a(x) / `activation`, y = 1: a, channel `unit` of `layer`, at all of its pixels.

    With loss=l1 the loss is mean |1 - a / activation|; as long as a stays below `activation`, its gradient is that of
    -mean a (authors: |300 - a| of fc8, or -a of a map). Nothing is measured of the picture, which gives the size alone.
    """

    noise_can_be_estimated: ClassVar[bool] = False
    restores: ClassVar[bool] = False
    name: Literal["activation_maximisation"]
    classifier: Annotated[Classifier, Exchangeable(Classifier)]
    layer: str
    unit: NonNegativeInt
    activation: PositiveFloat

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        plain, found = features_of(self.classifier, self.layer, image)
        channels, rows, columns = found.shape
        if self.unit >= channels:
            raise ValueError(
                f"task.unit={self.unit}: {self.layer} of {self.classifier.name} has {channels} units, 0 to "
                f"{channels - 1}"
            )
        operator = Features(plain.layers, plain.shape, self.activation, self.unit)
        return Task(torch.ones(len(seeds), 1, rows, columns, dtype=image.dtype), operator)
