"""Run one session of a fit: resume from a checkpoint if one is valid, quarantine damaged files, then train."""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch

from dip_experiments.analysis.labels import picture_name, run_label
from dip_experiments.config.plain_settings import Wandb
from dip_experiments.config.settings import Settings
from dip_experiments.devices import device_name, fit_threads
from dip_experiments.fitting.fit import run_fit
from dip_experiments.fitting.progress import ProgressBar
from dip_experiments.fitting.run_writer import Recorder, read_checkpoint
from dip_experiments.fitting.schedule import image_iterations
from dip_experiments.fitting.wandb_callback import Dashboard
from dip_experiments.fitting.wandb_options import wandb_mode, wandb_parent
from dip_experiments.jobs.job_status import SWEPT
from dip_experiments.runner.build import PreparedRun, build_fit, fit_options
from dip_experiments.runner.export import output_bits
from dip_experiments.runner.finished_run import outdated_rules, requested_rules, stored_rules
from dip_experiments.schema import flat, make_part
from dip_experiments.stopping import StoppingRule
from dip_experiments.store import Run, Store, average_at, describe_session, output_at, write_image, write_json
from dip_experiments.tasks import Reconstruction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumeState:
    """State that a session starts from.

    Attributes:
        run: The folder that is written.
        settings: The requested ones, with the rules that monitored the finished run whose place it takes.
        keep: Iterations whose images are stored.
        saved: The checkpoint, None if the fit starts at its first iteration.
    """

    run: Run
    settings: Settings
    keep: tuple[int, ...]
    saved: dict[str, Any] | None


def load_resume_state(run: Run, settings: Settings, store: Store) -> ResumeState:
    """Return the state to continue from; a finished run stays untouched until a complete one replaces it.

    The new one has the rules and the images of both. Damaged files are quarantined, never taken for a result.

    Raises:
        ValueError: Where a requested rule has monitored the run with other settings.
    """
    if run.has_summary and (faults := run.integrity_errors()):
        _quarantine(run, store, "; ".join(faults))
    place = store.replacement(run) if run.has_summary else run
    keep = tuple(sorted({*settings.fit.keep, *_stored_before(run)}))
    if run.has_summary:
        if not settings.force:
            check_rules(run, settings)
        settings = with_rules_of(run, settings)
    if settings.force:
        place.clear()
    saved = _load_checkpoint(place, settings, store, keep)
    if place.is_replacement and saved is None:
        shutil.rmtree(place.folder, ignore_errors=True)  # pictures of another attempt would be sealed as of this one
    return ResumeState(place, settings, keep, saved)


def check_rules(run: Run, settings: Settings) -> None:
    """Raise ValueError where a finished run has the result of a rule with other settings than the requested ones.

    It would be lost, and two requests would replace each other's for ever. What an older epoch found is lost anyway.
    """
    requested, older = requested_rules(settings), outdated_rules(run, settings)
    for name, config in stored_rules(run).items():
        if name not in requested or name in older or requested[name] == config:
            continue
        known, other = flat(config), flat(requested[name])
        apart = [key for key in {**known, **other} if known.get(key) != other.get(key)]
        stored, wanted = (", ".join(f"{key}={found.get(key)}" for key in apart) for found in (known, other))
        raise ValueError(
            f"{name}: it has watched the finished run {run.name} with {stored}, not {wanted}; force=true replaces that "
            "result, paths.results=FOLDER keeps both"
        )


def with_rules_of(run: Run, settings: Settings) -> Settings:
    """Return the settings with the rules that monitored a finished run of the same id added.

    Only rules that are no part of the id are added: it has all the others already.
    """
    stored = {name: rule for name, rule in run.settings.get("observe", {}).items() if rule}
    found = {
        name: rule
        for name, values in stored.items()
        if name not in settings.observe and (rule := read_rule(name, values))
    }
    return settings.model_copy(update={"observe": {**settings.observe, **found}})


def read_rule(name: str, config: dict[str, Any]) -> StoppingRule | None:
    """Return a rule by its stored settings, None for one of a version with other settings than today's."""
    try:
        return cast(StoppingRule, make_part(StoppingRule, config))
    except ValueError:
        log.warning("observe=%s watched with settings that are not known today; it does not watch again", name)
        return None


def fit_and_record(prepared: PreparedRun, state: ResumeState, command: list[str]) -> str | None:
    """Write settings and provenance before the first iteration; curves, images, scores and summary after the last.

    Returns:
        Folder of W&B's offline runs or address of its project, whichever has the run; None if W&B is not used.
    """
    run, settings = state.run, state.settings
    prepared = replace(prepared, settings=settings)
    done = state.saved["fit"]["done"] if state.saved else 0
    config = settings.to_dict()
    write_json(run.folder / "settings.json", {**config, "fit": {**config["fit"], "keep": list(state.keep)}})
    with fit_threads(prepared.device, threads_of(run, done)):
        _write_provenance(run, prepared, done, command)
        if "flash" in prepared.pictures.extra_inputs:
            write_image(run.image("flash", 0), prepared.pictures.extra_inputs["flash"])
        wanted = image_iterations(settings.fit.iterations, state.keep)
        fit = build_fit(prepared, wanted)
        rule = settings.stopping.name if settings.image.window else None
        recorder = Recorder(fit, run, settings.fit.checkpoint_every, state.keep, output_bits(settings), rule)
        if state.saved:
            recorder.resume(state.saved)
        place = _fit(run, prepared, recorder)
    run.finish(recorder.summary)
    run.remove_temporary_files()
    return place


def threads_of(run: Run, done: int) -> int | None:
    """Return the number of threads that a run which goes on began with, as another one rounds differently."""
    if not done:
        return None
    threads, usual = int(run.provenance["sittings"][-1]["threads"]), torch.get_num_threads()
    if threads != usual:
        log.info("continues with %d threads, as it began: with %d it would round differently", threads, usual)
    return threads


def _fit(run: Run, prepared: PreparedRun, recorder: Recorder) -> str | None:
    """Fit, and return the place of the W&B run, None without one."""
    settings, fit = prepared.settings, recorder.fit
    signal = settings.target if isinstance(settings.task, Reconstruction) else settings.task
    title = f"{signal.name} {settings.architecture.name}"
    listeners: list[pl.Callback] = [recorder, ProgressBar(title, fit, settings.fit.iterations)]
    dashboards = []
    if isinstance(settings.logger, Wandb) and wandb_mode(settings.logger.mode) != "disabled":
        config = settings.to_dict()
        tags = [signal.name, picture_name(config), settings.scale.name]
        dashboards = [Dashboard(fit, run, config, wandb_parent(Path(settings.paths.results)), run_label(run), tags)]
    try:
        run_fit(fit, fit_options(settings), prepared.device, [*listeners, *dashboards])
    finally:
        for dashboard in dashboards:
            dashboard.close(recorder.summary)
    return next((dashboard.place for dashboard in dashboards), None)


def _write_provenance(run: Run, prepared: PreparedRun, done: int, command: list[str]) -> None:
    device = device_name(prepared.device)
    before = run.provenance["sittings"] if done else []
    now = describe_session(device, torch.get_num_threads(), command, done)
    now["swept"] = [key for key in os.environ.get(SWEPT, "").split(",") if key]
    epochs = {name: rule.epoch for name, rule in prepared.settings.rules.items()}
    record = {"seeds": prepared.settings.seeds, "device": device, "epochs": epochs, "sittings": [*before, now]}
    write_json(run.folder / "provenance.json", record)


def _stored_before(run: Run) -> list[int]:
    try:
        return list(run.settings["fit"]["keep"])
    except (OSError, ValueError, KeyError):
        return []


def _load_checkpoint(run: Run, settings: Settings, store: Store, keep: Sequence[int]) -> dict[str, Any] | None:
    """Return the checkpoint; None if it is missing, damaged, or past what other rules or images would need."""
    if not run.checkpoint.exists():
        return None
    try:
        saved = read_checkpoint(run.checkpoint)
        run.provenance["sittings"][-1]["threads"]
        watching, older = stored_rules(run), outdated_rules(run, settings)
    except (OSError, ValueError, KeyError, IndexError) as error:
        _quarantine(run, store, str(error))
        return None
    if watching != requested_rules(settings) or older:
        log.info(
            "begins anew: the rules asked for are not those that watched the first %d iterations", saved["fit"]["done"]
        )
        return None
    passed = [n for n in keep if n <= saved["fit"]["done"]]
    available = all(run.image(name(n), 0).exists() for n in passed for name in (output_at, average_at))
    return saved if available else None


def _quarantine(run: Run, store: Store, why: str) -> None:
    aside = store.quarantine(run)
    log.warning("run %s: %s; what is there is kept as %s, the run is made again", run.name, why, aside.name)
