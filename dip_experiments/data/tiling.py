"""Divide a large picture into tiles that overlap, and blend what is made of each without seams."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from dip_experiments.data.layers import Array

Picture = TypeVar("Picture", bound=Any)
OVERLAP, PART = 64, 4
"""Pixels by which tiles overlap at least, where that is no more than a part of 1 / `PART` of a tile (ours)."""
MULTIPLE = 32
"""Sides of tiles are multiples of it where they can be: networks of five scales are a quarter faster then (ours)."""


@dataclass(frozen=True)
class Side:
    """Tiles along one side of a picture.

    Attributes:
        starts: First pixel of each.
        length: Pixels of each.
        ramp: Pixels over which one tile fades into the next, in the middle of where both are.
    """

    starts: tuple[int, ...]
    length: int
    ramp: int

    @classmethod
    def of(cls, pixels: int, tile: int) -> "Side":
        """Return tiles of at most `tile` pixels, as few as overlap enough, all of one length."""
        if pixels <= tile:
            return cls((0,), pixels, 0)
        overlap = min(OVERLAP, tile // PART)
        count = math.ceil((pixels - overlap) / (tile - overlap))
        shortest = math.ceil((pixels + (count - 1) * overlap) / count)
        length = min(math.ceil(shortest / MULTIPLE) * MULTIPLE, tile)
        return cls(tuple(round(i * (pixels - length) / (count - 1)) for i in range(count)), length, overlap)

    def weights(self, index: int) -> Array:
        """Return the weight of each pixel of a tile; those of all tiles add up to 1 everywhere."""
        at = self.starts[index] + np.arange(self.length, dtype=np.float64)
        before = self._next(at, index - 1) if index > 0 else np.ones(self.length)
        after = self._next(at, index) if index + 1 < len(self.starts) else np.zeros(self.length)
        return before - after

    def _next(self, at: Array, index: int) -> Array:
        """Return the weight of all tiles after one, at some pixels: a raised cosine from 0 to 1."""
        first = (self.starts[index] + self.length + self.starts[index + 1] - self.ramp) // 2
        along = np.clip((at - first + 0.5) / self.ramp, 0, 1)
        return np.sin(np.pi / 2 * along) ** 2


@dataclass(frozen=True)
class Tiling:
    """Tiles of a picture, row by row."""

    down: Side
    across: Side

    @classmethod
    def of(cls, rows: int, columns: int, tile: int) -> "Tiling | None":
        """Return tiles with at most `tile` pixels a side, None for a picture that is no larger than one."""
        found = cls(Side.of(rows, tile), Side.of(columns, tile))
        return found if len(found) > 1 else None

    def __len__(self) -> int:
        return len(self.down.starts) * len(self.across.starts)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a tile."""
        return self.down.length, self.across.length

    @property
    def picture_size(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return self.down.starts[-1] + self.down.length, self.across.starts[-1] + self.across.length

    @property
    def windows(self) -> list[list[int]]:
        """First row, first column, rows and columns of each tile."""
        return [[top, left, *self.size] for top in self.down.starts for left in self.across.starts]

    def weights(self) -> Iterator[Array]:
        """Yield the weights "h w" of the pixels of each tile; over all tiles they add up to 1 at each pixel."""
        for i in range(len(self.down.starts)):
            for j in range(len(self.across.starts)):
                yield np.outer(self.down.weights(i), self.across.weights(j))

    def blend(self, images: Iterable[Array]) -> Array:
        """Return the picture "c h w" made of the images of all tiles, one after another, of which none is retained."""
        blended = np.zeros((1, *self.picture_size))
        for window, weights, image in zip(self.windows, self.weights(), images, strict=True):
            if len(image) != len(blended):
                blended = np.zeros((len(image), *self.picture_size))
            windowed(blended, window)[...] += weights * image
        return blended


def windowed(image: Picture, window: list[int]) -> Picture:
    """Return a window of an array or tensor "... h w", which shares its memory. `window`: see `Tiling.windows`."""
    top, left, rows, columns = window
    return image[..., top : top + rows, left : left + columns]
