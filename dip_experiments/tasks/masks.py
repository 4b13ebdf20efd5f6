"""Masks: their settings, and which values "c h w" of an image each leaves known."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from dip_experiments.data.pictures import ExtraInput
from dip_experiments.schema import HashContent, Part, Share, use_slash
from dip_experiments.tasks.extra_inputs import ExtraInputs, own, published
from dip_experiments.tasks.sampling import Image, repeat_per_seed, sample_per_seed, uniform

Known = Bool[Tensor, "#c h w"]
Images = Float[Tensor, "r c h w"]


class Mask(Part):
    """The values of a picture that are missing."""

    kind: ClassVar[str] = "task.mask"

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        """Return what it reads besides the picture of that name."""
        return {}

    @abstractmethod
    def known(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Bool[Tensor, "r c h w"]:
        """Return True where the image of each replica is known."""

    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        """Return the complete image of each replica, None where nobody knows it."""
        return repeat_per_seed(image, seeds)


class DrawnMask(Mask):
    """A mask that is made, for each replica from its own seed. Subclass it for a mask of your own."""

    @abstractmethod
    def draw(self, image: Image, draws: torch.Generator) -> Known:
        """Return True where a value of the image "c h w" is known; of that shape, or "1 h w" for all channels."""

    def known(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Bool[Tensor, "r c h w"]:
        return sample_per_seed(partial(self._expanded, image), seeds, "task")

    def _expanded(self, image: Image, draws: torch.Generator) -> Known:
        return self.draw(image, draws).expand(image.shape)


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
        """Raise ValueError for letters that hide nothing: larger than the image, or so small that none is dark."""
        rows, columns = image.shape[1:]
        known = np.array(self._page(rows, columns)) > 127
        if known.all():
            raise ValueError(
                f"text {self.text!r} in letters of {self.size} pixels hides nothing of an image of {rows} x {columns} "
                "pixels; choose another text, or another size of its letters, such as 12"
            )
        return torch.from_numpy(known).expand(image.shape)

    def _page(self, rows: int, columns: int) -> PIL.Image.Image:
        text = " ".join(self.text.split()) + " "
        page = PIL.Image.new("L", (columns, rows), 255)
        writer, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(self.size)
        repeats = math.ceil(columns / writer.textlength(text, font))
        for top in range(self.size // 2, rows, 3 * self.size):
            writer.text((self.size // 2, top), text * repeats, fill=0, font=font)
        return page


class ReadMask(Mask):
    """A mask that is read: the extra input `mask`, the same for every channel and replica."""

    def known(self, image: Image, seeds: Sequence[int], extra_inputs: ExtraInputs) -> Bool[Tensor, "r c h w"]:
        return repeat_per_seed(extra_inputs["mask"].expand(image.shape), seeds)


class AuthorsMask(ReadMask):
    """The mask that the authors published for the picture, or the picture with the holes that it made."""

    name: Literal["authors"]

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        instead = "task/mask=bernoulli, task.mask=..."
        return {"mask": published(picture, "task/mask=authors", instead, "mask", "masked50")}


class MaskFile(ReadMask):
    """White is known. `file`: hides part of a complete picture; `damage`: the picture is damaged where it is black."""

    name: Literal["file", "damage"]
    path: Annotated[str, HashContent()]

    def extra_inputs(self, picture: str) -> dict[str, ExtraInput]:
        return {"mask": own(self.path, "task.mask.path", "mask")}

    def reference(self, image: Image, seeds: Sequence[int]) -> Images | None:
        return None if self.name == "damage" else super().reference(image, seeds)


def expand_shorthand(value: Any) -> Any:
    """Expand `task.mask=mask.png`: damaged where it is black. Raises ValueError for the name of a mask."""
    if not isinstance(value, str):
        return value
    if value in Mask.registered():
        raise use_slash("task.mask", value)
    return {"name": "damage", "path": value}
