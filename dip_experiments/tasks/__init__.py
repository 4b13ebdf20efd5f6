"""Tasks: the measurement, the operator and the data term. A file for each: settings and formula."""

from dip_experiments.tasks.activation_maximisation import ActivationMaximisation
from dip_experiments.tasks.camera import Camera
from dip_experiments.tasks.deblurring import Deblurring
from dip_experiments.tasks.denoising import Denoising
from dip_experiments.tasks.feature_inversion import FeatureInversion
from dip_experiments.tasks.flash_no_flash import FlashNoFlash
from dip_experiments.tasks.inpainting import Inpainting
from dip_experiments.tasks.inverse import Inverse
from dip_experiments.tasks.jpeg import Jpeg
from dip_experiments.tasks.reconstruction import Reconstruction
from dip_experiments.tasks.restoration import Restoration, TaskSettings
from dip_experiments.tasks.super_resolution import SuperResolution
from dip_experiments.tasks.targets import Target
from dip_experiments.tasks.task import Task

__all__ = [
    "ActivationMaximisation",
    "Camera",
    "Deblurring",
    "Denoising",
    "FeatureInversion",
    "FlashNoFlash",
    "Inpainting",
    "Inverse",
    "Jpeg",
    "Reconstruction",
    "Restoration",
    "SuperResolution",
    "Target",
    "Task",
    "TaskSettings",
]
