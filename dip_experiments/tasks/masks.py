"""Masks: their words, and which values "c h w" of an image each leaves known."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from jaxtyping import Bool, Float
from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt
from torch import Tensor

from dip_experiments.data.pictures import Companion
from dip_experiments.schema import ByContent, Group, Share, chosen_with_slash
from dip_experiments.tasks.choices import kinds
from dip_experiments.tasks.companions import Companions, own, published
from dip_experiments.tasks.sampling import Image, realised, repeated, uniform

Known = Bool[Tensor, "c h w"]
Images = Float[Tensor, "r c h w"]


class AnyMask(Group):
    """What is missing of a picture."""

    def companions(self, picture: str) -> dict[str, Companion]:
        """What it reads besides the picture of that name."""
        return {}

    @abstractmethod
    def known(self, image: Image, seeds: Sequence[int], companions: Companions) -> Bool[Tensor, "r c h w"]:
        """True where the image of each replica is known."""

    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        """The whole image of each replica, None where nobody knows it."""
        return repeated(image, seeds)


class DrawnMask(AnyMask):
    """A mask that is made from words, by chance or not."""

    @abstractmethod
    def draw(self, image: Image, draws: torch.Generator) -> Known:
        """True where known."""

    def known(self, image: Image, seeds: Sequence[int], companions: Companions) -> Bool[Tensor, "r c h w"]:
        return realised(partial(self.draw, image), seeds, "task")


class Bernoulli(DrawnMask):
    """Each is `missing` with that chance. `per` pixel: all channels of a pixel together; channel: each on its own."""

    name: Literal["bernoulli"]
    missing: Share
    per: Literal["pixel", "channel"]

    def draw(self, image: Image, draws: torch.Generator) -> Known:
        channels = image.shape[0] if self.per == "channel" else 1
        return (uniform(channels, image, draws) >= self.missing).expand(image.shape)


class Box(DrawnMask):
    """Missing are `height` x `width` pixels, the first at (top, left)."""

    name: Literal["box"]
    top: NonNegativeInt
    left: NonNegativeInt
    height: PositiveInt
    width: PositiveInt

    def draw(self, image: Image, draws: torch.Generator) -> Known:
        rows, columns = image.shape[1:]
        below, right = self.top + self.height, self.left + self.width
        if below > rows or right > columns or (self.height, self.width) == (rows, columns):
            raise ValueError(
                f"box of {self.height} x {self.width} pixels at ({self.top}, {self.left}): must lie in the image of "
                f"{rows} x {columns} and leave some of it known; change task.mask.top, left, height or width"
            )
        known = torch.ones(image.shape, dtype=torch.bool)
        known[:, self.top : below, self.left : right] = False
        return known


class Text(DrawnMask):
    """Missing are the letters of `text`, written over and over in lines, in Pillow's own font.

    `size` is the height of the letters in pixels; lines are three times as far apart.
    """

    name: Literal["text"]
    text: Annotated[str, Field(pattern=r"\S")]
    size: PositiveInt

    def draw(self, image: Image, draws: torch.Generator) -> Known:
        """Raises ValueError for letters that hide nothing: larger than the image, or so small that none is dark."""
        rows, columns = image.shape[1:]
        known = np.array(self._page(rows, columns)) > 127
        if known.all():
            raise ValueError(
                f"text {self.text!r} in letters of {self.size} pixels hides nothing of an image of {rows} x {columns} "
                "pixels; choose another text, or another size of its letters, such as 12"
            )
        return torch.from_numpy(known).expand(image.shape)

    def _page(self, rows: int, columns: int) -> PIL.Image.Image:
        words = " ".join(self.text.split()) + " "
        page = PIL.Image.new("L", (columns, rows), 255)
        writer, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(self.size)
        repeats = math.ceil(columns / writer.textlength(words, font))
        for top in range(self.size // 2, rows, 3 * self.size):
            writer.text((self.size // 2, top), words * repeats, fill=0, font=font)
        return page


class ReadMask(AnyMask):
    """A mask that is read: the companion `mask`, the same for every channel and replica."""

    def known(self, image: Image, seeds: Sequence[int], companions: Companions) -> Bool[Tensor, "r c h w"]:
        return repeated(companions["mask"].expand(image.shape), seeds)


class AuthorsMask(ReadMask):
    """The mask that the authors published for the picture, or the picture with the holes that it made."""

    name: Literal["authors"]

    def companions(self, picture: str) -> dict[str, Companion]:
        instead = "task/mask=bernoulli, task.mask=..."
        return {"mask": published(picture, "task/mask=authors", instead, "mask", "masked50")}


class MaskFile(ReadMask):
    """White is known. `file`: hides part of a whole picture; `damage`: the picture is damaged where it is black."""

    name: Literal["file", "damage"]
    path: Annotated[str, ByContent()]

    def companions(self, picture: str) -> dict[str, Companion]:
        return {"mask": own(self.path, "task.mask.path", "mask")}

    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        return None if self.name == "damage" else super().reference(image, seeds)


Kinds = Bernoulli | Box | Text | AuthorsMask | MaskFile


def in_full(words: Any) -> Any:
    """`task.mask=mask.png` in full: the picture is damaged there. Raises ValueError for a word that names a kind."""
    if not isinstance(words, str):
        return words
    if words in kinds(Kinds):
        raise chosen_with_slash("task.mask", words)
    return {"name": "damage", "path": words}


Mask = Annotated[Kinds, Field(discriminator="name"), BeforeValidator(in_full)]
"""Every mask, told apart by `name`."""
