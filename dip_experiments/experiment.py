"""One run from its settings to its record: the only place that knows every room."""

import importlib
import inspect
import logging
import multiprocessing
import os
import signal
import sys
import traceback
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from jaxtyping import Float
from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, create_model
from torch import Tensor

from dip_experiments.architectures import Network, build_replicas
from dip_experiments.devices import check_precision, device_name, find_device
from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.problem import Problem, make_latent
from dip_experiments.fitting.progress import ProgressBar
from dip_experiments.fitting.recorder import Recorder
from dip_experiments.fitting.schedule import block_ends, image_iterations
from dip_experiments.fitting.training import Interrupted, train
from dip_experiments.images import bit_depth, check_output, read_image
from dip_experiments.images.pictures import Pictures, files, load_pictures, with_alpha
from dip_experiments.settings import Settings, TotalVariation, Wandb, identity
from dip_experiments.store import (
    BeingFitted,
    Run,
    Store,
    check_writable,
    file_digest,
    provenance,
    signature,
    write_image,
    write_json,
    write_text,
)
from dip_experiments.tasks.schema import Reconstruction
from dip_experiments.tasks.targets import make_target
from dip_experiments.tasks.task import Task, make_task, reconstruction
from dip_experiments.wording import WRONG_REQUEST, in_plain_words

DASHBOARD = "dip_experiments.fitting.dashboard.Dashboard"


@dataclass(frozen=True)
class Plan:
    """A run that was checked: everything that can be wrong with a request has been looked at, nothing was written."""

    settings: Settings
    run: Run
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
    pictures = load_pictures(settings)
    build = architecture(settings, task_of(settings, pictures).shape)
    latent_of(settings, pictures, build(1), seeds=[0])
    results = Path(settings.paths.results)
    check_writable(results)
    if settings.output:
        check_output(Path(settings.output), files(settings).values())
        check_writable(Path(settings.output).parent, "output")
    return Plan(settings, Store(results).run(run_signature(settings, device)), device, pictures, build)


def run_signature(settings: Settings, device: torch.device) -> str:
    """The run's name: a hash of all that can change its numbers, with the image by content and the device by kind."""
    digests = {role: file_digest(path) for role, path in files(settings).items()}
    return signature({**identity(settings.words(), digests), "device": device.type})


def task_of(settings: Settings, pictures: Pictures) -> Task:
    """The task of every replica on the CPU in float64. Raises ValueError where task, image and target do not fit."""
    picture, task, target = torch.from_numpy(pictures.image), settings.task, settings.target.model_dump()
    if isinstance(task, Reconstruction):
        return reconstruction(make_target(target.pop("name"), picture, settings.seeds, **target))
    if settings.target.name != "natural":
        raise ValueError(
            f"task={task.name} with target={settings.target.name}: a restoration task degrades the image itself; "
            "leave target out, or use target=natural"
        )
    options = task.model_dump()
    if pictures.known is not None:
        options["drawn"] = torch.from_numpy(pictures.known)
    if pictures.noisy is not None:
        options["noisy"] = torch.from_numpy(pictures.noisy)
    return make_task(options.pop("name"), picture, settings.seeds, **options)


def latent_of(
    settings: Settings, pictures: Pictures, network: Network, seeds: Sequence[int]
) -> Float[Tensor, "r cz hz wz"]:
    """The latents that the network takes. Raises ValueError where it takes none such."""
    words, flash = settings.latent, None if pictures.flash is None else torch.from_numpy(pictures.flash)
    return make_latent(words.name, network.latent_shape, words.scale, seeds, flash)


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


def carry_out(planned: Plan, command: list[str]) -> None:
    """Fits what was planned unless that is done already.

    A failure is told in the run's failure.txt; the run's curves and checkpoint stay. Raises Interrupted at Ctrl-C.
    """
    run, settings = planned.run, planned.settings
    if run.finished and not settings.force:
        return
    with run.locked():
        if settings.force:
            run.clear()
        try:
            fit_and_record(planned, command)
        except Interrupted:
            raise
        except Exception as error:
            write_text(run.folder / "failure.txt", f"{error}\n\n{traceback.format_exc()}")


def fit_and_record(planned: Plan, command: list[str]) -> None:
    """Settings and provenance before the first iteration; curves and summary after the last."""
    run, settings = planned.run, planned.settings
    write_json(run.folder / "settings.json", settings.words())
    record = provenance(settings.seeds, device_name(planned.device), torch.get_num_threads(), command)
    write_json(run.folder / "provenance.json", record)
    if planned.pictures.flash is not None:
        write_image(run.image("flash", 0), planned.pictures.flash)
    fit = make_fit(planned)
    iterations, keep = settings.fit.iterations, settings.fit.keep
    bits = bit_depth(settings.image.path)
    recorder = Recorder(fit, run, settings.fit.checkpoint_every, keep, bits)
    recorder.resume()
    signal = settings.target if isinstance(settings.task, Reconstruction) else settings.task
    title = f"{signal.name} {settings.architecture.name}"
    listeners: list[pl.Callback] = [recorder, ProgressBar(title, fit, iterations)]
    dashboards = []
    if isinstance(settings.logger, Wandb):
        folder = Path(settings.paths.results)
        dashboards = [find_class("logger", DASHBOARD)(fit, run, settings.words(), folder)]
    summary: dict[str, Any] = {}
    try:
        train(fit, block_ends(iterations, settings.fit.block), planned.device, [*listeners, *dashboards])
        recorder.write_curves(iterations)
        summary = recorder.summary()
    finally:
        for dashboard in dashboards:
            dashboard.close(summary)
    write_json(run.folder / "summary.json", summary)
    for leftover in (run.checkpoint, run.folder / "failure.txt"):
        leftover.unlink(missing_ok=True)


def make_fit(planned: Plan) -> Fit:
    """Composes target, task, architecture and latent on the device, in the precision asked for."""
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
    images = image_iterations(words.iterations, words.keep)
    return Fit(problem, words.iterations, words.average_decay, guard, images)


def deliver(planned: Plan) -> None:
    """The averaged image of replica 0, as the store has it, where the user wants it, with the picture's alpha."""
    run, settings = planned.run, planned.settings
    if settings.output and run.finished:
        restored = with_alpha(read_image(run.image("average", 0)), settings)
        write_image(Path(settings.output), restored, bit_depth(settings.image.path))


def read_settings(config: DictConfig) -> Settings:
    """The composed configuration as checked settings. Raises pydantic's ValidationError or OmegaConf's errors."""
    words = typing.cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    return Settings.model_validate({name: value for name, value in words.items() if name != "hydra"})


def run(config: DictConfig) -> None:
    """One Hydra job. What became of it is told in the folder $DIP_OUTCOMES; one failure never stops the others."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("dip_experiments").setLevel(logging.INFO)
    folder, job = Path(os.environ["DIP_OUTCOMES"]), HydraConfig.get()
    told: dict[str, Any] = {"run": None, "folder": None, "message": None, "wrote": None, "summary": None}
    if (folder / "stop").exists():
        told["outcome"] = "interrupted"
    else:
        with hearing_ctrl_c():
            told |= attempt(config)
    if told["outcome"] == "interrupted":
        (folder / "stop").touch()
    number = 0 if OmegaConf.is_missing(job.job, "num") else job.job.num
    write_json(folder / f"{number:06d}.json", {**told, "overrides": list(job.overrides.task)})


def attempt(config: DictConfig) -> dict[str, Any]:
    """Plans and fits one run; its name, folder and outcome. Never raises, so that the other jobs go on."""
    try:
        planned = plan(read_settings(config))
    except WRONG_REQUEST as error:
        return {"outcome": "refused", "message": in_plain_words(error)}
    run, settings = planned.run, planned.settings
    told: dict[str, Any] = {"run": run.name, "folder": str(run.folder), "outcome": "finished"}
    if run.finished and not settings.force:
        told["outcome"] = "skipped"
    elif run.checkpoint.exists() and not settings.force:
        told["outcome"] = "continued"
    try:
        if told["outcome"] != "skipped":
            keep_hydra_files(run)
        carry_out(planned, command=["dip", *HydraConfig.get().overrides.task])
        deliver(planned)
    except KeyboardInterrupt:
        return {**told, "outcome": "interrupted"}
    except BeingFitted:
        return {**told, "outcome": "elsewhere"}
    if not run.finished:
        return {**told, "outcome": "failed", "message": run.failure}
    return {**told, "summary": run.summary, "wrote": settings.output}


@contextmanager
def hearing_ctrl_c() -> Iterator[None]:
    """In a process of its own a job hears Ctrl-C while it fits, and only then: an idle worker that dies of it would
    have the others killed while they save.
    """
    if multiprocessing.current_process().name == "MainProcess":
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def keep_hydra_files(run: Run) -> None:
    """Hydra's own account of the composition, in the run's folder."""
    composed = HydraConfig.get()
    write_text(run.folder / "hydra" / "overrides.yaml", OmegaConf.to_yaml(composed.overrides.task))
    write_text(run.folder / "hydra" / "hydra.yaml", OmegaConf.to_yaml(composed))
