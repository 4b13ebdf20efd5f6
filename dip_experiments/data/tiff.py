"""TIFF and BigTIFF: what a file holds, and the pictures that Pillow reads wrongly or not at all."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from dip_experiments.data.layers import ORIENTATION, Layers, upright
from dip_experiments.data.limits import Refused, check_pixels
from dip_experiments.data.png import eight_bit, profile_chunks

PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFFs begin; + is BigTIFF."""
PHOTOMETRIC = tifffile.PHOTOMETRIC
CHANNELS: dict[int, int] = {PHOTOMETRIC.MINISBLACK: 1, PHOTOMETRIC.RGB: 3}
BY_PILLOW = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.PALETTE, PHOTOMETRIC.YCBCR)
"""Kinds that Pillow reads, of 8 bits."""
RAW = "DNGVersion"
"""Tag of a camera's raw file."""
PROFILE = 34675
"""Tag of an ICC profile."""
PREMULTIPLIED, STRAIGHT = 1, 2
"""Meaning of a TIFF's extra channel: TIFF 6.0, section 18, ExtraSamples; 0 says nothing, that is no opacity."""
LARGEST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


def read_tiff(file: BinaryIO, wanted: int | None) -> Layers:
    """Return the picture of a TIFF, upright. `wanted`: which of several, from 0 on. Raises Refused."""
    with tifffile.TiffFile(file) as opened:
        first = opened.pages.first
        every: Iterable[Any] = opened.pages
        pages = [page for page in every if not page.is_reduced]
        if RAW in first.tags or first.is_reduced:
            raise Refused("a preview beside another picture, as in a camera's raw file; develop it and save that")
        in_one = math.prod(opened.series[0].shape) // math.prod(pages[0].shape) if len(pages) == 1 else 1
        number = _number(wanted, max(len(pages), in_one))
        page = pages[0] if in_one > 1 else pages[number]
        _check(page)
        if in_one > 1:
            pixels = tifffile.memmap(file.name, mode="r").reshape(in_one, *page.shape)[number]
            layers = _layers(np.array(pixels), page)
        elif page.photometric in BY_PILLOW or (page.bitspersample <= 8 and page.dtype.kind == "u" and _joined(page)):
            layers = _by_pillow(file, page.index)
        else:
            layers = _layers(_decoded(page), page)
        profile = profile_chunks(page.tags.valueof(PROFILE), layers.channels)
    return replace(layers, colour_space=profile)


def _number(wanted: int | None, count: int) -> int:
    """Return which of so many pictures is wanted. Raises Refused."""
    if count > 1 and wanted is None:
        raise Refused(f"{count} pictures in one file; choose one by image.page, from 0 to {count - 1}")
    if wanted is not None and wanted >= count:
        raise Refused(f"image.page={wanted}: it has {count}, of which the first is 0")
    return wanted or 0


def _check(page: Any) -> None:
    colours = CHANNELS.get(page.photometric)
    if page.imagedepth > 1:
        raise Refused(f"a volume of {page.imagedepth} slices; save one of them as a picture")
    if colours is None and not (page.photometric in BY_PILLOW and page.bitspersample <= 8):
        raise Refused("such a TIFF must be RGB, or grey with black as 0; save it so")
    if colours and page.samplesperpixel > colours:
        _check_extra(page, colours)
    check_pixels(page.imagelength, page.imagewidth)
    if page.dtype is None or page.bitspersample not in (1, 2, 4, 8, 16, 32, 64):
        raise Refused(f"pixels of {page.bitspersample} bits, packed; save it with 16 bits")
    if page.dtype.kind != "f" and page.dtype not in LARGEST and page.dtype != np.bool_:
        raise Refused(f"pixels of type {page.dtype}; 8 or 16 bit unsigned, or float in [0, 1] are read")


def _check_extra(page: Any, colours: int) -> None:
    count, extra = page.samplesperpixel, next(iter(page.extrasamples), 0)
    if count > colours + 1:
        raise Refused(f"{count} channels; grey or RGB, with opacity or without, are read; save it as one of these")
    if extra not in (PREMULTIPLIED, STRAIGHT):
        kind = "grey" if colours == 1 else "RGB"
        raise Refused(f"{kind} with a further channel that is not said to be its opacity; save it without")


def _joined(page: Any) -> bool:
    """Return True for channels side by side, the low byte first in a BigTIFF, opacity not multiplied: Pillow's own."""
    big = page.parent.is_bigtiff and page.parent.byteorder == ">"
    return page.planarconfig == tifffile.PLANARCONFIG.CONTIG and not big and PREMULTIPLIED not in page.extrasamples


def _by_pillow(file: BinaryIO, number: int) -> Layers:
    file.seek(0)
    with Image.open(file, formats=["TIFF"]) as opened:
        opened.seek(number)
        opened.load()  # which turns it as its orientation says
        return eight_bit(opened)


def _decoded(page: Any) -> NDArray[np.generic]:
    try:
        pixels: NDArray[np.generic] = page.asarray()
    except ValueError as error:  # broken, or compressed in a way that needs the package imagecodecs
        other = "`pip install imagecodecs`, or save it" if "imagecodecs" in str(error) else "save it again,"
        raise Refused(f"TIFF cannot be read ({error}); {other} uncompressed") from None
    return pixels


def _layers(pixels: NDArray[np.generic], page: Any) -> Layers:
    """Return colours and opacity; colours multiplied by their opacity are divided by it."""
    separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and pixels.ndim == 3
    levels = np.moveaxis(pixels, 0, 2) if separate else np.atleast_3d(pixels)
    levels = native(upright(levels, page.tags.valueof(ORIENTATION, 1)))
    largest = LARGEST.get(levels.dtype, 1)
    if PREMULTIPLIED in page.extrasamples:
        return Layers(_straight(levels.astype(np.float64) / largest), 1, has_alpha=True)
    return Layers(levels, largest, STRAIGHT in page.extrasamples)


def native(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the byte order of this machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _straight(layers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide colours by their opacity; black where nothing is to be seen. Rounding may have left more than 1."""
    colours, alpha = layers[..., :-1], layers[..., -1:]
    divided = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    return np.concatenate([np.minimum(divided, 1), alpha], axis=2)
