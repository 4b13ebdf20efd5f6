"""A request checked as a whole before anything is written: what it reads, what it builds, whether there is room."""

import importlib
import inspect
import os
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pydantic import ConfigDict, create_model
from torch import Tensor

from dip_experiments.architectures import Network, build_replicas
from dip_experiments.devices import check_precision, find_device
from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.problem import Problem, make_latent
from dip_experiments.images import check_output, expanded
from dip_experiments.images.pictures import Frame, Pictures, load_pictures, local, sources
from dip_experiments.settings import Settings, TotalVariation, Wandb
from dip_experiments.store import check_writable
from dip_experiments.tasks import Reconstruction, Task


@dataclass(frozen=True)
class Plan:
    """A run that was checked: everything that can be wrong with a request has been looked at, nothing was written."""

    settings: Settings
    device: torch.device
    pictures: Pictures
    build: Callable[[int], Network]


def plan(settings: Settings) -> Plan:
    """Checks a request as a whole. Raises ValueError that says what was given, what is wanted and what to do."""
    device = find_device(settings.device)
    check_precision(settings.precision, device)
    if settings.optimizer.name == "lbfgs" and settings.replicas > 1:
        raise ValueError(
            f"optimizer=lbfgs with replicas={settings.replicas}: L-BFGS couples all parameters; "
            "use replicas=1 and sweep the seed: -m seed=0,1,2"
        )
    if settings.architecture.name == "pixels" and settings.latent.optimise == "z":
        raise ValueError(
            "latent.optimise=z with architecture=pixels: pixels look at no latent; use latent.optimise=theta"
        )
    if isinstance(settings.logger, Wandb) and settings.logger.mode == "online":
        check_account()
    pictures = pictures_of(settings)
    build = architecture(settings, task_of(settings, pictures).shape)
    latent_of(settings, pictures, build(1), seeds=[0])
    check_writable(Path(settings.paths.results))
    return Plan(settings, device, pictures, build)


def check_delivery(settings: Settings) -> None:
    """Raises ValueError unless the restored picture can be written where it is wanted."""
    if settings.output:
        path = Path(expanded(settings.output, settings.image.path, settings.image.name))
        read = sources(settings.image.name, settings.image.path, settings.task.companions(settings.image.name))
        check_output(path, map(local, read.values()))
        check_writable(path.parent, "output")


def frame_of(settings: Settings) -> Frame:
    """The part of the pictures that is used."""
    return Frame(settings.image.size, settings.image.fit, settings.image.multiple)


def pictures_of(settings: Settings) -> Pictures:
    """All that the run reads. Raises ValueError with what to do."""
    name = settings.image.name
    return load_pictures(name, settings.image.path, frame_of(settings), settings.task.companions(name))


def task_of(settings: Settings, pictures: Pictures) -> Task:
    """The task of every replica on the CPU in float64. Raises ValueError where task, image and target do not fit."""
    image, task = torch.from_numpy(pictures.image), settings.task
    if isinstance(task, Reconstruction):
        return task.make(image, settings.seeds, settings.target)
    if settings.target.name != "natural":
        raise ValueError(
            f"task={task.name} with target={settings.target.name}: a restoration task degrades the image itself; "
            "leave target out, or use target=natural"
        )
    companions = {role: torch.from_numpy(picture) for role, picture in pictures.companions.items()}
    return task.make(image, settings.seeds, companions)


def latent_of(
    settings: Settings, pictures: Pictures, network: Network, seeds: Sequence[int]
) -> Float[Tensor, "r cz hz wz"]:
    """The latents that the network takes. Raises ValueError where it takes none such."""
    words, flash = settings.latent, pictures.companions.get("flash")
    given = None if flash is None else torch.from_numpy(flash)
    return make_latent(words.name, network.latent_shape, words.scale, seeds, given)


def check_account() -> None:
    """Raises ValueError if W&B has no key to log in with."""
    netrc = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    known = "WANDB_API_KEY" in os.environ or (netrc.exists() and "wandb" in netrc.read_text())
    if not known:
        raise ValueError(
            "logger.mode=online: no W&B key found; run `wandb login`, set WANDB_API_KEY, or use logger.mode=offline"
        )


def architecture(settings: Settings, shape: tuple[int, int, int, int]) -> Callable[[int], Network]:
    """A builder, replicas -> network, with the constructor's arguments checked against its own signature."""
    constructor = find_class("architecture._target_", settings.architecture.constructor)
    arguments: dict[str, Any] = {
        "input_channels": settings.latent.channels,
        "output_channels": shape[1],
        "size": shape[2:],
        **(settings.architecture.model_extra or {}),
    }
    check_arguments(constructor, arguments)
    return lambda replicas: constructor(**arguments, replicas=replicas)


def find_class(key: str, path: str) -> Any:
    """The class at a dotted path, imported now. Raises ValueError that names the settings' `key`."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}={path}: no such class ({error})") from None


def check_arguments(constructor: type, arguments: dict[str, Any]) -> None:
    """Raises pydantic's ValidationError unless the constructor takes these arguments, by name and type."""
    hints = typing.get_type_hints(constructor.__init__)  # type: ignore[misc]
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(constructor).parameters.items()
        if name != "replicas"
    }
    create_model("architecture", __config__=ConfigDict(extra="forbid", strict=True), **fields).model_validate(arguments)


def make_fit(planned: Plan, images: Iterable[int]) -> Fit:
    """Composes target, task, architecture and latent on the device, in the precision asked for.

    `images`: the iterations whose images are kept.
    """
    settings, device = planned.settings, planned.device
    dtype = torch.float64 if settings.precision == "float64" else torch.float32
    network = build_replicas(planned.build, settings.seeds).to(device, dtype)
    latent = latent_of(settings, planned.pictures, network, settings.seeds)
    problem = Problem(
        network=network,
        latent=latent.to(device, dtype),
        task=task_of(settings, planned.pictures).to(device, dtype),
        seeds=settings.seeds,
        perturbation=settings.latent.perturbation,
        optimise=settings.latent.optimise,
        tv_weight=settings.regularizer.weight if isinstance(settings.regularizer, TotalVariation) else 0.0,
        optimizer=settings.optimizer.model_dump(),
        precision=settings.precision,
    )
    words, repeats = settings.fit, settings.fit.rollbacks if settings.latent.perturbation else 0
    guard = Guard(words.spike_db, repeats, settings.replicas)
    return Fit(problem, words.iterations, words.average_decay, guard, images)
