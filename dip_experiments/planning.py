"""A request checked as a whole before anything is written: what it reads, what it builds, whether there is room."""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.architectures import (
    Network,
    build_replicas,
    bytes_needed,
    filled_in,
    find_network,
    with_scales_that_fit,
)
from dip_experiments.devices import available_memory, check_precision, find_device
from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.problem import Problem, make_latent
from dip_experiments.images import check_output, expanded
from dip_experiments.images.pictures import Frame, Pictures, load_pictures, local, sources
from dip_experiments.settings import Settings, TotalVariation, Wandb
from dip_experiments.store import check_writable
from dip_experiments.tasks import Reconstruction, Task

Builder = Callable[[int], Network]
"""Replicas -> network."""
VALUE_BYTES = {"float64": 8, "float32": 4, "tf32": 4, "bf16": 4}
"""Of a number, at most: with bf16 statistics and weights stay float32."""
LARGE = 2 * 10**9
"""Bytes from which on a fit is announced."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A run that was checked: everything that can be wrong with a request has been looked at, nothing was written."""

    settings: Settings
    device: torch.device
    pictures: Pictures
    build: Builder


def plan(settings: Settings) -> Plan:
    """Checks a request as a whole. Raises ValueError that says what was given, what is wanted and what to do."""
    device = find_device(settings.device)
    check_precision(settings.precision, device)
    if isinstance(settings.logger, Wandb) and settings.logger.mode == "online":
        check_account()
    pictures = pictures_of(settings)
    build = architecture(settings, task_of(settings, pictures, settings.seeds[:1]).shape)
    latent_of(settings, pictures, build(1), seeds=[0])
    check_writable(Path(settings.paths.results))
    return Plan(settings, device, pictures, build)


def check_delivery(settings: Settings) -> None:
    """Raises ValueError unless the restored picture can be written where it is wanted."""
    if settings.output:
        path = Path(expanded(settings.output, settings.image.path, settings.image.name))
        read = sources(settings.image.name, settings.image.path, settings.task.companions(settings.image.name))
        check_output(path, map(local, read.values()))


def frame_of(settings: Settings) -> Frame:
    """The part of the pictures that is used."""
    return Frame(settings.image.size, settings.image.fit, settings.image.multiple)


def pictures_of(settings: Settings) -> Pictures:
    """All that the run reads. Raises ValueError with what to do."""
    name = settings.image.name
    return load_pictures(name, settings.image.path, frame_of(settings), settings.task.companions(name))


def task_of(settings: Settings, pictures: Pictures, seeds: Sequence[int]) -> Task:
    """The task of the replicas with these seeds, on the CPU in float64.

    Raises ValueError where task, image and target do not fit.
    """
    image, task = torch.from_numpy(pictures.image), settings.task
    if isinstance(task, Reconstruction):
        return task.make(image, seeds, settings.target)
    companions = {role: torch.from_numpy(picture) for role, picture in pictures.companions.items()}
    return task.make(image, seeds, companions)


def latent_of(
    settings: Settings, pictures: Pictures, network: Network, seeds: Sequence[int]
) -> Float[Tensor, "r cz hz wz"]:
    """The latents that the network takes. Raises ValueError where it takes none such."""
    words, flash = settings.latent, pictures.companions.get("flash")
    given = None if flash is None else torch.from_numpy(flash)
    return make_latent(words.name, network.latent_shape, words.scale, seeds, given)


def check_account() -> None:
    """Raises ValueError if W&B has no key to log in with."""
    netrc = Path(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))
    known = "WANDB_API_KEY" in os.environ or (netrc.exists() and "wandb" in netrc.read_text())
    if not known:
        raise ValueError(
            "logger.mode=online: no W&B key found; run `wandb login`, set WANDB_API_KEY, or use logger.mode=offline"
        )


def architecture(settings: Settings, shape: tuple[int, int, int, int]) -> Builder:
    """The network's builder, with as many scales as the picture has room for; what was left out is said.

    Raises ValueError for a class that is no network, arguments that it does not take, a picture that is too small, and
    for more memory than there is.
    """
    words = settings.architecture
    network = find_network(words.constructor, words.name)
    arguments: dict[str, Any] = {
        "input_channels": settings.latent.channels,
        "output_channels": shape[1],
        "size": shape[2:],
        **filled_in(network, dict(words.model_extra or {})),
    }
    arguments, left_out = with_scales_that_fit(network, arguments)
    if left_out:
        log.info("%s", left_out)
    check_room(settings, bytes_needed(network, arguments, settings.replicas, VALUE_BYTES[settings.precision]), shape)
    return lambda replicas: network(**arguments, replicas=replicas)


def check_room(settings: Settings, needed: int, shape: tuple[int, int, int, int]) -> None:
    """Raises ValueError if a fit would not fit into memory; says of a large one how much it will take."""
    there = available_memory(find_device(settings.device))
    size = f"{shape[2]} x {shape[3]} pixels, replicas={settings.replicas}"
    if there is not None and needed > there:
        raise ValueError(
            f"{size}: about {needed / 1e9:.1f} GB of memory needed, {there / 1e9:.1f} GB there; "
            "make scale.width, replicas or image.size smaller"
        )
    if needed > LARGE:
        log.info(
            "%s: about %.1f GB of memory; how long it takes is told after the first iterations", size, needed / 1e9
        )


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
        task=task_of(settings, planned.pictures, settings.seeds).to(device, dtype),
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
