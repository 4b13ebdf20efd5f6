"""The pictures that one run reads: the image itself and what belongs to it, found, read and cut alike."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Resampling

from dip_experiments import datasets
from dip_experiments.images import Array, check_image, cut, picture_file, read_alpha, read_image, resized, whole_image
from dip_experiments.settings import Settings
from dip_experiments.tasks.schema import AuthorsMask, AuthorsNoise, Denoising, FlashNoFlash, Inpainting, MaskFile

TINY = 1e-6
"""Share of a pixel that may be missing: what rounding leaves of none."""
KEYS = {"noisy": "task.noise", "mask": "task.mask.path", "flash": "task.flash"}
"""The setting that names each companion of the image."""


@dataclass(frozen=True)
class Pictures:
    """ "c h w" in [0, 1]; `known` is True where the image is known. None: the run has no such picture."""

    image: Array
    noisy: Array | None = None
    known: NDArray[np.bool_] | None = None
    flash: Array | None = None


def files(settings: Settings) -> dict[str, Path]:
    """What the run reads: `image`, and `noisy`, `mask` or `flash` where the task has one.

    Raises ValueError for a picture of the data sets that is not there.
    """
    picture = picture_file(settings.image.name, settings.image.path)
    return ({"image": picture} if picture else {}) | _companions(settings)


def load_pictures(settings: Settings) -> Pictures:
    """All that the run reads. Raises ValueError with what to do."""
    words, paths = settings.image, files(settings)
    whole = whole_image(words.name, words.path)
    image = cut(whole, words.size, words.fit, words.multiple)

    def alike(role: str) -> Array | None:
        """Cut as the image was, unless it is as large as what was left of that."""
        if role not in paths:
            return None
        picture = read_image(paths[role], KEYS[role])
        is_cut = picture.shape[1:] == image.shape[1:]
        if not is_cut and picture.shape[1:] != whole.shape[1:]:
            given, wanted = (f"{p.shape[1]} x {p.shape[2]}" for p in (picture, whole))
            raise ValueError(f"{KEYS[role]}: a {role} of {given} pixels for an image of {wanted}; it must be as large")
        check_image(picture, str(paths[role]))
        if role == "mask":  # missing or not before it is cut, as that may mix neighbours
            picture = (picture <= (0 if _is_masked_picture(settings) else 0.5)).astype(np.float64)
        resampling = Resampling.BILINEAR if role == "mask" else Resampling.LANCZOS
        return picture if is_cut else cut(picture, words.size, words.fit, words.multiple, resampling)

    mask = alike("mask")
    # Missing wins: where the picture is scaled, a pixel is known if all that it is mainly made of are.
    return Pictures(image, alike("noisy"), None if mask is None else mask < TINY, alike("flash"))


def with_alpha(restored: Array, settings: Settings) -> Array:
    """The restored picture with the opacity of the one it was made of, if that has any, as its last channel."""
    words = settings.image
    alpha = read_alpha(Path(words.path)) if words.path else None
    if alpha is None:
        return restored
    alpha = cut(alpha, words.size, words.fit, words.multiple)
    return np.concatenate([restored, resized(alpha, restored.shape[1:])])


def _companions(settings: Settings) -> dict[str, Path]:
    task, name = settings.task, settings.image.name
    if isinstance(task, Denoising) and isinstance(task.noise, AuthorsNoise):
        return {"noisy": _published(name, "task/noise=noisy25", "task/noise=gaussian", "noisy25")}
    if isinstance(task, Inpainting) and isinstance(task.mask, MaskFile):
        return {"mask": Path(task.mask.path)}
    if isinstance(task, Inpainting) and isinstance(task.mask, AuthorsMask):
        return {"mask": _published(name, "task/mask=authors", "task/mask=bernoulli, task.mask=...", "mask", "masked50")}
    if isinstance(task, FlashNoFlash):
        own = Path(task.flash) if task.flash else None
        return {"flash": own or _published(name, "task=flash_no_flash", "task.flash=...", "flash")}
    return {}


def _published(name: str, asked: str, instead: str, *parts: str) -> Path:
    """The file of one of these parts that the authors published with the picture.

    Raises ValueError, saying with which pictures they did, if they did not with this one.
    """
    if found := set(parts) & set(datasets.parts(name)):
        return datasets.locate(name, found.pop())
    having = ", ".join(picture for picture in datasets.PICTURES if set(parts) & set(datasets.parts(picture)))
    raise ValueError(f"{asked} with image={name}: the authors published none; use {instead} or one of {having}")


def _is_masked_picture(settings: Settings) -> bool:
    """Whether the authors published the picture with its holes, which are 0, instead of a mask."""
    task = settings.task
    authors = isinstance(task, Inpainting) and isinstance(task.mask, AuthorsMask)
    return authors and settings.image.name.startswith("standard11/")
