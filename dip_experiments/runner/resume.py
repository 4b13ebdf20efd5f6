"""One sitting of a run: what an earlier one left is taken up, or set aside where it is damaged; then it is fitted."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch

from dip_experiments.config.settings import Settings, Wandb
from dip_experiments.data.reading import bit_depth
from dip_experiments.devices import device_name
from dip_experiments.fitting.fit import run_fit
from dip_experiments.fitting.progress import ProgressBar
from dip_experiments.fitting.run_writer import Recorder, read_checkpoint
from dip_experiments.fitting.schedule import image_iterations
from dip_experiments.fitting.wandb_callback import Dashboard
from dip_experiments.metrics import estimate_in, estimated_psnr, psnr_of_estimate
from dip_experiments.runner.build import PreparedRun, build_fit, fit_options
from dip_experiments.schema import flat, make_part
from dip_experiments.stopping import StoppingRule, outdated
from dip_experiments.store import Run, Store, average_at, output_at, sitting, stop_image, write_image, write_json
from dip_experiments.tasks import Reconstruction
from dip_experiments.threads import fit_threads

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Begun:
    """What a sitting begins with.

    `run`: where it writes; `settings`: those asked for, with the rules that watched the finished run whose place it
    takes; `keep`: iterations whose images are kept; `saved`: the state to go on from.
    """

    run: Run
    settings: Settings
    keep: tuple[int, ...]
    saved: dict[str, Any] | None


def has_all(run: Run, settings: Settings) -> bool:
    """Whether the run is whole and has the images asked for; a record need only have the picture to be delivered."""
    if not run.finished:
        return False
    wanted = [] if run.is_record else images_of(settings.fit.keep, run.summary["iterations"])
    there = all(run.image(name, run.replicas[0]).exists() for name in wanted)
    return there and (settings.output is None or delivered_image(run, settings).exists()) and watched(run, settings)


def watched(run: Run, settings: Settings) -> bool:
    """Whether all rules asked for have watched it, with the words that are asked for and by code of today's epoch."""
    return rules_asked(settings).items() <= rules_of(run).items() and not watched_before(run, settings)


def watched_before(run: Run, settings: Settings) -> set[str]:
    """Return the rules asked for that watched a run by code of an older epoch."""
    return outdated(run.observer_epochs) & settings.rules.keys()


def rules_asked(settings: Settings) -> dict[str, dict[str, Any]]:
    """The words of the rules asked for, by name, as they are stored; many of them do not count in a run's name."""
    return {name: rule.model_dump(mode="json", by_alias=True) for name, rule in settings.rules.items()}


def rules_of(run: Run) -> dict[str, dict[str, Any]]:
    """The words of the rules that watch a run or have watched it, as of `rules_asked`."""
    stopping = run.settings["stopping"]
    rules = [*run.settings.get("observe", {}).values(), stopping if stopping["name"] != "none" else None]
    return {words["name"]: words for words in rules if words}


def delivered_image(run: Run, settings: Settings) -> Path:
    """The restored picture: the replicas' mean where a rule stopped them, else the first sound replica's average."""
    stop = run.summary.get("stopping", {}).get(settings.stopping.name)
    if stop and stop["joint"] is not None:
        return run.image(stop_image(settings.stopping.name, "mixed" if "mix" in stop else "mean"), 0)
    return run.image("average", run.replicas[0])


def stops_told(run: Run) -> list[str]:
    """Where the rules stop, in words: of several their iterations alone."""
    rules = run.summary.get("stopping", {})
    if len(rules) > 1:
        return ["stops: " + ", ".join(f"{name} {rule['joint'] or 'nowhere'}" for name, rule in rules.items())]
    return [line for name, rule in rules.items() for line in _stop_told(name, rule, run.summary)]


def _stop_told(name: str, rule: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """Where a rule stops the mean of the replicas, how good that is, and how good the rule says that it is.

    An estimate of the measurement's error has a line of its own: it is not to be compared with the image's.
    """
    if rule["joint"] is None:
        return [f"{name}: no stop found"]
    of, estimate = estimate_in(rule) or ("", None)
    told = "" if estimate is None else f"estimated {of} {estimated_psnr(**estimate)}"
    found = [f"{name} {'stops' if rule['joint_final'] else 'would stop, if nothing better came,'} at {rule['joint']}"]
    if name == summary["ended_by"]:
        found.append(f"made sure at {summary['iterations']}")
    if told and of == "PSNR":
        found.append(told)
    if score := summary["scores"].get(stop_image(name, "mean")):
        found.append(f"PSNR {score['psnr'][0]:.2f} dB")
    if mix := rule.get("mix"):
        parts = " and ".join(f"{weight:.0%} of {other}" for other, weight in mix["weights"].items())
        found.append(f"with {parts} mixed in estimated {estimated_psnr(**mix['estimate'])}")
    if score := summary["scores"].get(stop_image(name, "mixed")):
        found.append(f"PSNR {score['psnr'][0]:.2f} dB")
    return [", ".join(found), *([f"{name}: {told} (not of the image)"] if told and of != "PSNR" else [])]


def estimate_at_stop(run: Run) -> dict[str, float]:
    """What the first rule that estimates one says of the replicas' mean image at its stop: of what -> PSNR in dB."""
    found = filter(None, map(estimate_in, run.summary.get("stopping", {}).values()))
    return next(({of: psnr_of_estimate(**estimate)} for of, estimate in found), {})


def images_of(keep: Sequence[int], iterations: int) -> list[str]:
    """Names of the images that a run of so many iterations has kept on the way."""
    outputs = [output_at(n) for n in image_iterations(iterations, keep)]
    return outputs + [average_at(n) for n in keep if n <= iterations]


def begin(run: Run, settings: Settings, store: Store) -> Begun:
    """Look at what is there: of a finished run nothing is touched, another one is written beside it.

    That has the rules and the images of both. Damaged files are named and kept under another name, never taken for a
    result. Raises ValueError where a rule asked for has watched the run with other words.
    """
    if run.summarised and (faults := run.faults()):
        _set_aside(run, store, "; ".join(faults))
    place = store.beside(run) if run.summarised else run
    keep = tuple(sorted({*settings.fit.keep, *_kept_before(run)}))
    if run.summarised:
        if not settings.force:
            check_rules(run, settings)
        settings = with_rules_of(run, settings)
    if settings.force:
        place.clear()
    saved = _saved(place, settings, store, keep)
    if place.is_beside and saved is None:
        shutil.rmtree(place.folder, ignore_errors=True)  # pictures of another attempt would be sealed as of this one
    return Begun(place, settings, keep, saved)


def check_rules(run: Run, settings: Settings) -> None:
    """Raise ValueError where a finished run has the result of a rule with other words than those asked for.

    It would be lost, and two requests would replace each other's for ever. What an older epoch found is lost anyway.
    """
    asked, older = rules_asked(settings), watched_before(run, settings)
    for name, words in rules_of(run).items():
        if name not in asked or name in older or asked[name] == words:
            continue
        known, other = flat(words), flat(asked[name])
        apart = [key for key in {**known, **other} if known.get(key) != other.get(key)]
        told, wanted = (", ".join(f"{key}={found.get(key)}" for key in apart) for found in (known, other))
        raise ValueError(
            f"{name}: it has watched the finished run {run.name} with {told}, not {wanted}; force=true replaces that "
            "result, paths.results=FOLDER keeps both"
        )


def with_rules_of(run: Run, settings: Settings) -> Settings:
    """Add the rules that watched a finished run of the same name to those asked for.

    Only rules that the name says nothing of are added: it has all the others already.
    """
    stored = {name: rule for name, rule in run.settings.get("observe", {}).items() if rule}
    found = {
        name: rule
        for name, values in stored.items()
        if name not in settings.observe and (rule := read_rule(name, values))
    }
    return settings.model_copy(update={"observe": {**settings.observe, **found}})


def read_rule(name: str, words: dict[str, Any]) -> StoppingRule | None:
    """Return a rule by its stored words, None for one of a version whose words are not those of today."""
    try:
        return cast(StoppingRule, make_part(StoppingRule, words))
    except ValueError:
        log.warning("observe=%s watched with words that are not known today; it does not watch again", name)
        return None


def fit_and_record(planned: PreparedRun, begun: Begun, command: list[str]) -> None:
    """Settings and provenance before the first iteration; curves, images, scores and summary after the last."""
    run, settings = begun.run, begun.settings
    planned = replace(planned, settings=settings)
    done = begun.saved["fit"]["done"] if begun.saved else 0
    words = settings.words()
    write_json(run.folder / "settings.json", {**words, "fit": {**words["fit"], "keep": list(begun.keep)}})
    with fit_threads(planned.device, threads_of(run, done)):
        _write_provenance(run, planned, done, command)
        if "flash" in planned.pictures.extra_inputs:
            write_image(run.image("flash", 0), planned.pictures.extra_inputs["flash"])
        wanted = image_iterations(settings.fit.iterations, begun.keep)
        fit = build_fit(planned, wanted)
        recorder = Recorder(fit, run, settings.fit.checkpoint_every, begun.keep, bit_depth(settings.image.path))
        if begun.saved:
            recorder.resume(begun.saved)
        _fit(run, planned, recorder)
    run.finish(recorder.summary)
    run.forget_the_way()


def threads_of(run: Run, done: int) -> int | None:
    """Return the number of threads that a run which goes on began with, as another one rounds differently."""
    if not done:
        return None
    threads, usual = int(run.provenance["sittings"][-1]["threads"]), torch.get_num_threads()
    if threads != usual:
        log.info("continues with %d threads, as it began: with %d it would round differently", threads, usual)
    return threads


def _fit(run: Run, planned: PreparedRun, recorder: Recorder) -> None:
    settings, fit = planned.settings, recorder.fit
    signal = settings.target if isinstance(settings.task, Reconstruction) else settings.task
    title = f"{signal.name} {settings.architecture.name}"
    listeners: list[pl.Callback] = [recorder, ProgressBar(title, fit, settings.fit.iterations)]
    dashboards = []
    if isinstance(settings.logger, Wandb):
        dashboards = [Dashboard(fit, run, settings.words(), Path(settings.paths.results))]
    try:
        run_fit(fit, fit_options(settings), planned.device, [*listeners, *dashboards])
    finally:
        for dashboard in dashboards:
            dashboard.close(recorder.summary)


def _write_provenance(run: Run, planned: PreparedRun, done: int, command: list[str]) -> None:
    device = device_name(planned.device)
    before = run.provenance["sittings"] if done else []
    now = sitting(device, torch.get_num_threads(), command, done)
    epochs = {name: rule.epoch for name, rule in planned.settings.rules.items()}
    record = {"seeds": planned.settings.seeds, "device": device, "epochs": epochs, "sittings": [*before, now]}
    write_json(run.folder / "provenance.json", record)


def _kept_before(run: Run) -> list[int]:
    try:
        return list(run.settings["fit"]["keep"])
    except (OSError, ValueError, KeyError):
        return []


def _saved(run: Run, settings: Settings, store: Store, keep: Sequence[int]) -> dict[str, Any] | None:
    """The checkpoint, unless there is none, it is damaged, or it is past what other rules or images would need."""
    if not run.checkpoint.exists():
        return None
    try:
        saved = read_checkpoint(run.checkpoint)
        run.provenance["sittings"][-1]["threads"]
        watching, older = rules_of(run), watched_before(run, settings)
    except (OSError, ValueError, KeyError, IndexError) as error:
        _set_aside(run, store, str(error))
        return None
    if watching != rules_asked(settings) or older:
        log.info(
            "begins anew: the rules asked for are not those that watched the first %d iterations", saved["fit"]["done"]
        )
        return None
    passed = [n for n in keep if n <= saved["fit"]["done"]]
    there = all(run.image(name(n), 0).exists() for n in passed for name in (output_at, average_at))
    return saved if there else None


def _set_aside(run: Run, store: Store, why: str) -> None:
    aside = store.set_aside(run)
    log.warning("run %s: %s; what is there is kept as %s, the run is made again", run.name, why, aside.name)
