"""TIFF and BigTIFF that Pillow reads wrongly: of more than 8 bits per channel, or big ones with the high byte first."""

from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from dip_experiments.data.layers import ORIENTATION, Layers, upright
from dip_experiments.data.limits import Refused, check_pixels

BIG = b"MM\0+"
PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", BIG)
"""How TIFFs begin; + is BigTIFF."""
CHANNELS: dict[int, int] = {tifffile.PHOTOMETRIC.MINISBLACK: 1, tifffile.PHOTOMETRIC.RGB: 3}
PREMULTIPLIED, STRAIGHT = 1, 2
"""Meaning of a TIFF's extra channel: TIFF 6.0, section 18, ExtraSamples; 0 says nothing, that is no opacity."""
LARGEST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


def is_deep_tiff(file: BinaryIO) -> bool:
    """Return True for one of those that Pillow reads wrongly. Leaves the file at its beginning."""
    begins = file.read(4)
    file.seek(0)
    if begins not in PREFIXES:
        return False
    with tifffile.TiffFile(file) as opened:
        deep = begins == BIG or bool(opened.pages.first.bitspersample > 8)
    file.seek(0)
    return deep


def read_deep_tiff(file: BinaryIO) -> Layers:
    """Return its one picture, upright; colours multiplied by their opacity are divided by it. Raises Refused."""
    with tifffile.TiffFile(file) as opened:
        page = opened.pages.first
        _check(page, len(opened.pages))
        try:
            pixels = page.asarray()
        except ValueError as error:  # broken, or compressed in a way that needs the package imagecodecs
            raise Refused(f"TIFF cannot be read ({error}); save it again, uncompressed") from None
        separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and pixels.ndim == 3
        levels = np.moveaxis(pixels, 0, 2) if separate else np.atleast_3d(pixels)
        levels = upright(levels, page.tags.valueof(ORIENTATION, 1))
        return _layers(levels, CHANNELS[page.photometric], next(iter(page.extrasamples), 0))


def _check(page: Any, pictures: int) -> None:
    if pictures > 1:
        raise Refused(f"{pictures} pictures in one file; give one")
    if page.photometric not in CHANNELS:
        raise Refused("such a TIFF must be RGB, or grey with black as 0; save it so")
    if page.samplesperpixel > CHANNELS[page.photometric] + 1:
        raise Refused(f"{page.samplesperpixel} channels; grey or RGB, with opacity or without, are read")
    check_pixels(page.imagelength, page.imagewidth)
    if page.dtype is None or (page.dtype.kind != "f" and page.dtype not in LARGEST):
        raise Refused(f"pixels of type {page.dtype}; 8 or 16 bit unsigned, or float in [0, 1] are read")


def _layers(levels: NDArray[np.generic], colours: int, extra: int) -> Layers:
    largest = LARGEST.get(levels.dtype, 1)
    if extra == PREMULTIPLIED:
        return Layers(_straight(levels.astype(np.float64) / largest), 1, has_alpha=True)
    has_alpha = extra == STRAIGHT
    return Layers(levels[..., : colours + has_alpha], largest, has_alpha)


def _straight(layers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide colours by their opacity; black where nothing is to be seen. Rounding may have left more than 1."""
    colours, alpha = layers[..., :-1], layers[..., -1:]
    divided = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    return np.concatenate([np.minimum(divided, 1), alpha], axis=2)
