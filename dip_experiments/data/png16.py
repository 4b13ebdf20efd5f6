"""PNG of 16 bits per channel, of which Pillow would lose half."""

from typing import BinaryIO

import numpy as np
import png

from dip_experiments.data.layers import Layers, upright


def is_deep_png(file: BinaryIO) -> bool:
    """Return True if a PNG has 16 bits per channel."""
    file.seek(0)
    reader = png.Reader(file=file)
    reader.preamble()
    return bool(reader.bitdepth == 16)


def read_deep_png(file: BinaryIO, orientation: int) -> Layers:
    """Return its picture, upright."""
    file.seek(0)
    width, height, rows, info = png.Reader(file=file).asDirect()
    levels = np.vstack([np.asarray(row, dtype=np.uint16) for row in rows]).reshape(height, width, info["planes"])
    # A file that says how many of its bits are significant (sBIT) is given in so many.
    return Layers(upright(levels, orientation), 2 ** info["bitdepth"] - 1, has_alpha=info["alpha"])
