"""Image files and scikit-image's own pictures as arrays "c h w" of float64 in [0, 1]."""

from pathlib import Path

import numpy as np
import png
import skimage.data
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from dip_experiments.datasets import PICTURES, locate

Array = NDArray[np.float64]
SMALLEST_SIDE = 16
LARGEST = {np.dtype(np.bool_): 1, np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
ORIENTATION = 0x0112
TIFF = (b"II*\0", b"MM\0*")
"""How these files begin."""
ORIENTATIONS = {2: (1, 0), 3: (0, 2), 4: (1, 2), 5: (1, 1), 6: (0, 3), 7: (1, 3), 8: (0, 1)}
"""EXIF orientation -> (mirrored left-right or not, then quarter turns counter-clockwise)."""


def whole_image(name: str, path: str | None) -> Array:
    """The picture called `name` (`file`: the one at `path`; see `datasets`) as it is.

    Raises ValueError with what to do.
    """
    file = picture_file(name, path)
    image = read_image(file) if file else _channels_first(getattr(skimage.data, name)() / 255)
    check_image(image, path or name)
    return image


def picture_file(name: str, path: str | None) -> Path | None:
    """The file that holds the picture called `name`; None for those inside scikit-image."""
    if name in PICTURES:
        return locate(name)
    return Path(path) if name == "file" and path else None


def read_image(path: Path, key: str = "image.path") -> Array:
    """Reads the colours of a PNG, JPEG or TIFF: 8 or 16 bit or float, grey or RGB; EXIF orientation is applied.

    `key` is the setting that named the file: errors begin with it.
    """
    layers = _layers(path, key)
    return layers[: len(layers) - _has_alpha(layers)]


def read_alpha(path: Path) -> Array | None:
    """The opacity "1 h w" of a picture, None if it has none."""
    layers = _layers(path, "image.path")
    return layers[-1:] if _has_alpha(layers) else None


def _layers(path: Path, key: str) -> Array:
    """Colours, and alpha last where there is one: "c h w"."""
    said = f"{key}={path}"
    try:
        if _is_deep_tiff(path):
            return _channels_first(_read_deep_tiff(path, said))
        with Image.open(path) as opened:
            frames: int = getattr(opened, "n_frames", 1)
            if frames > 1 and opened.format != "MPO":  # MPO: a phone's JPEG with a preview
                raise ValueError(f"{said}: an animation of {frames} frames; give a still picture")
            if opened.format != "PNG" or _bits(path) < 16:
                return _from_8_bit(ImageOps.exif_transpose(opened), said)
            turned = _upright(_scaled(_read_png16(path), said), opened.getexif().get(ORIENTATION, 1))
            return _channels_first(turned)
    except FileNotFoundError:
        raise ValueError(f"{said}: no such file (looked in {Path.cwd()})") from None
    except (UnidentifiedImageError, IsADirectoryError, tifffile.TiffFileError, IndexError):
        raise ValueError(f"{said}: not an image file; PNG, JPEG and TIFF are read") from None
    except (OSError, SyntaxError, png.Error) as error:
        raise ValueError(f"{said}: damaged or incomplete image file ({error})") from None


def bit_depth(path: str | None) -> int:
    """Bits per channel, 8 or 16, in which a restored picture is written: 16 where the file has more than 8."""
    if path is None:
        return 8
    if _is_deep_tiff(Path(path)):
        return 16
    with Image.open(path) as opened:
        return 16 if opened.format == "PNG" and _bits(Path(path)) == 16 else 8


def check_image(image: Array, name: str) -> None:
    """Raises ValueError for NaN, values outside [0, 1], channels other than 1 or 3, or a picture too small to fit."""
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


def _channels_first(pixels: NDArray[np.floating]) -> Array:
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), 2, 0), dtype=np.float64)


def _from_8_bit(opened: Image.Image, said: str) -> Array:
    if opened.mode[0] in "IF":
        raise ValueError(f"{said}: more than 8 bit are read of PNG and TIFF alone; save it as one of these")
    colours = "L" if opened.mode in ("1", "L", "LA") else "RGB"
    return _channels_first(np.asarray(opened.convert(colours + "A" * opened.has_transparency_data)) / 255)


def _bits(path: Path) -> int:
    with path.open("rb") as file:
        reader = png.Reader(file=file)
        reader.preamble()
        return int(reader.bitdepth)


def _is_deep_tiff(path: Path) -> bool:
    """Whether a TIFF has more than 8 bits per channel, of which Pillow would lose some."""
    with path.open("rb") as file:
        if file.read(4) not in TIFF:
            return False
    with tifffile.TiffFile(path) as file:
        return bool(file.pages.first.bitspersample > 8)


def _read_deep_tiff(path: Path, said: str) -> Array:
    """Its one picture, upright, in [0, 1]."""
    with tifffile.TiffFile(path) as file:
        page, frames = file.pages.first, len(file.pages)
        if frames > 1:
            raise ValueError(f"{said}: {frames} pictures in one file; give one")
        if page.photometric not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
            raise ValueError(f"{said}: a TIFF of more than 8 bit must be RGB, or grey with black as 0; save it so")
        try:
            pixels = page.asarray()
        except ValueError as error:  # broken, or compressed in a way that needs the package imagecodecs
            raise ValueError(f"{said}: TIFF cannot be read ({error}); save it again, uncompressed") from None
        orientation = page.tags.valueof(ORIENTATION, 1)
    return _upright(_scaled(pixels, said), orientation)


def _read_png16(path: Path) -> NDArray[np.uint16]:
    with path.open("rb") as file:
        width, height, rows, info = png.Reader(file=file).asDirect()
        return np.vstack([np.asarray(row, dtype=np.uint16) for row in rows]).reshape(height, width, info["planes"])


def _scaled(pixels: NDArray[np.generic], said: str) -> Array:
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float64)
    if pixels.dtype in LARGEST:
        return pixels.astype(np.float64) / LARGEST[pixels.dtype]
    raise ValueError(f"{said}: pixels of type {pixels.dtype}; 8 or 16 bit unsigned, or float in [0, 1] are read")


def _has_alpha(layers: Array) -> bool:
    return layers.shape[0] in (2, 4)


def _upright(pixels: Array, orientation: int) -> Array:
    mirrored, turns = ORIENTATIONS.get(orientation, (0, 0))
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)
