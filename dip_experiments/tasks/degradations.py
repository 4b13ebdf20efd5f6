"""How measurements are made: noise, JPEG, missing pixels, fewer pixels.

Images are "c h w" in [0, 1]. What is random comes from the generator `draws`, in float64, so that a realisation does
not depend on the image's precision.
"""

import io
import math
from typing import Literal

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Image = Float[Tensor, "c h w"]
Known = Bool[Tensor, "c h w"]


def gaussian(image: Image, sigma: float, clip: bool, draws: torch.Generator) -> Image:
    """x + N(0, (sigma / 255)^2), clipped to [0, 1] or not, never quantised (PAPER detail 4).

    `sigma` is in grey levels of 255, from 0 to 255.
    """
    noisy = image + _normal(image, draws) * _checked_sigma(sigma)
    return noisy.clamp(0, 1) if clip else noisy


def speckle(image: Image, sigma: float, draws: torch.Generator) -> Image:
    """x (1 + N(0, (sigma / 255)^2)), not clipped: `sigma` grey levels where the image is white, none where black."""
    return image + image * _normal(image, draws) * _checked_sigma(sigma)


def poisson(image: Image, peak: float, draws: torch.Generator) -> Image:
    """Poisson(peak x) / peak, not clipped: mean x, variance x / peak. `peak` is the photons expected at white."""
    if not 0 < peak < math.inf:
        raise ValueError(f"peak={peak:g}: photons expected at white; give a number above 0")
    return (torch.poisson(image.double() * peak, generator=draws) / peak).to(image)


def salt_and_pepper(image: Image, fraction: float, draws: torch.Generator) -> Image:
    """`fraction` of the pixels, inside (0, 1), white or black with equal chance, in all channels at once."""
    drawn = _uniform(1, image, draws)
    hit = drawn < _checked_fraction(fraction)
    return torch.where(hit, (drawn < fraction / 2).to(image), image)


def jpeg(image: Image, quality: int) -> Image:
    """The image written as JPEG and read back, in 8 bit, by Pillow with its own chroma subsampling.

    `quality` from 1 to 100.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality={quality}: JPEG quality goes from 1 (worst) to 100")
    file = io.BytesIO()
    _to_8_bit(image).save(file, format="JPEG", quality=quality)
    return _from_8_bit(PIL.Image.open(file)).to(image)


def low_resolution(image: Image, factor: int) -> Float[Tensor, "c hy wy"]:
    """The image 1 / `factor` its size, by Pillow's antialiased Lanczos-3 in 8 bit (PAPER detail 7)."""
    _, height, width = image.shape
    if factor < 2 or height % factor or width % factor:
        raise ValueError(
            f"factor={factor}: needs 2 or more that divides {height} x {width} pixels; use image.multiple={factor}"
        )
    size = (width // factor, height // factor)
    return _from_8_bit(_to_8_bit(image).resize(size, PIL.Image.Resampling.LANCZOS)).to(image)


def bernoulli_mask(image: Image, missing: float, per: Literal["pixel", "channel"], draws: torch.Generator) -> Known:
    """True where known; each is missing with chance `missing`, inside (0, 1).

    `per` pixel: all channels of a pixel together; `per` channel: each on its own.
    """
    channels = image.shape[0] if per == "channel" else 1
    return (_uniform(channels, image, draws) >= _checked_fraction(missing)).expand(image.shape)


def box_mask(image: Image, top: int, left: int, height: int, width: int) -> Known:
    """True where known: everywhere but in the box of `height` x `width` pixels whose first is at (top, left)."""
    _, rows, columns = image.shape
    inside = 0 <= top < top + height <= rows and 0 <= left < left + width <= columns
    if not inside or (height, width) == (rows, columns):
        raise ValueError(
            f"box of {height} x {width} pixels at ({top}, {left}): must lie in the image of {rows} x {columns} "
            "and leave some of it known"
        )
    known = torch.ones(image.shape, dtype=torch.bool)
    known[:, top : top + height, left : left + width] = False
    return known


def text_mask(image: Image, text: str, size: int) -> Known:
    """True where known: everywhere but in the letters of `text`, written over and over in lines.

    `size` is the height of the letters in pixels; lines are three times as far apart. The font is Pillow's own. Raises
    ValueError for letters that hide nothing: too large for the image, or so small that none of their strokes is dark.
    """
    _, rows, columns = image.shape
    words = " ".join(text.split()) + " "
    page = PIL.Image.new("L", (columns, rows), 255)
    writer, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(size)
    repeats = math.ceil(columns / writer.textlength(words, font))
    for top in range(size // 2, rows, 3 * size):
        writer.text((size // 2, top), words * repeats, fill=0, font=font)
    known = np.array(page) > 127
    if known.all():
        raise ValueError(
            f"text {text!r} in letters of {size} pixels hides nothing of an image of {rows} x {columns} pixels; "
            "choose another text, or another size of its letters, such as 12"
        )
    return torch.from_numpy(known).expand(image.shape)


def _normal(image: Tensor, draws: torch.Generator) -> Tensor:
    return torch.randn(image.shape, generator=draws, dtype=torch.float64).to(image)


def _uniform(channels: int, image: Tensor, draws: torch.Generator) -> Tensor:
    return torch.rand(channels, *image.shape[1:], generator=draws, dtype=torch.float64).to(image.device)


def _checked_sigma(sigma: float) -> float:
    if not 0 <= sigma <= 255:
        raise ValueError(f"sigma={sigma:g}: standard deviation in grey levels of 255; give one from 0 to 255")
    return sigma / 255


def _checked_fraction(fraction: float) -> float:
    if not 0 < fraction < 1:
        raise ValueError(f"fraction {fraction:g} of the pixels: give one above 0 and below 1")
    return fraction


def _to_8_bit(image: Tensor) -> PIL.Image.Image:
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return PIL.Image.fromarray(pixels.permute(1, 2, 0).squeeze(2).cpu().numpy())


def _from_8_bit(picture: PIL.Image.Image) -> Tensor:
    return torch.from_numpy(np.atleast_3d(np.array(picture))).permute(2, 0, 1).double() / 255
