"""The door of every script that draws: what was asked for, the runs of it, where the page goes."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dip_experiments.drawing.page import Page
from dip_experiments.drawing.style import style
from dip_experiments.store import Baselines, Run

WRONG = 2
"""Exit code of what cannot be drawn."""


@dataclass(frozen=True)
class Job:
    """One job of an experiment: its settings, and its finished run if there is one."""

    words: dict[str, Any]
    run: Run | None


@dataclass(frozen=True)
class Selection:
    """The jobs of an experiment as it was composed, each with its run; what else the store has plays no part."""

    experiment: str
    scale: str
    results: Path
    words: tuple[str, ...]
    jobs: tuple[Job, ...]

    @property
    def runs(self) -> list[Run]:
        """The finished runs, in the order of the jobs."""
        return [job.run for job in self.jobs if job.run]

    @property
    def missing(self) -> list[dict[str, Any]]:
        """Settings of the jobs that have no finished run."""
        return [job.words for job in self.jobs if not job.run]

    @property
    def command(self) -> str:
        """What makes the missing runs."""
        where = [] if self.results == Path("results") else [f"paths.results={self.results}"]
        return shlex.join(["dip", "-m", f"experiment={self.experiment}", f"scale={self.scale}", *where, *self.words])

    @property
    def waiting(self) -> str:
        """How many runs wait for which command; nothing if none does."""
        count = f"{len(self.missing)} of {len(self.jobs)} runs of {self.experiment}"
        return f"{count} at scale {self.scale} are not there; make them: {self.command}" if self.missing else ""

    @property
    def whole(self) -> list[Run]:
        """All runs. Raises ValueError, with the command that makes them, if one is missing."""
        if self.missing:
            raise ValueError(self.waiting)
        return self.runs

    @property
    def only(self) -> Run:
        """The run of an experiment that has one. Raises ValueError if it is missing, or if the words ask for more."""
        if len(self.jobs) > 1:
            raise ValueError(f"the figure shows one run, {' '.join(self.words)} asks for {len(self.jobs)}; ask for one")
        return self.whole[0]

    @property
    def baselines(self) -> Baselines:
        """Where the numbers of other methods are kept."""
        return Baselines(self.results / self.scale / "records" / "baselines")


def waiting(*selections: Selection) -> str:
    """A line for each that is not whole."""
    return "\n".join(one.waiting for one in selections if one.missing)


Select = Callable[[str, str, Path, Sequence[str]], Selection]
"""Experiment, scale, results folder and further words -> its runs."""


def run_script(place: str, draw: Callable[..., Page], select: Select, *asked: Sequence[str]) -> int:
    """Command line of a drawing script: writes the page `draw(*selections)` to results/<scale>/<place>.*.

    `asked`: for every selection the experiment and its own words; those of the command line are added to each.
    """
    arguments = command_line(draw.__doc__)
    scale, results = arguments.scale, arguments.results
    path = results / scale / place
    optional = arguments.if_kept and not path.with_suffix(".csv").exists()
    style()
    try:
        found = [select(name, scale, results, [*arguments.words, *words]) for name, *words in asked]
        runs = [run for one in found for run in one.runs if run.settings["scale"]["name"] == scale]
        if optional and not runs:
            print(f"{place} at scale {scale}: no runs, nothing to draw")
            return 0
        page = draw(*found)
        page.write(path)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 0 if optional else WRONG  # too few of its runs are there yet
    if page.note:
        print(page.note)
    return 0


OPTIONS = {"scale": "--scale", "paths.results": "--results"}
"""Words of dip that are options of a drawing, as they say where the page lies."""


def command_line(description: str | None) -> argparse.Namespace:
    """`scale`, `results`, `if_kept` and further words for the composition, as every drawing script takes them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--scale", choices=("smoke", "laptop", "paper"), default="laptop")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--if-kept", action="store_true", help="do nothing where there are neither runs nor a page")
    parser.add_argument("words", nargs="*", metavar="key=value", help="words that were added to the experiment's")
    arguments = parser.parse_intermixed_args()
    for name, option in OPTIONS.items():
        for word in arguments.words:
            if word.startswith(f"{name}="):
                parser.exit(WRONG, f"{word}: a drawing takes it as {option} {word.partition('=')[2]}\n")
    return arguments
