"""The noise of a photograph as a camera makes it: photons, electronics, colour filters, gamma and JPEG."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor

from dip_experiments.tasks.jpeg import through_file
from dip_experiments.tasks.noise import MOST_PHOTONS, UNIT, AddedNoise
from dip_experiments.tasks.sampling import Image, normal

BETWEEN = ((1.0, 2.0, 1.0), (2.0, 4.0, 2.0), (1.0, 2.0, 1.0))
"""Weights of the bilinear interpolation from the nearest pixels of one colour."""


class Camera(AddedNoise):
    """The image taken again by a simulated camera, developed, and written as JPEG.

    The image to the power of `gamma` is the light. Each pixel counts electrons, Poisson with the mean `electrons` at
    white, and reads them with an error N(0, `read`^2). Of RGB it sees one colour, in Bayer's pattern, and the others
    are interpolated bilinearly; then the root and JPEG follow. Neighbours and channels share such noise.
    """

    name: Literal["camera"]
    electrons: Annotated[float, Field(gt=0, le=MOST_PHOTONS)]
    read: Annotated[float, Field(ge=0)]
    gamma: PositiveFloat
    quality: Annotated[int, Field(ge=1, le=100)]

    @property
    def domain(self) -> tuple[float, float]:
        return UNIT

    def apply(self, image: Image, draws: torch.Generator) -> Image:
        light = image.double().clamp(0, 1) ** self.gamma
        counted = torch.poisson(light * self.electrons, generator=draws) + self.read * normal(light, draws)
        seen = demosaiced(counted / self.electrons) if len(image) == 3 else counted / self.electrons
        return through_file((seen.clamp(0, 1) ** (1 / self.gamma)).to(image), self.quality)


def demosaiced(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Return RGB interpolated bilinearly from one colour a pixel: red and green in even rows, green and blue in odd."""
    known = torch.zeros_like(image)
    known[0, ::2, ::2] = known[1, ::2, 1::2] = known[1, 1::2, ::2] = known[2, 1::2, 1::2] = 1
    weights = image.new_tensor(BETWEEN)[None, None]
    sums, counts = (F.conv2d(x[:, None], weights, padding=1)[:, 0] for x in (image * known, known))
    return torch.where(known.bool(), image, sums / counts)
