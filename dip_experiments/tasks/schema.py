"""The settings of a task: what is measured, and how; every word of conf/task has its type and range here."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

Sigma = Annotated[float, Field(ge=0, le=255)]
"""Standard deviation in grey levels of 255."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""A part of the pixels, neither none nor all."""


class Group(BaseModel):
    """Read-only; unknown keys, NaN and infinity are errors, and nothing is converted from text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Gaussian(Group):
    name: Literal["gaussian"]
    sigma: Sigma
    clip: bool


class Speckle(Group):
    name: Literal["speckle"]
    sigma: Sigma


class Poisson(Group):
    """`peak`: photons expected at white."""

    name: Literal["poisson"]
    peak: PositiveFloat


class SaltAndPepper(Group):
    name: Literal["salt_and_pepper"]
    fraction: Share


class AuthorsNoise(Group):
    """The noisy image that the authors published for the picture."""

    name: Literal["noisy25"]


class NoNoise(Group):
    """The picture is noisy already."""

    name: Literal["none"]


class Bernoulli(Group):
    name: Literal["bernoulli"]
    missing: Share
    per: Literal["pixel", "channel"]


class Box(Group):
    """First row and column, rows and columns of what is missing."""

    name: Literal["box"]
    top: NonNegativeInt
    left: NonNegativeInt
    height: PositiveInt
    width: PositiveInt


class Text(Group):
    """`text` is written over and over, its letters `size` pixels high."""

    name: Literal["text"]
    text: Annotated[str, Field(pattern=r"\S")]
    size: PositiveInt


class AuthorsMask(Group):
    """The mask that the authors published for the picture."""

    name: Literal["authors"]


class MaskFile(Group):
    """White is known. `file`: hides part of a whole picture; `damage`: the picture is damaged where it is black."""

    name: Literal["file", "damage"]
    path: str


def as_named(noise: Any) -> Any:
    """task.noise=none in full."""
    return {"name": noise} if isinstance(noise, str) else noise


def as_damage(mask: Any) -> Any:
    """task.mask=mask.png in full: the picture is damaged there."""
    return {"name": "damage", "path": mask} if isinstance(mask, str) else mask


class Reconstruction(Group):
    name: Literal["reconstruction"]


class Denoising(Group):
    name: Literal["denoising"]
    noise: Annotated[
        Gaussian | Speckle | Poisson | SaltAndPepper | AuthorsNoise | NoNoise,
        Field(discriminator="name"),
        BeforeValidator(as_named),
    ]


class Jpeg(Group):
    """`quality`: None for a picture that is such a JPEG already."""

    name: Literal["jpeg"]
    quality: Annotated[int, Field(ge=1, le=100)] | None


class SuperResolution(Group):
    """`source`: whether the picture is made small first, or is the small one already."""

    name: Literal["super_resolution"]
    factor: Literal[2, 4, 8]
    lobes: Literal[2, 3]
    source: Literal["original", "low_resolution"]


class Inpainting(Group):
    name: Literal["inpainting"]
    mask: Annotated[
        Bernoulli | Box | Text | AuthorsMask | MaskFile,
        Field(discriminator="name"),
        BeforeValidator(as_damage),
    ]


class FlashNoFlash(Group):
    """`flash`: the file of the flash image, None for the authors' companion of the picture."""

    name: Literal["flash_no_flash"]
    flash: str | None


Task = Annotated[
    Reconstruction | Denoising | Jpeg | SuperResolution | Inpainting | FlashNoFlash, Field(discriminator="name")
]
