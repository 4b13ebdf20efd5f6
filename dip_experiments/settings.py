"""The settings of one run: the one place where every word of conf/ has a type and a range."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from dip_experiments.datasets import check_name

Sigma = Annotated[float, Field(ge=0, le=255)]
"""Standard deviation in grey levels of 255."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""A part of the pixels, neither none nor all."""


class Group(BaseModel):
    """Read-only; unknown keys, NaN and infinity are errors, and nothing is converted from text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Scale(Group):
    name: Literal["smoke", "laptop", "paper"]
    size: PositiveInt
    crop: PositiveInt | None
    width: PositiveInt
    iterations: PositiveInt


class Image(Group):
    """`size`: pixels a side, None for the picture's own."""

    name: Annotated[str, AfterValidator(check_name)]
    path: str | None
    size: PositiveInt | None
    fit: Literal["resize", "crop"]


class PlainTarget(Group):
    name: Literal["natural", "shuffled", "noise"]


class NoisyTarget(Group):
    name: Literal["noisy"]
    sigma: Sigma
    clip: bool


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
        Gaussian | Speckle | Poisson | SaltAndPepper | NoNoise,
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
    mask: Annotated[Bernoulli | Box | MaskFile, Field(discriminator="name"), BeforeValidator(as_damage)]

    @property
    def path(self) -> str | None:
        """The mask's file, if it is one."""
        return self.mask.path if isinstance(self.mask, MaskFile) else None


class Architecture(BaseModel):
    """`_target_` and what its constructor takes; checked against the constructor itself when the network is built."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: str
    constructor: str = Field(alias="_target_")


class Latent(Group):
    """`perturbation`: standard deviation added afresh each iteration, in units of the latent."""

    name: Literal["noise", "meshgrid"]
    channels: PositiveInt
    scale: PositiveFloat
    perturbation: NonNegativeFloat
    optimise: Literal["theta", "z", "both"]


class Adam(Group):
    name: Literal["adam"]
    lr: PositiveFloat
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)]
    eps: PositiveFloat


class AdamOneCycle(Group):
    """`lr` is the highest rate, reached after the part `warm_up` of the iterations."""

    name: Literal["adam_one_cycle"]
    lr: PositiveFloat
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)]
    eps: PositiveFloat
    warm_up: Annotated[float, Field(gt=0, lt=1)]


class Sgd(Group):
    name: Literal["sgd"]
    lr: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]


class Lbfgs(Group):
    name: Literal["lbfgs"]
    lr: PositiveFloat
    history: PositiveInt


class NoRegularizer(Group):
    name: Literal["none"]


class TotalVariation(Group):
    name: Literal["tv"]
    weight: NonNegativeFloat


class NoStopping(Group):
    name: Literal["none"]


class NoLogger(Group):
    name: Literal["none"]


class Wandb(Group):
    name: Literal["wandb"]
    mode: Literal["offline", "online"]
    project: str
    tags: list[str]


class Fit(Group):
    iterations: PositiveInt
    average_decay: Annotated[float, Field(ge=0, lt=1)]
    checkpoint_every: PositiveInt
    block: PositiveInt
    spike_db: PositiveFloat
    rollbacks: PositiveInt


class Paths(Group):
    results: str


class Experiment(Group):
    name: str


class Settings(Group):
    """Everything that composes one run; conf/ says what each word means and where its value comes from."""

    scale: Scale
    image: Image
    target: Annotated[PlainTarget | NoisyTarget, Field(discriminator="name")]
    task: Annotated[
        Reconstruction | Denoising | Jpeg | SuperResolution | Inpainting,
        Field(discriminator="name"),
    ]
    architecture: Architecture
    latent: Latent
    optimizer: Annotated[Adam | AdamOneCycle | Sgd | Lbfgs, Field(discriminator="name")]
    regularizer: Annotated[NoRegularizer | TotalVariation, Field(discriminator="name")]
    stopping: NoStopping
    logger: Annotated[NoLogger | Wandb, Field(discriminator="name")]
    experiment: Experiment
    seed: NonNegativeInt
    replicas: PositiveInt
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    precision: Literal["float64", "float32", "tf32", "bf16"]
    force: bool
    output: str | None
    fit: Fit
    paths: Paths

    @property
    def seeds(self) -> list[int]:
        """The seed of each replica."""
        return [self.seed + replica for replica in range(self.replicas)]

    @property
    def mask_path(self) -> str | None:
        """The file of the mask, where the task has one."""
        return self.task.path if isinstance(self.task, Inpainting) else None

    def words(self) -> dict[str, Any]:
        """Plain nested dictionary with the words of conf/."""
        return self.model_dump(by_alias=True)


WITHOUT_EFFECT = ("paths", "output", "logger", "force", "experiment", "scale")
"""Settings that cannot change a run's numbers (what `scale` sets is in the other groups)."""


def identity(words: dict[str, Any], image_digest: str | None, mask_digest: str | None = None) -> dict[str, Any]:
    """What a run's signature is made of: all words that can change its numbers, a file by its content, not its name."""
    kept = {name: value for name, value in words.items() if name not in WITHOUT_EFFECT}
    kept["image"] = {**words["image"], "path": image_digest}
    if mask_digest:
        kept["task"] = {**words["task"], "mask": {**words["task"]["mask"], "path": mask_digest}}
    kept["fit"] = {name: value for name, value in words["fit"].items() if name != "checkpoint_every"}
    return kept
