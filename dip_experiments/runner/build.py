"""A request checked as a whole before anything is written: what it reads, what it builds, whether there is room."""

import logging
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.architectures import (
    Network,
    build_replicas,
    bytes_needed,
    filled_in,
    find_network,
    with_scales_that_fit,
)
from dip_experiments.config.settings import Settings, Stream, TotalVariation, Wandb
from dip_experiments.data.pictures import Pictures, load_pictures
from dip_experiments.devices import available_memory, check_precision, find_device
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.module import Fit
from dip_experiments.fitting.problem import Problem, jittered, make_latent
from dip_experiments.fitting.summary import measurement, measurement_digest
from dip_experiments.folders import check_writable
from dip_experiments.runner.export import image_frame
from dip_experiments.stopping import Prepared, Watch, prepared
from dip_experiments.stopping.noise_estimation import correlation, spoilt
from dip_experiments.store import Run
from dip_experiments.tasks import Reconstruction, Task
from dip_experiments.tensors import generator

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


@dataclass(frozen=True)
class Watched:
    """The task as it is fitted, the one that was given, and what each stopping rule put aside of that."""

    task: Task
    given: Task
    kept: dict[str, Prepared]


def plan(settings: Settings) -> Plan:
    """Checks a request as a whole. Raises ValueError that says what was given, what is wanted and what to do."""
    device = find_device(settings.device)
    check_precision(settings.precision, device)
    if isinstance(settings.logger, Wandb) and settings.logger.mode == "online":
        check_account()
    pictures = pictures_of(settings)
    watched = watched_task(settings, pictures, 1)
    build = architecture(settings, watched.task.shape)
    latent_of(settings, pictures, watched.task, build(1), [settings.seed])
    if settings.rules and settings.replicas > 1:
        watched_task(settings, pictures, 2)  # the rules may not take every two measurements together
    say_what_is_known(settings, watched)
    check_writable(Path(settings.paths.results))
    return Plan(settings, device, pictures, build)


def pictures_of(settings: Settings) -> Pictures:
    """All that the run reads. Raises ValueError with what to do."""
    name = settings.image.name
    return load_pictures(name, settings.image.path, image_frame(settings), settings.task.companions(name))


def task_of(settings: Settings, pictures: Pictures, seeds: Sequence[int]) -> Task:
    """The task of the replicas with these seeds, on the CPU in float64.

    Raises ValueError where task, image and target do not fit.
    """
    image, task = torch.from_numpy(pictures.image), settings.task
    if isinstance(task, Reconstruction):
        return task.make(image, seeds, settings.target)
    companions = {role: torch.from_numpy(picture) for role, picture in pictures.companions.items()}
    return task.make(image, seeds, companions)


def given_task(settings: Settings, pictures: Pictures, replicas: int) -> Task:
    """The task of the first replicas, as it is before a stopping rule takes its part. Raises what `task_of` does."""
    source: Stream = "target" if isinstance(settings.task, Reconstruction) else "task"
    return task_of(settings, pictures, settings.seeds_of(source)[:replicas])


def watched_task(settings: Settings, pictures: Pictures, replicas: int) -> Watched:
    """The task of the first replicas, and what is left of it after the stopping rules took their part.

    Raises ValueError where one cannot.
    """
    given = given_task(settings, pictures, replicas)
    left = Prepared(given.measurement, given.operator)
    fitted, kept = prepared(settings.rules, left, settings.seeds_of("stopping")[:replicas])
    return Watched(Task(fitted.measurement, fitted.operator, given.reference), given, kept)


def made_again(run: Run) -> dict[str, NDArray[Any]]:
    """What the replicas of a finished run saw, made once more from its settings: for a record, which has no arrays.

    `measurement` "r c h w", `reference`, and where pixels are missing `known`. Raises ValueError if it comes out
    otherwise than it was.
    """
    settings = Settings.model_validate(run.settings)
    task = given_task(settings, pictures_of(settings), settings.replicas)
    seen = measurement(task)
    if [measurement_digest(seen, r) for r in range(settings.replicas)] != run.summary["measurement_sha256"]:
        raise ValueError(f"run {run.name}: what it saw comes out otherwise here; fit it again: force=true")
    return seen if task.reference is None else {**seen, "reference": task.reference.numpy()}


def say_what_is_known(settings: Settings, watched: Watched) -> None:
    """Tells of the noise that the rules assume, and warns where they would be misled."""
    for name, part in watched.kept.items():
        if part.facts:
            log.info("%s: %s", name, ", ".join(f"{key} {_short(value)}" for key, value in part.facts.items()))
    trusting = [name for name, rule in settings.rules.items() if rule.trusts_noise]
    whole = bool(Prepared(watched.given.measurement, watched.given.operator).known().all())  # holes look correlated
    image = watched.given.measurement[0].double().numpy()
    looked_at = bool(trusting) and whole
    found = correlation(image) if looked_at else None
    spoilt_by = spoilt(image, min((settings.rules[name].ends for name in trusting), key=len)) if looked_at else None
    if found:
        log.warning("%s: %s; the stop will be late, and an estimated PSNR too high", ", ".join(trusting), found)
    if spoilt_by:
        log.warning("%s: %s; an estimate of the noise is too low, one of the PSNR off", ", ".join(trusting), spoilt_by)


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def latent_of(
    settings: Settings, pictures: Pictures, task: Task, network: Network, seeds: Sequence[int]
) -> Float[Tensor, "r cz hz wz"]:
    """The latents that the network takes. Raises ValueError where it takes none such."""
    words, flash = settings.latent, pictures.companions.get("flash")
    shown = task.measurement if words.name == "measurement" else None
    if flash is not None:
        shown = torch.from_numpy(flash).unsqueeze(0)
    return make_latent(words.name, network.latent_shape, words.scale, seeds, shown)


def probe_of(
    settings: Settings, task: Task, network: Network
) -> tuple[Float[Tensor, "r c h w"], Float[Tensor, "r cz hz wz"]] | None:
    """+-1 for each value of the image, drawn from the seeds, and the same as the latent has it (Ramani et al. 2008).

    None if no rule wants the divergence.
    """
    if not any(rule.needs_divergence for rule in settings.rules.values()):
        return None
    draws = [generator(seed, "stopping/probe") for seed in settings.seeds_of("stopping")]
    signs = torch.stack([torch.randint(2, task.shape[1:], generator=draw).double() * 2 - 1 for draw in draws])
    words = settings.latent
    return signs, make_latent(words.name, network.latent_shape, words.scale, settings.seeds, signs)


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
    value = VALUE_BYTES[settings.precision]
    watching = sum(rule.images_kept for rule in settings.rules.values()) * math.prod(shape[1:])
    needed = bytes_needed(network, arguments, settings.replicas, value) + settings.replicas * value * watching
    check_room(settings, needed, shape)
    return lambda replicas: network(**arguments, replicas=replicas)


def check_room(settings: Settings, needed: int, shape: tuple[int, int, int, int]) -> None:
    """Raises ValueError if a fit would not fit into memory; says of a large one how much it will take."""
    there = available_memory(find_device(settings.device))
    size = f"{shape[2]} x {shape[3]} pixels, replicas={settings.replicas}"
    if there is not None and needed > there:
        raise ValueError(
            f"{size}: about {needed / 1e9:.1f} GB of memory needed, {there / 1e9:.1f} GB there; "
            f"there is room with {what_fits(settings, there / needed)}"
        )
    if needed > LARGE:
        log.info(
            "%s: about %.1f GB of memory; how long it takes is told after the first iterations", size, needed / 1e9
        )


def what_fits(settings: Settings, part: float) -> str:
    """Settings that need no more than a part of the memory: fewer replicas, else a narrower network, or a picture.

    Memory grows with the replicas, with the width at least, and with the picture's area.
    """
    single = part * settings.replicas
    if single >= 1:
        return f"replicas={int(single)}"
    one = "replicas=1 and " if settings.replicas > 1 else ""
    narrow, side = max(int(single * settings.scale.width), 1), int(100 * single**0.5)
    return f"{one}scale.width={narrow}, or {one}image.size at {side} % of the picture's sides"


def make_fit(planned: Plan, images: Iterable[int]) -> Fit:
    """Composes target, task, architecture and latent on the device, in the precision asked for.

    `images`: the iterations whose images are kept.
    """
    settings, device = planned.settings, planned.device
    dtype = torch.float64 if settings.precision == "float64" else torch.float32
    network = build_replicas(planned.build, settings.seeds_of("init")).to(device, dtype)
    watched = watched_task(settings, planned.pictures, settings.replicas)
    latent = latent_of(settings, planned.pictures, watched.task, network, settings.seeds_of("latent"))
    probe = probe_of(settings, watched.task, network)
    problem = Problem(
        network=network,
        latent=jittered(latent, settings.latent.jitter, settings.seeds).to(device, dtype),
        task=watched.task.to(device, dtype),
        seeds=settings.seeds,
        perturbed_by=settings.seeds_of("perturbation"),
        perturbation=settings.latent.perturbation,
        weight_noise=settings.fit.weight_noise,
        optimise=settings.latent.optimise,
        tv_weight=settings.regularizer.weight if isinstance(settings.regularizer, TotalVariation) else 0.0,
        optimizer=settings.optimizer.model_dump(),
        precision=settings.precision,
        given=watched.given.to(device, dtype),
        probe=None if probe is None else (probe[0].to(device, dtype), probe[1].to(device, dtype)),
    )
    words, repeats = settings.fit, settings.fit.rollbacks if problem.draws else 0
    guard = Guard(words.spike_db, repeats, settings.replicas)
    watches = {
        name: Watch(rule, torch.zeros(watched.task.shape, device=device, dtype=dtype), watched.kept[name],
                    ends=name == settings.stopping.name)
        for name, rule in settings.rules.items()
    }  # fmt: skip
    return Fit(problem, words.iterations, words.average_decay, guard, images, watches)
