"""Image files and scikit-image's own pictures as arrays "c h w" of float64 in [0, 1]."""

from collections.abc import Iterable
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
ORIENTATIONS = {2: (1, 0), 3: (0, 2), 4: (1, 2), 5: (1, 1), 6: (0, 3), 7: (1, 3), 8: (0, 1)}
"""EXIF orientation -> (mirrored left-right or not, then quarter turns counter-clockwise)."""


def load_image(name: str, path: str | None, size: int | None, fit: str) -> Array:
    """The picture called `name` (`file`: the one at `path`; see `datasets`), cut to `size` x `size` pixels.

    `fit`: `resize` scales the short side to `size` (antialiased) and crops the centre, `crop` crops the centre only;
    `size` None keeps the picture as it is. Raises ValueError with what to do.
    """
    file = picture_file(name, path)
    image = read_image(Path(file)) if file else _channels_first(getattr(skimage.data, name)() / 255)
    check_image(image, path or name)
    if size is None:
        return image
    if size > min(image.shape[1:]):
        raise ValueError(
            f"image {path or name} has {image.shape[1]} x {image.shape[2]} pixels, image.size={size} asks for more; "
            f"set image.size to {min(image.shape[1:])} or less"
        )
    return centre_crop(shrink(image, size) if fit == "resize" else image, size)


def picture_file(name: str, path: str | None) -> str | None:
    """The file that holds the picture called `name`; None for those inside scikit-image."""
    return str(locate(name)) if name in PICTURES else path if name == "file" else None


def load_mask(path: str) -> NDArray[np.bool_]:
    """The mask file at `path`, "c h w": True, known, where it is lighter than mid-grey. As large as the file."""
    return read_image(Path(path), "task.mask.path") > 0.5


def read_image(path: Path, key: str = "image.path") -> Array:
    """Reads PNG, JPEG or TIFF: 8 or 16 bit or float, grey or RGB; alpha is dropped, EXIF orientation applied.

    `key` is the setting that named the file: errors begin with it.
    """
    said = f"{key}={path}"
    try:
        with Image.open(path) as opened:
            frames: int = getattr(opened, "n_frames", 1)
            if frames > 1 and opened.format != "MPO":  # MPO: a phone's JPEG with a preview
                raise ValueError(f"{said}: an animation of {frames} frames; give a still picture")
            if opened.format == "TIFF":
                pixels = tifffile.imread(path)
            elif opened.format == "PNG" and _bits(path) == 16:
                pixels = _read_png16(path)
            else:
                return _from_8_bit(ImageOps.exif_transpose(opened))
            turned = _upright(_scaled(pixels, said), opened.getexif().get(ORIENTATION, 1))
            return _channels_first(_without_alpha(turned))
    except FileNotFoundError:
        raise ValueError(f"{said}: no such file (looked in {Path.cwd()})") from None
    except (UnidentifiedImageError, IsADirectoryError, tifffile.TiffFileError):
        raise ValueError(f"{said}: not an image file; PNG, JPEG and TIFF are read") from None
    except (OSError, SyntaxError, png.Error) as error:
        raise ValueError(f"{said}: damaged or incomplete image file ({error})") from None


def bit_depth(path: str | None) -> int:
    """Bits per channel, 8 or 16, in which a restored picture is written: 16 where the file has more than 8."""
    if path is None:
        return 8
    with Image.open(path) as opened:
        if opened.format == "TIFF":
            return 16 if tifffile.imread(path).dtype.itemsize > 1 else 8
        return 16 if opened.format == "PNG" and _bits(Path(path)) == 16 else 8


def check_output(path: Path, inputs: Iterable[str | None]) -> None:
    """Raises ValueError unless `path` is a name for a new or another PNG than those that the run reads."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"output={path}: only PNG is written, which loses nothing; give a name that ends in .png")
    if path.is_dir():
        raise ValueError(f"output={path}: a folder; give the name of a file in it")
    for given in inputs:
        if given and path.exists() and path.samefile(given):
            raise ValueError(f"output={path}: would overwrite the input; give another name")


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


def shrink(image: Array, size: int) -> Array:
    """Short side to `size` pixels by Pillow's antialiased Lanczos-3, clipped to [0, 1]."""
    _, height, width = image.shape
    factor = size / min(height, width)
    target = (round(width * factor), round(height * factor))
    planes = [Image.fromarray(plane.astype(np.float32)).resize(target, Image.Resampling.LANCZOS) for plane in image]
    return np.clip(np.stack([np.asarray(plane, dtype=np.float64) for plane in planes]), 0, 1)


def centre_crop(image: Array, size: int) -> Array:
    """The central `size` x `size` pixels."""
    top, left = (image.shape[1] - size) // 2, (image.shape[2] - size) // 2
    return image[:, top : top + size, left : left + size]


def _channels_first(pixels: NDArray[np.floating]) -> Array:
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), 2, 0), dtype=np.float64)


def _from_8_bit(opened: Image.Image) -> Array:
    grey = opened.mode in ("1", "L", "LA")
    return _channels_first(np.asarray(opened.convert("L" if grey else "RGB")) / 255)


def _bits(path: Path) -> int:
    with path.open("rb") as file:
        reader = png.Reader(file=file)
        reader.preamble()
        return int(reader.bitdepth)


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


def _without_alpha(pixels: Array) -> Array:
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        return pixels[..., :-1]
    return pixels


def _upright(pixels: Array, orientation: int) -> Array:
    mirrored, turns = ORIENTATIONS.get(orientation, (0, 0))
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)
