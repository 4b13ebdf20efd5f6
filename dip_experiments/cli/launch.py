"""Run the jobs of a request, in this process or by Hydra's launcher; Ctrl-C lets fits save their state."""

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from omegaconf import DictConfig, OmegaConf

from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.cli.signals import save_on_signals
from dip_experiments.config.errors import WRONG_REQUEST, format_error
from dip_experiments.config.groups import conf_folder
from dip_experiments.config.overrides import quoted
from dip_experiments.config.request import Request
from dip_experiments.jobs.job_status import REUSE_RECORDS, SWEPT, JobResult
from dip_experiments.schema import NO_EXPERIMENT

Task = Callable[[DictConfig], float | None]
"""A job as Hydra calls it; returns the value that a search maximises."""
GROUP, LONGEST_GROUP = "WANDB_RUN_GROUP", 128
"""W&B's variable: the group of a run."""
TRACEBACKS = "HYDRA_FULL_ERROR"
"""Hydra's variable: errors are shown with their traceback."""
FINISHED, FIT = "dip_experiments.runner.finished_run", "dip_experiments.runner.run_job"
TILES, FIT_TILES = "dip_experiments.runner.tiles", "dip_experiments.runner.run_tiles"
"""Modules that load slowly, the second one of each several times as slowly as the first."""
LOCAL_PROCESSES = "joblib"
"""Part of the class of the launcher that starts processes on this machine."""
SLURM = "SlurmLauncher"
"""Part of the class of the launcher that submits jobs to Slurm."""


def run_jobs(request: Request, multirun: bool) -> list[JobResult]:
    """Run the jobs of one request and return their results, in their order.

    Raises:
        KeyboardInterrupt: At Ctrl-C or SIGTERM, if no result says that its job was interrupted.
    """
    return run_in_process(request, multirun) if request.in_process else run_elsewhere(request, multirun)


def run_in_process(request: Request, multirun: bool) -> list[JobResult]:
    """Run the jobs one after another in this process, as they were composed; their results stay in memory."""
    results: list[JobResult] = []
    show_progress = lazy_import("dip_experiments.jobs.sweep_progress").show_progress
    try:
        with (
            save_on_signals(),
            show_progress(lambda: results, len(request.jobs), one_by_one=True),
            env_override(sweep_variables(request)),
        ):
            if not request.hydra:
                run_by_hydra(request, multirun, results)
            for number, config in enumerate(request.jobs if request.hydra else ()):
                append_result(config, request.hydra_of(number), results)
    except KeyboardInterrupt:
        if not any(result.status == "interrupted" for result in results):
            raise
    except Exception as error:  # after the first job an error ends the sweep, and the results so far count
        if not multirun or TRACEBACKS in os.environ or (isinstance(error, WRONG_REQUEST) and not results):
            raise
        print_abort(error)
    return results


def run_by_hydra(request: Request, multirun: bool, results: list[JobResult]) -> None:
    """Let Hydra call the jobs in this process: those of another sweeper, or with callbacks of the user's."""
    cwd = os.getcwd()

    def task(config: DictConfig) -> float | None:
        os.chdir(cwd)
        return append_result(config, HydraConfig.get(), results)

    with tempfile.TemporaryDirectory(prefix="dip-sweep-") as folder:  # for Hydra's own files
        launch(task, hydra_arguments(request, multirun, Path(folder)))


def append_result(config: DictConfig, node: Any, results: list[JobResult]) -> float | None:
    """Run one job and append its result; see `run_job`."""
    number = len(results)
    results.append(JobResult(list(node.overrides.task)))
    return run_job(config, node, results[-1], partial(results.__setitem__, number))


def run_job(config: DictConfig, node: Any, started: JobResult, save: Callable[[JobResult], None]) -> float | None:
    """Run one job and save its result.

    Args:
        config: Settings of the job.
        node: Hydra's own node of them, which the run keeps.
        started: Result of the job while it runs.
        save: Called with the final result.

    Returns:
        The value that a search maximises.

    Raises:
        KeyboardInterrupt: If the job was interrupted, after its result was saved.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("dip_experiments").setLevel(logging.INFO)
    since = time.monotonic()
    try:
        result = run_or_skip(config, node, started.overrides)
    except KeyboardInterrupt:
        save(replace(started, status="interrupted", seconds=time.monotonic() - since))
        raise
    save(replace(result, attempt=started.attempt, seconds=time.monotonic() - since))
    return result.estimated_psnr


def run_or_skip(config: DictConfig, node: Any, overrides: list[str]) -> JobResult:
    """Return the result of a job; Lightning is loaded only if the run is not finished."""
    reuse = REUSE_RECORDS in os.environ
    try:
        settings = lazy_import("dip_experiments.config.settings").read_settings(config)
        tiling = None if settings.tile is None else lazy_import(TILES).tiling_of(settings)
    except ValueError as error:
        return JobResult(overrides, "refused", message=format_error(error))
    if tiling is not None:
        restored: JobResult = lazy_import(FIT_TILES).run_tiles(settings, tiling, overrides, node)
        return restored
    result: JobResult = lazy_import(FINISHED).skip_finished(settings, overrides, reuse)
    return lazy_import(FIT).fit_run(settings, result, node, reuse) if result.is_running else result


def run_elsewhere(request: Request, multirun: bool) -> list[JobResult]:
    """Run the jobs in processes that Hydra's launcher starts; each writes its result into a folder that all can see."""
    if SLURM in request.launcher and shutil.which("srun") is None:
        raise ValueError(
            "hydra/launcher=slurm: this machine has no srun; ask on a login node of the cluster, or fit here with "
            "hydra/launcher=pair"
        )
    local = LOCAL_PROCESSES in request.launcher
    folder = new_folder(None if local else Path(request.jobs[0].paths.results).resolve())
    files = lazy_import("dip_experiments.jobs.result_files").ResultFiles(folder)
    lazy_import("dip_experiments.store").write_owner(folder)
    show_progress = lazy_import("dip_experiments.jobs.sweep_progress").show_progress
    try:
        with save_on_signals(files), show_progress(files.read, len(request.jobs), one_by_one=False):
            launch_with_retries(request, hydra_arguments(request, multirun, folder), files)
    except KeyboardInterrupt:
        files.cancel()
    finally:
        results, cancelled = files.read(), files.cancelled
        if local or sum(not result.is_running for result in results) >= len(request.jobs):
            shutil.rmtree(folder)  # else the launcher's own logs say more
    if cancelled and not any(result.status == "interrupted" for result in results):
        raise KeyboardInterrupt
    return results


def launch_with_retries(request: Request, arguments: Sequence[str], files: Any) -> None:
    """Start the launcher, and again where a job's process died and took the others with it."""
    attempts = lazy_import("dip_experiments.jobs.result_files").MAX_ATTEMPTS + len(request.jobs)
    for attempt in range(attempts):
        try:
            return launch(remote_task(files.folder, sweep_variables(request), retry=attempt > 0), arguments)
        except Exception as error:  # a launcher's or a sweeper's own: the results so far count
            if TRACEBACKS in os.environ or (isinstance(error, WRONG_REQUEST) and not files.read()):
                raise
            print_abort(error)
            if LOCAL_PROCESSES not in request.launcher or files.cancelled:
                return None
    return None


def remote_task(folder: Path, variables: Mapping[str, str], retry: bool) -> Task:
    """Return a job for another process, perhaps on another machine, which gets all of this by value."""
    task = partial(run_from_folder, cwd=os.getcwd(), variables=dict(variables), folder=folder, retry=retry)
    task.__module__ = __name__  # by which Hydra names the job
    return task


def run_from_folder(config: DictConfig, cwd: str, variables: dict[str, str], folder: Path, retry: bool) -> float | None:
    """Run one job in the folder and with the variables of the process that launched it."""
    os.chdir(cwd)
    if cwd not in sys.path:  # for `_target_: mine.Network`
        sys.path.append(cwd)
    with env_override(variables):
        return run_remote_job(config, folder, retry)


def run_remote_job(config: DictConfig, folder: Path, retry: bool) -> float | None:
    """Run one job in a process that a launcher has started; SIGINT reaches it only while it runs.

    Between two jobs none does: a worker that died of it would have the others killed while they save.
    """
    files, node = lazy_import("dip_experiments.jobs.result_files").ResultFiles(folder), HydraConfig.get()
    number = 0 if OmegaConf.is_missing(node.job, "num") else node.job.num
    started = files.start_job(number, list(node.overrides.task), retry)
    if started is None:
        return None
    save = partial(files.write_result, number)
    if files.cancelled:
        save(replace(started, status="interrupted"))
        return None
    if multiprocessing.current_process().name == "MainProcess":
        return run_job(config, node, started, save)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run_job(config, node, started, save)
    except KeyboardInterrupt:
        files.cancel()
        return None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def launch(task: Task, arguments: Sequence[str]) -> None:
    """Let Hydra run a job or a sweep by the configured launcher. Raise what Hydra does."""
    before, sys.argv = sys.argv, [sys.argv[0], *arguments]
    quiet = TRACEBACKS not in os.environ
    os.environ.setdefault(TRACEBACKS, "1")  # else Hydra would print the error itself, and end the process
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(task)()
    finally:
        sys.argv = before
        if quiet:
            del os.environ[TRACEBACKS]


def hydra_arguments(request: Request, multirun: bool, folder: Path) -> list[str]:
    """Return the arguments of Hydra for a request whose sweep has its files in `folder`."""
    batch = [] if request.batch is None else [f"hydra.sweeper.max_batch_size={request.batch}"]
    return [*(["-m"] if multirun else []), *request.overrides, f"hydra.sweep.dir={quoted(str(folder))}", *batch]


def sweep_variables(request: Request) -> dict[str, str]:
    """Return the environment variables of a sweep's jobs: what is swept, and the sweep as their group in W&B.

    That is the name of the experiment and the overrides that sweep; a group that the user's environment names stays.
    """
    if not request.swept:
        return {}
    named = request.jobs[0].experiment.name
    group = " ".join(part for part in ("" if named == NO_EXPERIMENT else named, request.sweep) if part)
    return {SWEPT: ",".join(request.swept), GROUP: os.environ.get(GROUP) or group[:LONGEST_GROUP]}


def print_abort(error: Exception) -> None:
    """Print why a sweep ended early."""
    print(f"the sweep broke off: {' '.join(str(error).split())[:200]}", file=sys.stderr)


def new_folder(parent: Path | None) -> Path:
    """Return a new folder in `parent`, None for the system's own. Raise ValueError where none can be made."""
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="dip-sweep-", dir=parent))
    except OSError as error:
        where = "TMPDIR" if parent is None else f"paths.results={parent}"
        raise ValueError(f"{where}: cannot write there ({error.strerror}); choose another folder") from None
