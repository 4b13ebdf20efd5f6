"""One run from its settings to its record: the only place that knows every room."""

import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from dip_experiments.config.errors import in_plain_words
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data.pictures import with_alpha
from dip_experiments.data.reading import bit_depth, read_image
from dip_experiments.data.writing import expanded, write_output
from dip_experiments.devices import find_device
from dip_experiments.fitting.trainer import Interrupted
from dip_experiments.jobs.job_results import begin_outcome, place_of, tell
from dip_experiments.jobs.job_status import OUTCOMES, RECORDS_COUNT, STOP
from dip_experiments.runner.build import frame_of
from dip_experiments.runner.resume import begin, delivered_image, estimate_at_stop, fit_and_record, has_all, stops_told
from dip_experiments.runner.select_runs import run_name
from dip_experiments.runner.validate import check_output_file, validate
from dip_experiments.store import BeingFitted, Run, Store, locked, write_text

log = logging.getLogger(__name__)
TOLD = ("final", "oracle_peak", "lost_iterations", "failed")
"""What a report tells of a run's summary, besides its `stops`."""
Told = dict[str, Any]
"""What a job tells, as Outcome has it."""


def run(config: DictConfig) -> float | None:
    """One Hydra job; gives the PSNR of `estimate_at_stop`, for a sweeper that searches by it.

    What became of it is left in the folder of outcomes, in one file however often a launcher tries the job again.
    Raises nothing but Interrupted at Ctrl-C.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("dip_experiments").setLevel(logging.INFO)
    outcomes, overrides = Path(os.environ[OUTCOMES]), list(HydraConfig.get().overrides.task)
    number = 0 if OmegaConf.is_missing(HydraConfig.get().job, "num") else HydraConfig.get().job.num
    told, since, begun = Told(), time.monotonic(), begin_outcome(outcomes, number, overrides)
    if begun is None:
        return None
    try:
        told = {"outcome": "interrupted"} if (outcomes / STOP).exists() else carry_out(config)
    except Interrupted:
        told = {"outcome": "interrupted"}
        raise
    finally:
        tell(place_of(outcomes, number), replace(begun, **told, seconds=time.monotonic() - since))
    return next(iter(told.get("summary", {}).get("estimated", {}).values()), None)


def carry_out(config: DictConfig) -> Told:
    """Fits what was asked for unless that is done already, and delivers it."""
    try:
        settings = read_settings(config)
        store = Store(Path(settings.paths.results))
        name = run_name(settings, find_device(settings.device).type)
        check_output_file(settings)
        done = not settings.force and has_all(found(store, name), settings)
        told = {"outcome": "skipped"} if done else fit(settings, store, name)
        return delivered(found(store, name), told, settings)
    except BeingFitted as error:
        return {"run": name, "outcome": "elsewhere", "message": str(error)}
    except ValueError as error:
        return {"outcome": "refused", "message": in_plain_words(error)}


def found(store: Store, name: str) -> Run:
    """Return the user's own run of that name; its record in its place only where records count as done."""
    return store.run(name) if RECORDS_COUNT in os.environ else store.place(name)


def fit(settings: Settings, store: Store, name: str) -> Told:
    """Plans and fits, unless another process has done so meanwhile: `finished`, `continued`, `skipped` or `failed`."""
    planned, run, there = validate(settings), store.place(name), found(store, name)
    if there.is_record and (faults := there.faults()):
        log.warning("record %s: %s; the run is made again, `dip keep` renews it", name, "; ".join(faults))
    with locked(run.folder):
        store.put_in_place(store.beside(run))  # which a process that was killed may have left undone
        if not settings.force and has_all(found(store, name), settings):
            return {"outcome": "skipped"}
        begun = begin(run, settings, store)
        keep_hydra_files(begun.run)
        try:
            fit_and_record(planned, begun, ["dip", *HydraConfig.get().overrides.task])
            store.put_in_place(begun.run)
        except Exception as error:
            folder = begun.run.folder
            with suppress(OSError):  # where not even this has room
                write_text(folder / "failure.txt", f"{error}\n\n{traceback.format_exc()}")
            return {"outcome": "failed", "message": f"{error}" or type(error).__name__, "folder": str(folder)}
    return {"outcome": "continued" if begun.saved else "finished"}


def delivered(run: Run, told: Told, settings: Settings) -> Told:
    """What became of a run, for the report; its picture is delivered."""
    outcome: Told = {"run": run.name, "folder": str(run.folder), **told}
    if told["outcome"] == "failed":
        return outcome
    outcome["summary"] = {name: run.summary.get(name) for name in TOLD} | {
        "stops": stops_told(run),
        "estimated": estimate_at_stop(run),
    }
    if not settings.output:
        return outcome
    try:
        return outcome | {"wrote": deliver(run, settings)}
    except ValueError as error:
        return outcome | {"outcome": "failed", "message": str(error)}


def deliver(run: Run, settings: Settings) -> str:
    """Writes the restored picture, with the alpha of the given one; says where."""
    path = expanded(settings.output or "", settings.image.path, settings.image.name)
    picture = read_image(delivered_image(run, settings))
    if settings.blend:
        given = read_image(run.image("target", run.replicas[0]))
        picture = (1 - settings.blend) * picture + settings.blend * given
    restored = with_alpha(picture, settings.image.path, frame_of(settings))
    write_output(Path(path), restored, bit_depth(settings.image.path))
    return path


def keep_hydra_files(run: Run) -> None:
    """Hydra's own account of the composition, in the run's folder."""
    composed = HydraConfig.get()
    write_text(run.folder / "hydra" / "overrides.yaml", OmegaConf.to_yaml(composed.overrides.task))
    write_text(run.folder / "hydra" / "hydra.yaml", OmegaConf.to_yaml(composed))
