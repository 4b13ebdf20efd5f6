"""The settings of one run: the one place where every setting of conf/ has a type and a range."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast, get_args

from omegaconf import DictConfig, OmegaConf
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
    model_validator,
)

from dip_experiments.data.datasets import check_name
from dip_experiments.latents import Latent
from dip_experiments.losses import MSE, Loss
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.schema import TARGET, DefaultForHash, Exchangeable, Group, HashContent, NotHashed, in_order_of
from dip_experiments.stopping import FitContext, NoStopping, Stopping, StoppingRule
from dip_experiments.tasks import Reconstruction, Target, TaskSettings

NONE = NoStopping(name="none")


def chosen(rules: Any) -> Any:
    """Drop the rules that are None, as settings stored before 2026-12 name all of them."""
    return {name: rule for name, rule in rules.items() if rule is not None} if isinstance(rules, dict) else rules


Stream = Literal["target", "task", "init", "latent", "perturbation", "stopping"]
"""Named sources of randomness."""

Observed = dict[str, Annotated[StoppingRule, Exchangeable(StoppingRule)]]
"""Rules that monitor a fit without ending it, by name."""


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

    `page`, `white`: see `data.reading.Form`.
    """

    name: Annotated[str, AfterValidator(check_name), HashContent()]
    path: Annotated[str | None, HashContent()]
    size: PositiveInt | None
    fit: Literal["resize", "crop", "whole"]
    multiple: PositiveInt
    page: Annotated[NonNegativeInt | None, DefaultForHash(None)] = None
    white: Annotated[PositiveFloat | None, DefaultForHash(None)] = None


class Architecture(BaseModel):
    """`_target_` and what its constructor takes; checked against the constructor itself when the network is built."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: str
    constructor: str = Field(alias="_target_")

    @model_validator(mode="before")
    @classmethod
    def _with_name(cls, values: Any) -> Any:
        """Name a network of the user's, which needs no other name, after its class or function."""
        if not isinstance(values, dict) or TARGET not in values:
            return values
        return {"name": str(values[TARGET]).rpartition(".")[2], **values}


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


class Settings(Group):
    """All settings of one run; conf/ has the meaning of each and where its value comes from."""

    scale: Annotated[Scale, NotHashed()]
    image: Image
    target: Annotated[Target, Exchangeable(Target)]
    task: Annotated[TaskSettings, Exchangeable(TaskSettings)]
    architecture: Architecture
    latent: Annotated[Latent, Exchangeable(Latent)]
    optimizer: Annotated[Optimizer, Exchangeable(Optimizer)]
    loss: Annotated[Loss, Exchangeable(Loss), DefaultForHash(MSE)] = MSE
    regularizer: Annotated[Regularizer, Exchangeable(Regularizer)]
    stopping: Annotated[Stopping, Exchangeable(Stopping), DefaultForHash(NONE)]
    observe: Annotated[Observed, BeforeValidator(chosen)] = Field(default_factory=dict)
    logger: Annotated[NoLogger | Wandb, Field(discriminator="name"), NotHashed()]
    experiment: Annotated[Experiment, NotHashed()]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    replicas: PositiveInt
    shared: Annotated[list[Stream], AfterValidator(in_order_of(get_args(Stream))), DefaultForHash([])]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    precision: Literal["float64", "float32", "tf32", "bf16"]
    force: Annotated[bool, NotHashed()]
    output: Annotated[str | None, NotHashed()]
    blend: Annotated[float, Field(ge=0, le=1), NotHashed()]
    fit: Fit
    paths: Annotated[Paths, NotHashed()]

    @model_validator(mode="after")
    def _settings_that_fit(self) -> "Settings":
        """Check settings that are right each for itself and make no sense together: nothing has to be read to know."""
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        if self.seed + self.replicas > 2**63:
            yield f"seed={self.seed}: replica r has seed + r, which must be below 2^63; choose a smaller one"
        if not self.optimizer.separates_replicas and self.replicas > 1:
            yield (
                f"optimizer={self.optimizer.name} with replicas={self.replicas}: its step couples all parameters; "
                "use replicas=1 and sweep the seed: -m seed=0,1,2"
            )
        if self.architecture.name == "pixels" and self.latent.optimise == "z":
            yield "latent.optimise=z with architecture=pixels: pixels look at no latent; use latent.optimise=theta"
        if self.fit.weight_noise and (self.architecture.name == "pixels" or self.latent.optimise == "z"):
            yield (
                f"fit.weight_noise={self.fit.weight_noise:g}: with architecture=pixels there are no weights, with "
                "latent.optimise=z they stay as they are; leave it out"
            )
        if self.latent.name == "meshgrid" and self.latent.channels != 2:
            yield f"latent=meshgrid has 2 channels, not latent.channels={self.latent.channels}; leave that out"
        if not isinstance(self.task, Reconstruction) and self.target.name != "natural":
            yield (
                f"task={self.task.name} with target={self.target.name}: a restoration task degrades the image itself; "
                "leave target out, or use target=natural"
            )
        if beyond := [n for n in self.fit.keep if n > self.fit.iterations]:
            yield f"fit.keep={beyond}: the fit ends at iteration {self.fit.iterations}; ask for earlier ones or none"
        if self.latent.name == "measurement" and not self.task.measures_every_pixel:
            yield f"latent=measurement with task={self.task.name}: that measures no whole image; use latent=noise"
        yield from self._stopping_faults()
        if self.blend and (self.output is None or not self.task.measures_every_pixel):
            yield f"blend={self.blend:g}: of the picture that output=... writes of a task that measures the whole image"
        if self.image.name == "file" and not self.image.path:
            yield "image.path is needed with image=file; add image.path=photo.png"
        if self.image.name != "file" and self.image.path:
            yield f"image={self.image.name} with image.path={self.image.path}: leave one of them out"
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.experiment.name):
            yield f"experiment.name={self.experiment.name}: letters, digits, _ and - make a name"

    def _stopping_faults(self) -> Iterator[str]:
        if isinstance(self.stopping, StoppingRule) and self.stopping.name in self.observe:
            name = self.stopping.name
            yield f"observe=[{name}] with stopping={name}: it watches already; leave it out"
        for rule in self.rules.values():
            yield from rule.config_errors(self._context)
            if rule.needs_divergence and self.precision == "bf16":
                yield "stopping=sure with precision=bf16: differences of images drown in its rounding; use float32"

    @property
    def _context(self) -> FitContext:
        task = self.task
        return FitContext(
            task.name, task.measures_every_pixel, task.noise_can_be_estimated, self.latent.name, self.fit.block
        )

    @property
    def rules(self) -> dict[str, StoppingRule]:
        """All rules that watch, by name: the one that may end the fit, and those of `observe`."""
        ending = {self.stopping.name: self.stopping} if isinstance(self.stopping, StoppingRule) else {}
        return {**ending, **self.observe}

    @property
    def seeds(self) -> list[int]:
        """The seed of each replica."""
        return [self.seed + replica for replica in range(self.replicas)]

    def seeds_of(self, stream: Stream) -> list[int]:
        """Return the seed of each replica in one stream: its own, or the first one's where the stream is shared."""
        return [self.seed] * self.replicas if stream in self.shared else self.seeds

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested dictionaries, as conf/ has them."""
        return self.model_dump(by_alias=True)


def read_settings(config: DictConfig) -> Settings:
    """Check the composed configuration. Raises pydantic's ValidationError or OmegaConf's errors."""
    composed = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    return Settings.model_validate({name: value for name, value in composed.items() if name != "hydra"})
