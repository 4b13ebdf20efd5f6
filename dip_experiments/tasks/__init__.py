"""Tasks: what was measured, the operator the fit looks through, and the energy. A file for each: words and formula."""

from typing import Annotated

from pydantic import Field

from dip_experiments.tasks.denoising import Denoising
from dip_experiments.tasks.flash_no_flash import FlashNoFlash
from dip_experiments.tasks.inpainting import Inpainting
from dip_experiments.tasks.jpeg import Jpeg
from dip_experiments.tasks.reconstruction import Reconstruction
from dip_experiments.tasks.restoration import Restoration
from dip_experiments.tasks.super_resolution import SuperResolution
from dip_experiments.tasks.targets import Target
from dip_experiments.tasks.task import Task

TaskSettings = Annotated[
    Reconstruction | Denoising | Jpeg | SuperResolution | Inpainting | FlashNoFlash, Field(discriminator="name")
]
"""Every task, told apart by `name`."""

__all__ = [
    "Denoising",
    "FlashNoFlash",
    "Inpainting",
    "Jpeg",
    "Reconstruction",
    "Restoration",
    "SuperResolution",
    "Target",
    "Task",
    "TaskSettings",
]
