"""The door: `dip` and scripts/run.py. Checks the words of a request, runs it through Hydra, says what became of it."""

import gc
import importlib
import importlib.metadata
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from dip_experiments.cli.commands import run_subcommand
from dip_experiments.cli.help import INTRODUCTION, help_text
from dip_experiments.config.compose import Request, conf_folder, read_requests
from dip_experiments.config.errors import WRONG_REQUEST, in_plain_words
from dip_experiments.config.overrides import QUESTIONS, SWEEP_FLAGS, for_hydra, quoted, split_flags
from dip_experiments.jobs.job_status import (
    AGAIN,
    ATTEMPTS,
    INTERRUPTED,
    OUTCOMES,
    STOP,
    WRONG,
    Outcome,
    read_outcomes,
    report,
)
from dip_experiments.jobs.search import best_told, check_search

HELP, VERSION = ("-h", "--help"), "--version"
ASKED_IN = "DIP_ASKED_IN"
"""Environment variable: the folder in which the words were said, from which names of files are read."""
GROUP, LONGEST_GROUP = "WANDB_RUN_GROUP", 128
"""W&B's variable: the group of a run. That of a sweep without an experiment's name is the words that sweep."""
TRACEBACKS = "HYDRA_FULL_ERROR"
"""Hydra's variable: errors come with their traceback, for whoever looks for their cause."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of `dip` with the given words (default: those of the command line).

    0 done, 1 failed, 2 wrong request, 130 interrupted.
    """
    # The word `resume` says what asking again does anyway.
    words = [word for word in (sys.argv[1:] if arguments is None else arguments) if word != "resume"]
    try:
        return answer(words)
    except WRONG_REQUEST as error:
        print(in_plain_words(error), file=sys.stderr)
        return WRONG
    except BrokenPipeError:  # whoever reads has seen enough: dip status | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("Interrupted. Ask again with the same words to continue where it stopped.", file=sys.stderr)
        return INTERRUPTED


def answer(words: Sequence[str]) -> int:
    """Exit code: help, version and questions to Hydra, a subcommand, or fits."""
    if any(word in HELP for word in words):
        print(help_text())
        return 0
    if VERSION in words:
        print(f"dip_experiments {importlib.metadata.version('dip_experiments')}")
        return 0
    if words and "=" not in words[0] and not words[0].startswith(("~", "-", "+")):
        return run_subcommand(words[0], words[1:], imported)
    flags, overrides = split_flags(words)
    multirun = any(flag in SWEEP_FLAGS for flag in flags)
    overrides = for_hydra(overrides, multirun)
    if any(flag.split("=")[0] in QUESTIONS for flag in flags):
        read_requests(overrides, multirun)
        launch(lambda config: None, [*flags, *overrides])
        return 0
    if not overrides:
        print(INTRODUCTION)
        return 0
    return fit_all(overrides, multirun)


def fit_all(overrides: Sequence[str], multirun: bool) -> int:
    """Checks the words of every job, runs the jobs, and reports what they tell."""
    requests = read_requests(overrides, multirun)
    experiment = imported("dip_experiments.runner.run_job")  # PyTorch: only when something is to be fitted
    settings = [experiment.read_settings(job) for request in requests for job in request.jobs]
    check(settings, several=len(settings) > 1 or not all(request.whole for request in requests))
    if said := added_noise(settings[0]):
        print(said, file=sys.stderr)
    if search := not all(request.whole for request in requests):
        check_search(settings[0])
    outcomes: list[Outcome] = []
    since = time.monotonic()
    for request in requests:
        outcomes += carried_out(request, multirun)
        if any(outcome.outcome == "interrupted" for outcome in outcomes):
            break
    code = report(outcomes, len(settings), time.monotonic() - since)
    if search and outcomes:
        print(best_told(outcomes))
    return code


def check(settings: Sequence[Any], several: bool) -> None:
    """Raises ValueError for jobs that would write the same file."""
    writing, written = imported("dip_experiments.data.writing"), dict[str, Any]()
    for job in settings:
        if not job.output:
            continue
        if several and writing.PLACE not in job.output:
            raise ValueError(
                f"output={job.output} with several runs: each would overwrite the last; ask for one run, "
                f"or put {writing.PLACE}, the picture's name, into it: output='restored_{writing.PLACE}.png'"
            )
        file = writing.expanded(job.output, job.image.path, job.image.name)
        if file in written and written[file] != job:
            raise ValueError(
                f"output={job.output}: two runs would write {file}; sweep over pictures of different names"
            )
        written[file] = job


def added_noise(settings: Any) -> str | None:
    """A warning where noise will be added to the user's own picture, which may be noisy as it is."""
    noise = settings.task.noise if settings.task.name == "denoising" else settings.target
    if settings.image.name != "file" or noise.name in ("none", "natural", "shuffled", "noise"):
        return None
    amount = f" (sigma {noise.sigma:g} of 255)" if hasattr(noise, "sigma") else ""
    return (
        f"Noise is added to your picture first{amount}, to see how well it is removed; "
        "if the picture itself is noisy: task=denoising task.noise=none"
    )


def job(config: DictConfig) -> float | None:
    """One job of Hydra's; gives what a search goes by. In a process of its own it hears Ctrl-C.

    Between two of them nothing does: a worker that died of it would have the others killed while they save.
    """
    os.chdir(os.environ[ASKED_IN])  # a worker on another machine begins elsewhere
    if multiprocessing.current_process().name == "MainProcess":
        return imported("dip_experiments.runner.run_job").run(config)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return imported("dip_experiments.runner.run_job").run(config)
    except KeyboardInterrupt:
        (Path(os.environ[OUTCOMES]) / STOP).touch()
        return None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def carried_out(request: Request, multirun: bool) -> list[Outcome]:
    """Runs the jobs of one request; what they tell. Those that run elsewhere must see the folder of outcomes too."""
    elsewhere = not (request.here or "joblib" in request.launcher)
    folder = outcomes_folder(Path(request.jobs[0].paths.results).resolve() if elsewhere else None)
    told = {OUTCOMES: str(folder), ASKED_IN: os.getcwd()}
    if request.sweep and request.jobs[0].experiment.name == "single":
        told[GROUP] = os.environ.get(GROUP) or request.sweep[:LONGEST_GROUP]
    words = [*(["-m"] if multirun else []), *request.words, f"hydra.sweep.dir={quoted(str(folder))}"]
    words += [f"++hydra.job.env_set.{name}={quoted(value)}" for name, value in told.items()]
    words += [] if request.batch is None else [f"hydra.sweeper.max_batch_size={request.batch}"]
    imported("dip_experiments.store").own(folder)
    told_progress = imported("dip_experiments.jobs.sweep_progress").sweep_progress
    try:
        with ctrl_c(folder, request.here), told_progress(folder, len(request.jobs), request.here):
            launch_until_told(request, words, folder)
    except KeyboardInterrupt:
        (folder / STOP).touch()
    finally:
        outcomes, stopped = read_outcomes(folder), (folder / STOP).exists()
        if not elsewhere or sum(bool(told.outcome) for told in outcomes) >= len(request.jobs):
            shutil.rmtree(folder)  # else the launcher's own logs say more
    if stopped and not any(outcome.outcome == "interrupted" for outcome in outcomes):
        raise KeyboardInterrupt
    return outcomes


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


def imported(module: str) -> Any:
    """The module, its objects set aside for good: searching PyTorch's and Lightning's for garbage slows every start."""
    if module in sys.modules:  # garbage of the jobs before would be set aside too
        return sys.modules[module]
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


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


if __name__ == "__main__":
    sys.exit(main())
