"""Image files and scikit-image's own pictures as arrays "c h w" of float64 in [0, 1]."""

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import skimage.data
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dip_experiments.data import png, tiff
from dip_experiments.data.arrays import is_grey
from dip_experiments.data.datasets import PICTURES, locate
from dip_experiments.data.layers import Array, Layers, upright
from dip_experiments.data.limits import MOST_PIXELS, READ, Refused, check_file, check_pixels, too_many

SMALLEST_SIDE = 16
NPY = b"\x93NUMPY"
"""How a file of NumPy's begins."""


@dataclass(frozen=True)
class Form:
    """How the user's file is read. `page`: which of several pictures, from 0 on; `white`: the level that stands for 1.

    None: the only one; the largest of the file's type.
    """

    page: int | None = None
    white: int | float | None = None


PLAIN = Form()


def read_picture(name: str, path: str | None, form: Form = PLAIN) -> Array:
    """Read the picture called `name` (`file`: the one at `path`; see `datasets`) as it is; R = G = B of a file is grey.

    Raises ValueError with what to do.
    """
    file = picture_file(name, path)
    image = read_image(file, form=form) if file else _inside_scikit_image(name)
    check_image(image, path or name)
    if name == "file" and is_grey(image):  # whatever the file's kind
        image = image[:1]
    return np.ascontiguousarray(image)


def _inside_scikit_image(name: str) -> Array:
    levels: NDArray[np.uint8] = np.atleast_3d(getattr(skimage.data, name)())
    return np.moveaxis(levels, 2, 0) / 255


def picture_file(name: str, path: str | None) -> Path | None:
    """Return the file that holds the picture called `name`; None for those inside scikit-image.

    Raises ValueError for `file` without a path, or a picture of the data sets that is missing.
    """
    if name == "file" and not path:
        raise ValueError(
            "image=file with image.path=null: no file is named; add image.path=photo.png, or use image=NAME"
        )
    if name in PICTURES:
        return locate(name)
    return Path(path) if name == "file" and path else None


def read_image(path: Path, key: str = "image.path", form: Form = PLAIN) -> Array:
    """Read the colours of a PNG, JPEG or TIFF: 8 or 16 bit or float, grey or RGB; EXIF orientation is applied.

    `key` is the setting that named the file: errors begin with it.
    """
    return read_layers(path, key, form).colours


def read_alpha(path: Path, key: str = "image.path", form: Form = PLAIN) -> Array | None:
    """Return the opacity "1 h w" of a picture, None if it has none."""
    return read_layers(path, key, form).alpha


def bit_depth(path: str | None, form: Form = PLAIN) -> int:
    """Return the bits per channel, 8 or 16, of a restored picture: 16 where the file has more than 8."""
    return 8 if path is None else read_layers(Path(path), form=form).bits


def read_layers(path: Path, key: str = "image.path", form: Form = PLAIN) -> Layers:
    """Return colours, opacity, depth and colour space of an image file, which is decoded once for all of them.

    Raises ValueError, naming the setting `key`, with what is wrong with the file and what to do.
    """
    check_file(path, key)
    found = path.stat()
    version = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    try:
        layers = _decoded(path.absolute(), version, form.page)
    except Refused as reason:
        raise ValueError(f"{key}={path}: {reason}") from reason.__cause__
    return layers if form.white is None else _with_white(layers, form.white)


def _with_white(layers: Layers, white: int | float) -> Layers:
    """Return layers of which a level of `white` stands for 1. Raises ValueError for opacity and for more than that."""
    most = layers.levels.max()
    if layers.has_alpha or most > white:
        what = "the picture has opacity" if layers.has_alpha else f"the picture has levels up to {most}"
        raise ValueError(f"image.white={white:g}: {what}; leave it out, or give the level of white")
    return replace(layers, largest=white)


@lru_cache(maxsize=2)  # the picture and an extra input
def _decoded(path: Path, version: tuple[int, ...], page: int | None) -> Layers:
    """Decode the file as of this `version`. Raises Refused."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Refused(f"cannot be read ({error.strerror})") from None
    with file:
        try:
            return _decode(file, page)
        except Refused:
            raise
        except Image.DecompressionBombError:  # twice as many as make Pillow warn; it tells no more than that
            raise too_many(f"more than {MOST_PIXELS:,}") from None
        except (UnidentifiedImageError, tifffile.TiffFileError, IndexError):
            raise Refused(f"not an image file; {READ} are read") from None
        except Exception as error:  # a damaged file makes decoders raise anything
            reason = str(error).partition("\n")[0]
            raise Refused(f"damaged or incomplete image file ({reason or type(error).__name__})") from error


def _decode(file: BinaryIO, page: int | None) -> Layers:
    begins = file.read(8)
    file.seek(0)
    if begins[:4] in tiff.PREFIXES:
        return tiff.read_tiff(file, page)
    if page is not None:
        raise Refused(f"image.page={page}: only a TIFF holds several pictures; leave it out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is below
        if begins == png.SIGNATURE:
            return png.read_png(file.read())
        if begins[:6] == NPY:
            return _array(file)
        opened = Image.open(file)
    with opened:
        if opened.format not in ("JPEG", "MPO"):  # MPO: a phone's JPEG with a preview
            raise Refused(f"a file of type {opened.format}; {READ} are read, save it as one of these")
        check_pixels(opened.height, opened.width)
        if opened.mode not in ("L", "RGB"):
            raise Refused(f"colours of kind {opened.mode}, as for print; save it as RGB")
        profile = opened.info.get("icc_profile")
        layers = png.eight_bit(opened)
        levels = upright(layers.levels, png.read_orientation(opened.info.get("exif", b"")))
        return replace(layers, levels=levels, colour_space=png.profile_chunks(profile, layers.channels))


def _array(file: BinaryIO) -> Layers:
    """Return the picture (h, w) or (h, w, c) of a stored array of bools, of 8 or 16 bit, or of floats."""
    try:
        values = tiff.native(np.load(file, allow_pickle=False))
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise Refused("an array of Python objects; store one of uint8, uint16 or float") from None
    first = values.ndim == 3 and values.shape[0] in (1, 3) and values.shape[2] > 4
    if first or values.ndim not in (2, 3) or not (values.dtype in tiff.LARGEST or values.dtype.kind in "bf"):
        also = "; channels come last" if first else ", in bool, uint8, uint16 or float"
        raise Refused(f"an array of shape {values.shape} and type {values.dtype}; (h, w) or (h, w, c) are read{also}")
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    check_pixels(*values.shape[:2])
    return Layers(np.atleast_3d(values), tiff.LARGEST.get(values.dtype, 1), has_alpha=False)


def check_image(image: Array, name: str) -> None:
    """Raise ValueError for NaN, values outside [0, 1], channels other than 1 or 3, or a picture too small to fit."""
    channels, height, width = image.shape
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"image {name} has {height} x {width} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} needed"
        )
    if channels not in (1, 3):
        raise ValueError(f"image {name} has {channels} channels; grey (1) or RGB (3) expected")
    if not np.isfinite(image).all():
        raise ValueError(f"image {name} holds NaN or infinite pixels; repair the file first")
    if image.min() < 0 or image.max() > 1:
        raise ValueError(
            f"image {name} has values from {image.min():g} to {image.max():g}; float images must lie in [0, 1]"
        )
