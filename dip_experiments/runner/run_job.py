"""Run one configuration: validate it, fit it unless it is finished, store the run and export its image."""

import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dip_experiments.config.errors import format_error
from dip_experiments.config.settings import Settings
from dip_experiments.jobs.job_status import JobResult
from dip_experiments.runner.finished_run import find_run, is_complete, skip_finished, with_output
from dip_experiments.runner.resume import fit_and_record, load_resume_state
from dip_experiments.runner.validate import validate
from dip_experiments.store import Run, RunLocked, Store, locked, write_text

log = logging.getLogger(__name__)


def run_settings(
    settings: Settings, *, overrides: Sequence[str] = (), hydra: DictConfig | None = None, reuse: bool = False
) -> JobResult:
    """Run one configuration, in any thread.

    Args:
        settings: The configuration.
        overrides: Those that it was composed of, for the provenance.
        hydra: Hydra's own node of the composition, which is stored with the run; None without one.
        reuse: Whether a record counts as a finished run.

    Returns:
        Result with the status `finished`, `resumed`, `skipped`, `locked`, `failed` or `refused`; nothing is raised for
        a wrong request.

    Raises:
        KeyboardInterrupt: At Ctrl-C, after the state was saved: the same settings resume the run.
    """
    started = skip_finished(settings, overrides, reuse)
    return fit_run(settings, started, hydra, reuse) if started.is_running else started


def fit_run(settings: Settings, started: JobResult, hydra: DictConfig | None = None, reuse: bool = False) -> JobResult:
    """Fit a configuration of which `skip_finished` returned that it has to be fitted; see `run_settings`."""
    store, name = Store(Path(settings.paths.results)), str(started.run)
    try:
        result = _fit(settings, store, name, started, hydra, reuse)
        return result if result.status == "failed" else with_output(find_run(store, name, reuse), result, settings)
    except RunLocked as error:
        return replace(started, status="locked", message=str(error))
    except ValueError as error:
        return replace(started, status="refused", message=format_error(error))


def _fit(
    settings: Settings, store: Store, name: str, started: JobResult, hydra: DictConfig | None, reuse: bool
) -> JobResult:
    """Validate and fit, unless another process has finished the run meanwhile."""
    prepared, run, earlier = validate(settings), store.place(name), find_run(store, name, reuse)
    if earlier.is_record and (errors := earlier.integrity_errors()):
        log.warning("record %s: %s; the run is made again, `dip keep` renews it", name, "; ".join(errors))
    with locked(run.folder):
        store.put_in_place(store.replacement(run))  # which a process that was killed may have left undone
        if not settings.force and is_complete(find_run(store, name, reuse), settings):
            return replace(started, status="skipped")
        state = load_resume_state(run, settings, store)
        _write_hydra_files(state.run, started.overrides, hydra)
        try:
            started = replace(started, wandb=fit_and_record(prepared, state, ["dip", *started.overrides]))
            store.put_in_place(state.run)
        except Exception as error:
            folder = state.run.folder
            with suppress(OSError):  # where not even this has room
                write_text(folder / "failure.txt", f"{error}\n\n{traceback.format_exc()}")
            message = f"{error}" or type(error).__name__
            return replace(started, status="failed", run=name, folder=str(folder), message=message)
    return replace(started, status="resumed" if state.saved else "finished")


def _write_hydra_files(run: Run, overrides: Sequence[str], hydra: Any) -> None:
    """Write Hydra's own files of the composition into the folder of a run."""
    if hydra is not None:
        write_text(run.folder / "hydra" / "overrides.yaml", OmegaConf.to_yaml(list(overrides)))
        write_text(run.folder / "hydra" / "hydra.yaml", OmegaConf.to_yaml(hydra))
