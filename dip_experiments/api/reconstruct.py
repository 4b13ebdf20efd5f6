"""Reconstruct an image from a measurement, or restore a noisy one, without files, Hydra or a store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from dip_experiments.api.stopping_monitor import read_rule
from dip_experiments.config.defaults import default_settings
from dip_experiments.config.errors import format_error
from dip_experiments.config.groups import option_file
from dip_experiments.config.restoring import DEFAULT, experiment_for
from dip_experiments.config.settings import Settings
from dip_experiments.data.arrays import is_grey, repeated
from dip_experiments.guidance import Guidance
from dip_experiments.latents import Latent
from dip_experiments.losses import Loss
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.runner.reconstruct import NetworkLike, Reconstruction, fit_task
from dip_experiments.runner.reconstruct_tiles import TiledReconstruction, fit_tiles
from dip_experiments.runner.tiles import tiling_for
from dip_experiments.stopping import Stopping, StoppingRule
from dip_experiments.tasks import Task
from dip_experiments.tasks.given import GivenOperator, Picture, given_task, read_measurement

OF_COMMAND = (
    "image", "target", "task", "logger", "experiment", "paths", "force", "output", "blend", "fit.keep",
    "fit.checkpoint_every", "scale.name", "scale.size", "scale.crop", "scale.replicas",
)  # fmt: skip
"""Settings and groups that mean nothing for arrays."""
ARGUMENTS = {"architecture": "network"}
"""Group whose argument has another name."""


def reconstruct(
    measurement: Picture,
    operator: Any = None,
    *,
    network: NetworkLike = "skip",
    loss: str | Loss = "mse",
    regularizer: str | Regularizer = "none",
    latent: str | Latent = "noise",
    optimizer: str | Optimizer = "adam",
    guidance: str | Guidance = "none",
    stopping: str | Stopping = "none",
    observe: str | Sequence[str | StoppingRule] | Mapping[str, Mapping[str, Any]] = (),
    iterations: int | None = None,
    replicas: int = 1,
    seed: int = 0,
    scale: str = "laptop",
    device: str = "auto",
    precision: str = "float32",
    image_shape: tuple[int, int, int] | None = None,
    reference: Picture | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Reconstruction:
    """Reconstruct an image from one measurement with an untrained network (Ulyanov et al. 2018).

    Nothing is written. The numbers are those of the command `dip` with the same settings.

    Args:
        measurement: y: an array (h, w) or (h, w, c), uint8, uint16 or float in [0, 1]; or a tensor (c, h, w).
        operator: A: an `Operator`, a function of images (n, c, h, w), a deepinv physics, or a mask: an array of bools
            (h, w), True where y is known (hidden values may be NaN); None: the identity.
        network: Name of an architecture, a function that makes a module (it is given those of `input_channels`,
            `output_channels` and `size` that it names), or, for one replica, a module, of which a copy is fitted.
        loss, regularizer, latent, optimizer, guidance: A name, as on the command line, or an instance.
        stopping: The rule that may end the fit.
        observe: Rules that monitor the fit and never end it; with settings: {"split": {"law.sigma": 25.0}}.
        iterations: How many; None: as many as the scale has.
        replicas: Independent fits at once; replica r has the seed `seed + r`.
        scale: The defaults of width and iterations: smoke, demo, laptop or paper.
        device: auto, cpu, cuda or cuda:1; `precision`: float64, float32, tf32 or bf16.
        image_shape: Channels, rows and columns of the image, where the operator is a function that changes the shape.
        reference: The clean image, if it is known: only for PSNR curves, never for the fit.
        settings: Further settings by their full names, such as {"latent.perturbation": 0.0, "fit.block": 20}, and
            options of groups, such as {"stopping/law": "poisson"}.
        progress: Show iterations, time left and loss on standard error.

    Raises:
        ValueError: For arguments that do not fit together, with what to do.
    """
    y, layout = read_measurement(measurement, operator)
    task = given_task(y, operator, image_shape, reference, replicas)
    parts = {
        "loss": loss, "regularizer": regularizer, "latent": latent, "optimizer": optimizer, "guidance": guidance,
        "stopping": stopping,
    }  # fmt: skip
    arguments = {"replicas": replicas, "seed": seed, "device": device, "precision": precision}
    arguments |= {} if iterations is None else {"fit.iterations": iterations}
    further = _joined(arguments, settings, (*parts, "architecture", "observe"))
    chosen = _settings(task, network, parts, _rules(observe), further, scale)
    return fit_task(chosen, task, network, layout, progress)


def restore(
    noisy: Picture,
    *,
    noise: str = DEFAULT,
    replicas: int = 4,
    seed: int = 0,
    scale: str = "laptop",
    device: str = "auto",
    reference: Picture | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Reconstruction | TiledReconstruction:
    """Restore a noisy picture from itself; the noise level, the stop and the error are estimated.

    The numbers are those of the command `dip restore`, also of a large picture, which is restored in tiles.

    Args:
        noisy: An array (h, w) or (h, w, c), uint8, uint16 or float in [0, 1]; or a tensor (c, h, w). Three equal
            channels are fitted as one.
        noise: auto, which finds out how strong it is, how it grows with brightness, what neighbours and channels share
            of it, and whether it was clipped; gaussian, white and the same everywhere, of which only the strength is
            estimated; poisson, counted photons; or speckle.
        replicas, seed, scale, device, reference, settings, progress: See `reconstruct`; `{"tile": None}`: no tiles.

    Raises:
        ValueError: For a picture without noise, and as `reconstruct`.
    """
    y, layout = read_measurement(noisy, None)
    if len(y) not in (1, 3):
        raise ValueError(f"noisy has {len(y)} channels; give a grey picture, or red, green and blue: noisy[..., :3]")
    if is_grey(y):  # their noise is one, too
        y, layout = y[:1], repeated(layout)
    task = given_task(y, None, None, reference, replicas)
    others = _joined({"replicas": replicas, "seed": seed, "device": device}, settings)
    chosen = _settings(task, "skip", {}, (), others, scale, experiment_for(noise))
    if tiling := tiling_for(chosen, *y.shape[1:]):
        return fit_tiles(chosen, task, tiling, layout, progress)
    return fit_task(chosen, task, "skip", layout, progress)


def _joined(
    arguments: Mapping[str, Any], settings: Mapping[str, Any] | None, groups: Iterable[str] = ()
) -> dict[str, Any]:
    """Return arguments and further settings. `groups`: those whose option is an argument.

    Raises:
        ValueError: For what is no dictionary, and a setting that is an argument, or means nothing for arrays.
    """
    if not isinstance(settings, Mapping | None):
        raise ValueError(f"settings={settings!r}: a dictionary is wanted, such as {{'fit.iterations': 100}}")
    for key, value in (settings or {}).items():
        name = key.rpartition(".")[2]
        if key == "tile" and groups:
            raise ValueError("settings: tile: only dip.restore(noisy) restores in tiles; leave it out")
        if key in arguments or key in groups:
            raise ValueError(f"settings: {key} is an argument of its own; give {ARGUMENTS.get(key, name)}={value!r}")
        if key in OF_COMMAND or key.split(".")[0].split("/")[0] in OF_COMMAND:
            raise ValueError(
                f"settings: {key} is of what the command `dip` reads and writes; leave it out: arrays are fitted as "
                "they are given, and nothing is written"
            )
    return {**arguments, **(settings or {})}


def _rules(observe: str | Sequence[str | StoppingRule] | Mapping[str, Mapping[str, Any]]) -> list[StoppingRule]:
    """Return the rules that monitor a fit."""
    if isinstance(observe, Mapping):
        return [read_rule(name, settings, _group(name)) for name, settings in observe.items()]
    rules = [observe] if isinstance(observe, str) else observe
    return [rule if isinstance(rule, StoppingRule) else read_rule(rule, group=_group(rule)) for rule in rules]


def _group(name: str) -> str:
    """Return the group whose option has the settings of a rule that monitors: observers can do nothing else."""
    return "stopping" if option_file("stopping", name) else "observe"


def _settings(
    task: Task,
    network: NetworkLike,
    parts: Mapping[str, Any],
    observe: Sequence[StoppingRule],
    others: Mapping[str, Any],
    scale: str,
    experiment: str | None = None,
) -> Settings:
    """Return the settings that the command line would compose. Raises ValueError for wrong ones."""
    names = {group: part for group, part in {**parts, "architecture": network}.items() if isinstance(part, str)}
    choices = {
        "scale": scale, "image": "file", "target": "natural", "task": "denoising", "task/noise": "none",
        "logger": "none", **names, **{key: option for key, option in others.items() if "/" in key},
    }  # fmt: skip
    plain = {key: value for key, value in others.items() if "/" not in key}
    values = default_settings(choices, {"image.path": "array", **plain}, experiment)
    values |= {group: part for group, part in parts.items() if not isinstance(part, str)}
    values["observe"] = {rule.name: rule for rule in observe}
    if not task.operator.is_identity:
        none = {"name": "none"}
        values["task"] = {"name": "inverse", "operator": GivenOperator(name="given"), "noise": none}
        values["task"]["source"] = "measurement"
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ValueError(format_error(error)) from None
