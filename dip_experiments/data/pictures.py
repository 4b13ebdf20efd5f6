"""The pictures that one run reads: the image itself and what belongs to it, found, read and cut alike."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Resampling

from dip_experiments.data import datasets
from dip_experiments.data.cropping import cut, resized
from dip_experiments.data.layers import Array, Layers
from dip_experiments.data.masks import read_mask
from dip_experiments.data.reading import PLAIN, Form, check_image, read_alpha, read_image, read_layers, read_picture
from dip_experiments.data.tiling import windowed

log = logging.getLogger(__name__)
Known = NDArray[np.bool_]
Read = NDArray[Any]
"""A picture "c h w" in [0, 1], or of known pixels "1 h w", True where known."""
Source = Path | tuple[str, str]
"""A file of the user's; or one of the paper's by picture and part, which need not be on this machine."""
Kind = Literal["picture", "mask", "holes", "kernel"]
"""`mask`: white is known; `holes`: a picture that is 0 where it is missing; `kernel`: a picture of any size."""
SMALL_PART = 0.3
"""Part of the range of 16 bits below which the levels of a picture look like those of fewer bits (ours)."""
TINY = 1e-6
"""Share of a pixel that may be missing: what rounding leaves of none."""


@dataclass(frozen=True)
class ExtraInput:
    """A file that belongs to the image. `key`: the setting that names it, with which errors begin."""

    source: Source
    key: str
    kind: Kind = "picture"

    def read(self) -> Read:
        """Read "c h w" in [0, 1]; of `mask` and `holes` "1 h w", True where known."""
        path = local(self.source)
        if self.kind == "mask":
            return read_mask(path, self.key)
        picture = read_image(path, self.key)
        if self.kind != "kernel":
            check_image(picture, str(path))
        return picture if self.kind in ("picture", "kernel") else picture.min(0, keepdims=True) > 0


@dataclass(frozen=True)
class Frame:
    """The part of a picture that is used: the settings of conf/image."""

    size: int | None
    fit: str
    multiple: int
    form: Form = PLAIN
    window: list[int] | None = None

    def part(self, picture: Array) -> Array:
        """Cut the used part: see `data.cropping.cut`; of that the window, if any."""
        used = cut(picture, self.size, self.fit, self.multiple)
        return used if self.window is None else windowed(used, self.window).copy()

    def known_part(self, known: Known) -> Known:
        """Cut a mask; missing wins: where it is scaled, a pixel is known if all that it is made of are."""
        missing = (~known).astype(np.float64)
        return cut(missing, self.size, self.fit, self.multiple, Resampling.BILINEAR) < TINY


@dataclass(frozen=True)
class Pictures:
    """The image, "c h w" in [0, 1], and its extra_inputs by role; masks "1 h w", True where known."""

    image: Array
    extra_inputs: dict[str, Read]


def sources(name: str, path: str | None, extra_inputs: Mapping[str, ExtraInput]) -> dict[str, Source]:
    """Return the sources of all that a run reads: `image`, unless scikit-image has it, and its extra_inputs by role."""
    own: dict[str, Source] = {}
    if name in datasets.PICTURES:
        own["image"] = (name, "image")
    elif name == "file" and path:
        own["image"] = Path(path)
    return own | {role: extra.source for role, extra in extra_inputs.items()}


def local(source: Source) -> Path:
    """Return the file itself. Raises ValueError with what to do for one of the paper's that is not on this machine."""
    return source if isinstance(source, Path) else datasets.locate(*source)


def load_pictures(name: str, path: str | None, frame: Frame, extra_inputs: Mapping[str, ExtraInput]) -> Pictures:
    """Return the picture called `name` (`file`: the one at `path`) and its extra_inputs.

    Raises ValueError with what to do.
    """
    uncut = read_picture(name, path, frame.form)
    if path and frame.form.white is None and frame.window is None:
        report_range(Path(path), read_layers(Path(path), form=frame.form))
    image = frame.part(uncut)
    return Pictures(image, {role: _alike(role, it, uncut, image, frame) for role, it in extra_inputs.items()})


def picture_size(name: str, path: str | None, frame: Frame) -> tuple[int, int]:
    """Return rows and columns of the used part of a picture. Raises ValueError as `read_picture` does."""
    _, rows, columns = frame.part(read_picture(name, path, frame.form)).shape
    return rows, columns


def report_range(path: Path, layers: Layers) -> None:
    """Log a line where a picture of 16 bits uses a small part of its range, as data of 10 to 14 bits do."""
    most = layers.levels[..., : layers.channels].max()
    if layers.levels.dtype == np.uint16 and 0 < most < SMALL_PART * layers.largest:
        bits = int(most).bit_length()
        log.info("%s: levels up to %d of %d; if it has %d bits: image.white=%d", path.name, most, layers.largest, bits,
                 2**bits - 1)  # fmt: skip


def _alike(role: str, extra: ExtraInput, uncut: Array, image: Array, frame: Frame) -> Read:
    """Read and cut as the image was, unless it is as large as the part of it that is used, or a kernel."""
    picture = extra.read()
    if extra.kind == "kernel" or picture.shape[1:] == image.shape[1:]:
        return picture
    if picture.shape[1:] != uncut.shape[1:]:
        given, wanted = (f"{p.shape[1]} x {p.shape[2]}" for p in (picture, uncut))
        raise ValueError(f"{extra.key}: a {role} of {given} pixels for an image of {wanted}; it must be as large")
    return frame.known_part(picture) if picture.dtype == np.bool_ else frame.part(picture)


def with_alpha(restored: Array, path: str | None, frame: Frame, known: Known | None = None) -> Array:
    """Return the restored picture with the opacity of the file it was made of, if any, as its last channel.

    `known`: a mask "1 h w"; what was filled in is opaque.
    """
    alpha = read_alpha(Path(path), form=frame.form) if path else None
    if alpha is None:
        return restored
    seen = resized(frame.part(alpha), restored.shape[1:])
    return np.concatenate([restored, seen if known is None else np.where(known, seen, 1.0)])
