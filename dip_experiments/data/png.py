"""PNG: 8 and 16 bits per channel, passing over damaged chunks that are not of the pixels, and its colour space."""

import io
import zlib
from collections.abc import Iterator

import numpy as np
import png
from numpy.typing import NDArray
from PIL import Image

from dip_experiments.data.layers import ORIENTATION, Chunk, Layers, upright
from dip_experiments.data.limits import Refused, check_pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"sBIT", b"IDAT", b"IEND")
COLOUR_SPACE = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
SPACES = {1: b"GRAY", 3: b"RGB "}
"""Colour channels -> what an ICC profile for them has at bytes 16 to 19."""


def read_png(content: bytes) -> Layers:
    """Return the picture in a PNG, upright. Raises Refused for an animation, and where its pixels are damaged."""
    sound = [(kind, data) for kind, data, intact in _chunks(content) if intact or kind in NEEDED]
    if any(kind == b"acTL" for kind, _ in sound):
        raise Refused("an animation; give a still picture")
    file = io.BytesIO()
    png.write_chunks(file, [chunk for chunk in sound if chunk[0] in NEEDED])
    with Image.open(file) as opened:
        check_pixels(opened.height, opened.width)
        layers = _sixteen_bit(file) if content[24] == 16 else eight_bit(opened)
    orientation = read_orientation(next((data for kind, data in sound if kind == b"eXIf"), b""))
    meaning = [chunk for chunk in sound if chunk[0] in COLOUR_SPACE and _suits(chunk, layers.channels)]
    return Layers(upright(layers.levels, orientation), layers.largest, layers.has_alpha, tuple(meaning))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind and content of each chunk, and whether it is intact. Raises Refused if one that is needed is not."""
    at = len(SIGNATURE)
    while at + 8 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : end]
        intact = content[end : end + 4] == zlib.crc32(kind + data).to_bytes(4)
        if kind in NEEDED and not intact:
            raise Refused(f"damaged or incomplete image file (its chunk {kind.decode()})")
        yield kind, data, intact
        at = end + 4


def eight_bit(opened: Image.Image) -> Layers:
    """Return the picture of a file that Pillow reads with 8 bits per channel."""
    if opened.mode == "La":  # grey that was multiplied by its opacity
        opened = opened.convert("LA")
    colours = "L" if opened.mode in ("1", "L", "LA") else "RGB"
    has_alpha = opened.has_transparency_data
    return Layers(np.atleast_3d(np.asarray(opened.convert(colours + "A" * has_alpha))), 255, has_alpha)


def _sixteen_bit(file: io.BytesIO) -> Layers:
    """Return the picture of a PNG of which Pillow would lose half of the bits."""
    file.seek(0)
    width, height, rows, info = png.Reader(file=file).asDirect()
    levels: NDArray[np.uint16] = np.vstack([np.asarray(row, dtype=np.uint16) for row in rows])
    # A file that says how many of its bits are significant (sBIT) is given in so many.
    return Layers(levels.reshape(height, width, info["planes"]), 2 ** info["bitdepth"] - 1, info["alpha"])


def read_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF data say; 1, upright, where they are damaged or say none."""
    found = Image.Exif()
    try:
        found.load(exif)
    except Exception:  # whatever damaged data make of Pillow's reader
        return 1
    return int(found.get(ORIENTATION, 1))


def profile_chunks(profile: bytes | None, colours: int) -> tuple[Chunk, ...]:
    """Return the chunk that holds an ICC profile; nothing for none, and for one of other channels."""
    chunk = (b"iCCP", b"profile\0\0" + zlib.compress(profile or b""))
    return (chunk,) if _suits(chunk, colours) else ()


def _suits(chunk: Chunk, colours: int) -> bool:
    """Return False for a profile that is damaged or of other channels."""
    kind, data = chunk
    if kind != b"iCCP":
        return True
    _, _, rest = data.partition(b"\0")
    try:
        profile = zlib.decompress(rest[1:]) if rest[:1] == b"\0" else b""
    except zlib.error:
        return False
    return profile[16:20] == SPACES[colours] and profile[36:40] == b"acsp"
