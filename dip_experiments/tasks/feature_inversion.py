"""Invert the features of a classifier (Fig. 9, "natural pre-image"): which image has the features of x0?"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from dip_experiments.operators import Features
from dip_experiments.schema import Exchangeable
from dip_experiments.tasks.classifiers import Classifier, features_of
from dip_experiments.tasks.extra_inputs import ExtraInputs
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.sampling import Image, repeat_per_seed
from dip_experiments.tasks.task import Task


class FeatureInversion(Restoration):
    """y = Phi(x0) / s: the layers of `classifier` up to `layer` are Phi, the picture is x0, s is the RMS of Phi(x0).

    So the squared error is |Phi(x) - Phi(x0)|^2 / |Phi(x0)|^2 (Mahendran & Vedaldi 2015), and `psnr_measurement` the
    ratio of signal to error of the features in dB: 0 where all features are 0.
    """

    noise_can_be_estimated: ClassVar[bool] = False  # features are no noisy image
    restores: ClassVar[bool] = False
    name: Literal["feature_inversion"]
    classifier: Annotated[Classifier, Exchangeable(Classifier)]
    layer: str

    def make(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Task:
        plain, found = features_of(self.classifier, self.layer, image)
        scale = float(found.square().mean().sqrt())
        if not 0 < scale < float("inf"):
            raise ValueError(
                f"task.layer={self.layer}: the root mean square of this picture's features is {scale:g}; choose "
                "another layer or picture"
            )
        operator = Features(plain.layers, plain.shape, scale)
        return Task(repeat_per_seed(found / scale, seeds), operator, repeat_per_seed(image, seeds))
