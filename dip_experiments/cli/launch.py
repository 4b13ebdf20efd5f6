"""Run the jobs of a request: here, or by Hydra's launcher; Ctrl-C lets fits save their state."""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from omegaconf import DictConfig

from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.config.compose import Request
from dip_experiments.config.errors import WRONG_REQUEST
from dip_experiments.config.groups import conf_folder
from dip_experiments.config.overrides import quoted
from dip_experiments.jobs.job_status import AGAIN, ATTEMPTS, INTERRUPTED, OUTCOMES, STOP, Outcome, read_outcomes

ASKED_IN = "DIP_ASKED_IN"
"""Environment variable: the folder in which the words were said, from which names of files are read."""
GROUP, LONGEST_GROUP = "WANDB_RUN_GROUP", 128
"""W&B's variable: the group of a run. That of a sweep without an experiment's name is the words that sweep."""
TRACEBACKS = "HYDRA_FULL_ERROR"
"""Hydra's variable: errors come with their traceback, for whoever looks for their cause."""


def run_jobs(request: Request, multirun: bool) -> list[Outcome]:
    """Run the jobs of one request and return their results.

    Jobs that run elsewhere must see the folder of results too.
    """
    elsewhere = not (request.here or "joblib" in request.launcher)
    folder = outcomes_folder(Path(request.jobs[0].paths.results).resolve() if elsewhere else None)
    told = {OUTCOMES: str(folder), ASKED_IN: os.getcwd()}
    if request.sweep and request.jobs[0].experiment.name == "single":
        told[GROUP] = os.environ.get(GROUP) or request.sweep[:LONGEST_GROUP]
    words = [*(["-m"] if multirun else []), *request.overrides, f"hydra.sweep.dir={quoted(str(folder))}"]
    words += [f"++hydra.job.env_set.{name}={quoted(value)}" for name, value in told.items()]
    words += [] if request.batch is None else [f"hydra.sweeper.max_batch_size={request.batch}"]
    lazy_import("dip_experiments.store").own(folder)
    told_progress = lazy_import("dip_experiments.jobs.sweep_progress").sweep_progress
    try:
        with ctrl_c(folder, request.here), told_progress(folder, len(request.jobs), request.here):
            if request.composed is None:
                launch_until_told(request, words, folder)
            else:
                run_here(request.jobs[0], request.composed, told)
    except KeyboardInterrupt:
        (folder / STOP).touch()
    finally:
        outcomes, stopped = read_outcomes(folder), (folder / STOP).exists()
        if not elsewhere or sum(bool(told.outcome) for told in outcomes) >= len(request.jobs):
            shutil.rmtree(folder)  # else the launcher's own logs say more
    if stopped and not any(outcome.outcome == "interrupted" for outcome in outcomes):
        raise KeyboardInterrupt
    return outcomes


def run_here(config: DictConfig, composed: DictConfig, variables: Mapping[str, str]) -> None:
    """Run the one job of a request in this process: by itself Hydra would compose it twice more.

    Args:
        config: Settings of the job.
        composed: The same with Hydra's own node, which the run keeps.
        variables: Environment variables of the job.
    """
    HydraConfig.instance().set_config(composed)
    with env_override(dict(variables)):
        job(config)


def job(config: DictConfig) -> float | None:
    """One job of Hydra's; gives what a search goes by. In a process of its own it hears Ctrl-C.

    Between two of them nothing does: a worker that died of it would have the others killed while they save.
    """
    os.chdir(os.environ[ASKED_IN])  # a worker on another machine begins elsewhere
    if multiprocessing.current_process().name == "MainProcess":
        return lazy_import("dip_experiments.runner.run_job").run(config)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return lazy_import("dip_experiments.runner.run_job").run(config)
    except KeyboardInterrupt:
        (Path(os.environ[OUTCOMES]) / STOP).touch()
        return None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def launch_until_told(request: Request, words: Sequence[str], folder: Path) -> None:
    """Starts the launcher, and again where a job's process died and took the others with it."""
    for _ in range(len(request.jobs) + ATTEMPTS):
        try:
            return launch(job, words)
        except Exception as error:  # a launcher's or a sweeper's own: what the jobs told still counts
            if TRACEBACKS in os.environ or (isinstance(error, WRONG_REQUEST) and not read_outcomes(folder)):
                raise
            print(f"the sweep broke off: {' '.join(str(error).split())[:200]}", file=sys.stderr)
            if "joblib" not in request.launcher or (folder / STOP).exists():
                return None
            (folder / AGAIN).touch()
    return None


def launch(task: Callable[[DictConfig], float | None], words: Sequence[str]) -> None:
    """Hands the words to Hydra: one job or a sweep, by whichever launcher is configured. Raises what Hydra does."""
    before, sys.argv = sys.argv, [sys.argv[0], *words]
    quiet = TRACEBACKS not in os.environ
    os.environ.setdefault(TRACEBACKS, "1")  # else Hydra would print the error itself, and end the process
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(task)()
    finally:
        sys.argv = before
        if quiet:
            del os.environ[TRACEBACKS]


def outcomes_folder(beside: Path | None) -> Path:
    """A new folder in `beside`, None for the system's own place. Raises ValueError where there can be none."""
    try:
        if beside is not None:
            beside.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="dip-sweep-", dir=beside))
    except OSError as error:
        where = "TMPDIR" if beside is None else f"paths.results={beside}"
        raise ValueError(f"{where}: cannot write there ({error.strerror}); choose another folder") from None


@contextmanager
def ctrl_c(folder: Path, here: bool) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets the fits save their state and stop, the second ends this process at once.

    Jobs in processes of their own hear Ctrl-C themselves: an exception here would have them killed while they save.
    """

    def heard(number: int, _: Any) -> None:
        if (folder / STOP).exists():
            end_at_once(folder)
        (folder / STOP).touch()
        if here:
            raise KeyboardInterrupt
        if number == signal.SIGTERM:  # which comes to this process alone
            tell_children(signal.SIGINT)
        print("Interrupted: fits are saving their state; Ctrl-C again ends at once.", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell_children(number: int) -> None:
    """Sends a signal to the processes that carry out the jobs."""
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)


def end_at_once(folder: Path) -> None:
    """Leaves without any saving; the store's files are whole at any time."""
    tell_children(signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    print("Ended at once. Ask again to continue from the last checkpoint.", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)
