"""The settings of one run: the one place where every setting of conf/ has a type and a range."""

from collections.abc import Iterator
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from dip_experiments.config.plain_settings import PlainSettings, Stream, to_plain_values
from dip_experiments.guidance import NO_GUIDANCE, Guidance
from dip_experiments.latents import Latent
from dip_experiments.losses import MSE, DistributionalConsistency, Loss, MeanSquaredError
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.schema import TARGET, DefaultForHash, Exchangeable
from dip_experiments.stopping import FitContext, NoStopping, Observer, Stopping, StoppingRule
from dip_experiments.tasks import Reconstruction, Target, TaskSettings
from dip_experiments.theory import observers  # noqa: F401  (they are found by their names)

NONE = NoStopping(name="none")


def chosen(rules: Any) -> Any:
    """Drop the rules that are None, as settings stored before 2026-12 name all of them."""
    return {name: rule for name, rule in rules.items() if rule is not None} if isinstance(rules, dict) else rules


Observed = dict[str, Annotated[StoppingRule, Exchangeable(StoppingRule)]]
"""Rules that monitor a fit without ending it, by name."""


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


class Settings(PlainSettings):
    """All settings of one run; conf/ has the meaning of each and where its value comes from."""

    target: Annotated[Target, Exchangeable(Target)]
    task: Annotated[TaskSettings, Exchangeable(TaskSettings)]
    architecture: Architecture
    latent: Annotated[Latent, Exchangeable(Latent)]
    optimizer: Annotated[Optimizer, Exchangeable(Optimizer)]
    loss: Annotated[Loss, Exchangeable(Loss), DefaultForHash(MSE)] = MSE
    regularizer: Annotated[Regularizer, Exchangeable(Regularizer)]
    guidance: Annotated[Guidance, Exchangeable(Guidance), DefaultForHash(NO_GUIDANCE)] = NO_GUIDANCE
    stopping: Annotated[Stopping, Exchangeable(Stopping), DefaultForHash(NONE)]
    observe: Annotated[Observed, BeforeValidator(chosen)] = Field(default_factory=dict)

    def _faults(self) -> Iterator[str]:
        yield from super()._faults()
        if not self.optimizer.separates_replicas and self.replicas > 1:
            yield (
                f"optimizer={self.optimizer.name} with replicas={self.replicas}: its step couples all parameters; "
                "use replicas=1 and sweep the seed: -m seed=0,1,2"
            )
        network, optimise = self.architecture.name, self.latent.optimise
        weights_stay = optimise in ("z", "z_and_norms")
        if network in ("pixels", "siren") and weights_stay:
            yield (
                f"latent.optimise={optimise} with architecture={network}: that looks at no latent; use "
                "latent.optimise=theta"
            )
        if self.fit.weight_noise and (network == "pixels" or weights_stay):
            yield (
                f"fit.weight_noise={self.fit.weight_noise:g}: with architecture=pixels there are no weights, with "
                "latent.optimise=z and z_and_norms they stay as they are; leave it out"
            )
        if self.optimizer.draws and (network == "pixels" or weights_stay):
            yield (
                f"optimizer={self.optimizer.name}: it adds noise to the weights of convolutions; with "
                "architecture=pixels there are none, with latent.optimise=z and z_and_norms they stay as they are; use "
                "another one"
            )
        if self.latent.name == "meshgrid" and self.latent.channels != 2:
            yield f"latent=meshgrid has 2 channels, not latent.channels={self.latent.channels}; leave that out"
        if not isinstance(self.task, Reconstruction) and self.target.name != "natural":
            yield (
                f"task={self.task.name} with target={self.target.name}: a restoration task degrades the image itself; "
                "leave target out, or use target=natural"
            )
        if self.latent.name == "measurement" and not self.task.measures_every_pixel:
            yield f"latent=measurement with task={self.task.name}: that measures no whole image; use latent=noise"
        yield from self.loss.config_errors(self.task.name, self.task.noise_can_be_estimated)
        yield from self._guidance_faults()
        yield from self._stopping_faults()
        if self.tile and not self.task.divides:
            yield f"tile={self.tile} with task={self.task.name}: only denoising is done in tiles; leave it out"
        if self.blend and (self.output is None or not self.task.measures_every_pixel):
            yield f"blend={self.blend:g}: of the picture that output=... writes of a task that measures the whole image"

    def _guidance_faults(self) -> Iterator[str]:
        guidance, optimise = self.guidance, self.guidance.optimises
        if guidance == NO_GUIDANCE:
            return
        name = f"guidance={guidance.name}"
        yield from guidance.config_errors(self.fit.iterations)
        if optimise and self.latent.optimise != optimise:
            yield f"{name} with latent.optimise={self.latent.optimise}: set latent.optimise={optimise}"
        if guidance.looks_at_latent and self.architecture.name in ("pixels", "siren"):
            yield f"{name} with architecture={self.architecture.name}: that looks at no latent; use another network"
        if not self.optimizer.separates_replicas:
            yield f"{name} with optimizer={self.optimizer.name}: it counts on a loss that stays the same; use adam"
        if guidance.latent_lr is not None and self.optimizer.name == "adam_one_cycle":
            yield f"{name} with optimizer=adam_one_cycle: its latent has a constant rate of its own; use adam"
        for rule in self.rules.values():
            if rule.needs_divergence or (guidance.moves_measurement and rule.name == "discrepancy"):
                yield f"{name} with the rule {rule.name}: it counts on a measurement and a latent that stay; use split"

    def _stopping_faults(self) -> Iterator[str]:
        if isinstance(self.stopping, StoppingRule) and self.stopping.name in self.observe:
            name = self.stopping.name
            yield f"observe=[{name}] with stopping={name}: it watches already; leave it out"
        if isinstance(self.stopping, Observer):
            name = self.stopping.name
            yield f"stopping={name}: it measures a fit and never stops it; use observe=[{name}]"
        for rule in self.rules.values():
            yield from rule.config_errors(self._context)
            yield from self._law_faults(rule)
            if rule.needs_divergence and self.precision == "bf16":
                yield "stopping=sure with precision=bf16: differences of images drown in its rounding; use float32"

    def _law_faults(self, rule: StoppingRule) -> Iterator[str]:
        law: str | None = getattr(getattr(rule, "law", None), "name", None)
        if law is None or not isinstance(self.loss, DistributionalConsistency):
            return
        levels = {"poisson": self.loss.gain, "gamma": self.loss.looks}
        if any((law == kind) != (level is not None) for kind, level in levels.items()):
            yield (
                f"loss=distributional with law={law} of {rule.name}: noise of two kinds; give loss.gain with "
                "law=poisson, loss.looks with law=gamma, and neither with another law"
            )

    @property
    def _context(self) -> FitContext:
        task, fit = self.task, self.fit
        return FitContext(
            task=task.name,
            measures_every_pixel=task.measures_every_pixel,
            noise_can_be_estimated=task.noise_can_be_estimated,
            latent=self.latent.name,
            block=fit.block,
            iterations=fit.iterations,
            replicas=self.replicas,
            shared=frozenset(self.shared),
            hides_values=any(rule.hides_values for rule in self.rules.values()),
            plain=self._is_plain,
        )

    @property
    def _is_plain(self) -> bool:
        """True if the weights alone are fitted, by squared error alone, without perturbations."""
        squared = isinstance(self.loss, MeanSquaredError) and self.regularizer.is_zero and self.guidance == NO_GUIDANCE
        return (
            squared and not self.latent.perturbation and not self.fit.weight_noise and self.latent.optimise == "theta"
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
    return Settings.model_validate(to_plain_values(config))
