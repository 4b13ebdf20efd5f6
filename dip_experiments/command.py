"""The door: `dip` and scripts/run.py. Checks the whole request, runs it through Hydra, says what became of it."""

import gc
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
import rich
from omegaconf import DictConfig
from rich.table import Table

from dip_experiments.compose import compose_jobs, conf_folder, help_text
from dip_experiments.wording import WRONG_REQUEST, in_plain_words

if TYPE_CHECKING:
    from dip_experiments.store import Run

FAILED, WRONG, INTERRUPTED = 1, 2, 130
SWEEP_FLAGS = ("-m", "--multirun")
HELP = ("-h", "--help")
QUESTIONS = ("--hydra-help", "--version", "-c", "--cfg", "-i", "--info", "-sc", "--shell-completion")
"""Flags to which Hydra answers without running anything."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of `dip` with the given words (default: those of the command line): 0, 1 failed, 2 wrong request."""

    # The word `resume` says what asking again does anyway.
    words = [word for word in (sys.argv[1:] if arguments is None else arguments) if word != "resume"]
    # Hydra wants flags first; users do not care.
    words.sort(key=lambda word: not word.startswith("-"))
    sys.argv = [sys.argv[0], *words]
    if any(word in HELP for word in words):
        print(help_text())
        return 0
    if any(word.split("=")[0] in QUESTIONS for word in words):
        launch(lambda config: None)
        return 0
    try:
        return fit_all(words)
    except WRONG_REQUEST as error:
        print(in_plain_words(error), file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("Interrupted. Ask again with the same words to continue where it stopped.", file=sys.stderr)
        return INTERRUPTED


def fit_all(words: Sequence[str]) -> int:
    """Checks every job, runs those that are not finished, and reports from the store."""
    overrides = [word for word in words if word not in SWEEP_FLAGS]
    if flags := [word for word in overrides if word.startswith("-")]:
        raise ValueError(f"{flags[0]}: unknown flag; use key=value words, -m for a sweep, --help for a list")
    jobs = compose_jobs(overrides, multirun=len(overrides) < len(words))
    experiment = imported("dip_experiments.experiment")  # PyTorch: only when something is to be fitted
    plans = [experiment.plan(experiment.read_settings(job)) for job in jobs]
    runs = list({planned.run.name: planned.run for planned in plans}.values())
    settings = plans[0].settings
    if settings.output and len(runs) > 1:
        raise ValueError(
            f"output={settings.output} with {len(runs)} runs: each would overwrite the last; ask for one run"
        )
    done_before = set() if settings.force else {run.name for run in runs if run.finished}
    if settings.experiment.name != "single":
        experiment.keep_grid(plans)
    try:
        if len(done_before) < len(runs):
            launch(experiment.run)
    finally:
        (Path(settings.paths.results) / "runs" / "multirun.yaml").unlink(missing_ok=True)  # each run keeps its own
    for planned in plans:
        experiment.deliver(planned)
    return report(runs, done_before)


def imported(module: str) -> Any:
    """The module, its objects set aside for good: searching PyTorch's and Lightning's for garbage slows every start."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def launch(task: Callable[[DictConfig], None]) -> None:
    """Hands the command line to Hydra: one job or a sweep, by whichever launcher is configured."""
    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(task)()


def report(runs: Sequence["Run"], done_before: set[str]) -> int:
    """One line, or a table for a sweep: what was finished, skipped, failed. Exit code 1 if any run failed."""
    table = Table("run", "outcome", "folder")
    for run in runs:
        outcome = (
            "failed" if not run.finished else "skipped (finished before)" if run.name in done_before else "finished"
        )
        table.add_row(run.name, outcome, str(run.folder))
        if not run.finished:
            reason = (run.failure or "no reason recorded").splitlines()[0]
            print(f"run {run.name} failed: {reason}\n  details: {run.folder / 'failure.txt'}", file=sys.stderr)
        elif len(runs) == 1:
            print(f"run {run.name} {outcome}: {run.folder}")
    if len(runs) > 1:
        rich.print(table)
    return 0 if all(run.finished for run in runs) else FAILED
