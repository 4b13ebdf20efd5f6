"""Image files and scikit-image's own pictures as arrays "c h w" of float64 in [0, 1]."""

import warnings
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import skimage.data
import tifffile
from PIL import Image, ImageOps, UnidentifiedImageError

from dip_experiments.data.datasets import PICTURES, locate
from dip_experiments.data.layers import ORIENTATION, Array, Layers
from dip_experiments.data.limits import MOST_PIXELS, Refused, check_file, check_pixels, too_many
from dip_experiments.data.png16 import is_deep_png, read_deep_png
from dip_experiments.data.tiff import is_deep_tiff, read_deep_tiff

SMALLEST_SIDE = 16


def read_picture(name: str, path: str | None) -> Array:
    """Read the picture called `name` (`file`: the one at `path`; see `datasets`) as it is.

    Raises ValueError with what to do.
    """
    file = picture_file(name, path)
    image = read_image(file) if file else np.moveaxis(np.atleast_3d(getattr(skimage.data, name)()), 2, 0) / 255
    check_image(image, path or name)
    return np.ascontiguousarray(image)


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


def read_image(path: Path, key: str = "image.path") -> Array:
    """Read the colours of a PNG, JPEG or TIFF: 8 or 16 bit or float, grey or RGB; EXIF orientation is applied.

    `key` is the setting that named the file: errors begin with it.
    """
    return read_layers(path, key).colours


def read_alpha(path: Path, key: str = "image.path") -> Array | None:
    """Return the opacity "1 h w" of a picture, None if it has none."""
    return read_layers(path, key).alpha


def bit_depth(path: str | None) -> int:
    """Return the bits per channel, 8 or 16, of a restored picture: 16 where the file has more than 8."""
    return 8 if path is None else read_layers(Path(path)).bits


def read_layers(path: Path, key: str = "image.path") -> Layers:
    """Return colours, opacity and depth of an image file, which is opened and decoded once for all three.

    Raises ValueError, naming the setting `key`, with what is wrong with the file and what to do.
    """
    check_file(path, key)
    found = path.stat()
    version = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    try:
        return _decoded(path.absolute(), version)
    except Refused as reason:
        raise ValueError(f"{key}={path}: {reason}") from reason.__cause__


@lru_cache(maxsize=2)  # the picture and an extra input
def _decoded(path: Path, version: tuple[int, ...]) -> Layers:
    """Decode the file as of this `version`. Raises Refused."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Refused(f"cannot be read ({error.strerror})") from None
    with file:
        try:
            return _decode(file)
        except Refused:
            raise
        except Image.DecompressionBombError:  # twice as many as make Pillow warn; it tells no more than that
            raise too_many(f"more than {MOST_PIXELS:,}") from None
        except (UnidentifiedImageError, tifffile.TiffFileError, IndexError):
            raise Refused("not an image file; PNG, JPEG and TIFF are read") from None
        except Exception as error:  # a damaged file makes decoders raise anything
            reason = str(error).partition("\n")[0]
            raise Refused(f"damaged or incomplete image file ({reason or type(error).__name__})") from error


def _decode(file: BinaryIO) -> Layers:
    if is_deep_tiff(file):
        return read_deep_tiff(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is below
        opened = Image.open(file)
    with opened:
        check_pixels(opened.height, opened.width)
        frames: int = getattr(opened, "n_frames", 1)
        if frames > 1 and opened.format != "MPO":  # MPO: a phone's JPEG with a preview
            raise Refused(f"an animation of {frames} frames; give a still picture")
        if opened.format == "PNG" and is_deep_png(file):
            return read_deep_png(file, opened.getexif().get(ORIENTATION, 1))
        return _from_8_bit(ImageOps.exif_transpose(opened))


def _from_8_bit(opened: Image.Image) -> Layers:
    if opened.mode[0] in "IF":
        raise Refused("more than 8 bit are read of PNG and TIFF alone; save it as one of these")
    if opened.mode == "La":  # grey that was multiplied by its opacity
        opened = opened.convert("LA")
    colours = "L" if opened.mode in ("1", "L", "LA") else "RGB"
    has_alpha = opened.has_transparency_data
    return Layers(np.atleast_3d(np.asarray(opened.convert(colours + "A" * has_alpha))), 255, has_alpha)


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
