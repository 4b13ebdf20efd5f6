"""Decoded content of an image file, in the file's own precision."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ORIENTATION = 0x0112
"""The EXIF tag, which is a TIFF's too."""
ORIENTATIONS = {2: (1, 0), 3: (0, 2), 4: (1, 2), 5: (1, 1), 6: (0, 3), 7: (1, 3), 8: (0, 1)}
"""EXIF orientation -> (mirrored left-right or not, then quarter turns counter-clockwise)."""
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
"""Brightness and two colour differences of RGB, orthonormal: white noise stays white, common texture in the first."""


Chunk = tuple[bytes, bytes]
"""Kind and content of a part of a PNG."""


@dataclass(frozen=True)
class Layers:
    """`levels` "h w c", upright, of which `largest` stands for 1; where `has_alpha`, the last channel is opacity.

    `colour_space`: the chunks of a PNG that say what colours the values stand for, such as a profile.
    """

    levels: NDArray[np.generic]
    largest: int | float
    has_alpha: bool
    colour_space: tuple[Chunk, ...] = ()

    @property
    def channels(self) -> int:
        """How many channels are colours: 1 or 3."""
        return self.levels.shape[2] - self.has_alpha

    @property
    def colours(self) -> Array:
        """ "c h w" in [0, 1], or whatever a float image holds."""
        return self._scaled(self.levels[..., : self.channels])

    @property
    def alpha(self) -> Array | None:
        """The opacity "1 h w" in [0, 1], None without one."""
        return self._scaled(self.levels[..., -1:]) if self.has_alpha else None

    @property
    def bits(self) -> int:
        """Bits per channel, 8 or 16, in which a restored picture is written: 16 where the file has more than 8."""
        return 8 if self.levels.dtype in (np.uint8, np.bool_) else 16

    def _scaled(self, levels: NDArray[np.generic]) -> Array:
        return np.ascontiguousarray(np.moveaxis(levels, 2, 0)).astype(np.float64) / self.largest


def upright(levels: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Turn an image "h w c" as its EXIF orientation says."""
    mirrored, turns = ORIENTATIONS.get(orientation, (0, 0))
    return np.rot90(levels[:, ::-1] if mirrored else levels, turns)
