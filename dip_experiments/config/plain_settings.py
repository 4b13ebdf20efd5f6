"""The settings of a run that need no PyTorch: a wrong value is refused before it is loaded."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, cast, get_args

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from dip_experiments.config.comments import known_settings
from dip_experiments.data.datasets import check_name
from dip_experiments.schema import DefaultForHash, Group, HashContent, NotHashed, in_order_of

Stream = Literal["target", "task", "init", "latent", "perturbation", "stopping"]
"""Named sources of randomness."""


class Scale(Group):
    name: Literal["smoke", "demo", "laptop", "paper"]
    size: PositiveInt
    crop: PositiveInt | None
    width: PositiveInt
    iterations: PositiveInt
    replicas: PositiveInt
    gamma: Literal["ones", "uniform"]


class Image(Group):
    """`size`: pixels a side, None for the picture's own. `multiple`: what both sides are cut to be divisible by.

    `page`, `white`: see `data.reading.Form`. `window`: the part of the picture that one tile is, see
    `data.tiling.Tiling.windows`; its noise is that of the picture. Set by `tile`, never by a request.
    """

    name: Annotated[str, AfterValidator(check_name), HashContent()]
    path: Annotated[str | None, HashContent()]
    size: PositiveInt | None
    fit: Literal["resize", "crop", "whole"]
    multiple: PositiveInt
    page: Annotated[NonNegativeInt | None, DefaultForHash(None)] = None
    white: Annotated[PositiveFloat | None, DefaultForHash(None)] = None
    window: Annotated[list[NonNegativeInt] | None, Field(min_length=4, max_length=4), DefaultForHash(None)] = None


class NoLogger(Group):
    name: Literal["none"]


class Wandb(Group):
    """`mode`, `project`: None leaves them to W&B's variables in the environment, see `fitting.wandb_options`."""

    name: Literal["wandb"]
    mode: Literal["offline", "online", "disabled"] | None
    project: str | None
    tags: list[str]


class Fit(Group):
    """`keep`: iterations whose images are stored besides 1, 3, 10, 30, ... and the last, and whose averages are."""

    iterations: PositiveInt
    average_decay: Annotated[float, Field(ge=0, lt=1)]
    weight_noise: Annotated[NonNegativeFloat, DefaultForHash(0.0)] = 0.0
    checkpoint_every: Annotated[PositiveInt, NotHashed()]
    block: PositiveInt
    keep: Annotated[list[PositiveInt], NotHashed()]
    spike_db: PositiveFloat
    rollbacks: PositiveInt


class Paths(Group):
    results: str


class Experiment(BaseModel):
    """Description of an experiment: its name, and values by scale that its other settings look up."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: str


NAME = re.compile(r"(?!(null|true|false|nan|inf)$)[A-Za-z_]\w*")
"""A text that is neither a number nor another value of Hydra's grammar."""


def check_device(name: str) -> str:
    """Return the name of a device: auto, cpu, cuda or cuda:1. Raises ValueError for any other."""
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        return name
    if name.startswith("mps"):
        raise ValueError(f"device={name}: fits on Apple's GPU are not supported; a Mac fits on its CPU: device=cpu")
    if name.startswith("gpu"):
        raise ValueError(f"device={name}: an NVIDIA GPU is device=cuda, the second one device=cuda:1")
    raise ValueError(f"device={name}: there are auto, cpu, cuda and cuda:1")


class PlainSettings(Group):
    """Settings of a run besides its parts, which `Settings` adds.

    `tile`: pixels a side above which a picture is restored in tiles, and of these tiles at most; None for no tiles.
    """

    scale: Annotated[Scale, NotHashed()]
    image: Image
    logger: Annotated[NoLogger | Wandb, Field(discriminator="name"), NotHashed()]
    experiment: Annotated[Experiment, NotHashed()]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    replicas: PositiveInt
    shared: Annotated[list[Stream], AfterValidator(in_order_of(get_args(Stream))), DefaultForHash([])]
    device: Annotated[str, AfterValidator(check_device)]
    precision: Literal["float64", "float32", "tf32", "bf16"]
    force: Annotated[bool, NotHashed()]
    output: Annotated[str | None, NotHashed()]
    blend: Annotated[float, Field(ge=0, le=1), NotHashed()]
    tile: Annotated[Annotated[int, Field(ge=16)] | None, NotHashed()] = None
    fit: Fit
    paths: Annotated[Paths, NotHashed()]

    @model_validator(mode="after")
    def _settings_that_fit(self) -> "PlainSettings":
        """Check settings that are right each for itself and make no sense together: nothing has to be read to know."""
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        if self.seed + self.replicas > 2**63:
            yield f"seed={self.seed}: replica r has seed + r, which must be below 2^63; choose a smaller one"
        if beyond := [n for n in self.fit.keep if n > self.fit.iterations]:
            yield f"fit.keep={beyond}: the fit ends at iteration {self.fit.iterations}; ask for earlier ones or none"
        if self.image.name == "file" and not self.image.path:
            yield "image.path is needed with image=file; add image.path=photo.png"
        if self.image.name != "file" and self.image.path:
            yield f"image={self.image.name} with image.path={self.image.path}: leave one of them out"
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.experiment.name):
            yield f"experiment.name={self.experiment.name}: letters, digits, _ and - make a name"


def check_plain(config: DictConfig) -> None:
    """Check the settings of a composed configuration besides its parts. Raises as `read_settings` does."""
    values = {name: config[name] for name in PlainSettings.model_fields if name in config}
    PlainSettings.model_validate(
        {
            name: OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
            if OmegaConf.is_config(value)
            else value
            for name, value in values.items()
        }
    )


def check_numbers(overrides: Sequence[str]) -> None:
    """Raise ValueError where a setting of a part that is a number in every option is given a text."""
    given = ((key.lstrip("+"), value) for key, _, value in (one.partition("=") for one in overrides))
    texts = [(key, text) for key, value in given if "." in key for text in value.split(",") if NAME.fullmatch(text)]
    if not texts:
        return
    known = known_settings()
    for key, text in texts:
        defaults = [yaml.safe_load(setting.value) for setting in known if setting.key == key]
        numbers = [isinstance(default, int | float) and not isinstance(default, bool) for default in defaults]
        if numbers and all(numbers):
            raise ValueError(f"{key}: got {text!r}; a number is wanted, such as {defaults[0]}")


def to_plain_values(config: DictConfig) -> dict[str, Any]:
    """Return a configuration as plain nested dictionaries, without Hydra's node. Raises OmegaConf's errors."""
    composed = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    return {name: value for name, value in composed.items() if name != "hydra"}
