"""Images "c h w" in [0, 1] as Pillow's pictures of 8 bit, and back."""

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor


def to_8_bit(image: Float[Tensor, "c h w"]) -> PIL.Image.Image:
    """Round to 256 levels; clip to [0, 1] first."""
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return PIL.Image.fromarray(pixels.permute(1, 2, 0).squeeze(2).cpu().numpy())


def from_8_bit(picture: PIL.Image.Image) -> Float[Tensor, "c h w"]:
    """Return levels as values in [0, 1], in float64."""
    return torch.from_numpy(np.atleast_3d(np.array(picture))).permute(2, 0, 1).double() / 255
