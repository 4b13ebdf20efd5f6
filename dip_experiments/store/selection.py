"""The jobs of an experiment, each with its finished run: the input of records, figures, tables and comparisons."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dip_experiments.store.baselines import Baselines
from dip_experiments.store.run import Run
from dip_experiments.store.store import Origin

REPRODUCED = "reproduced"
"""Folder of a results folder for figures, tables and baselines of the user's own runs; not tracked."""


@dataclass(frozen=True)
class Job:
    """One job of an experiment: its settings, and its finished run, if any."""

    config: dict[str, Any]
    run: Run | None


@dataclass(frozen=True)
class Selection:
    """The jobs of an experiment as it was composed, each with its run; what else the store has plays no part.

    `origin`: where the runs come from, as of `Store.find`; it decides where drawings and baselines are written.
    """

    experiment: str
    scale: str
    results: Path
    overrides: tuple[str, ...]
    jobs: tuple[Job, ...]
    origin: Origin = "runs"

    @property
    def runs(self) -> list[Run]:
        """The finished runs, in the order of the jobs."""
        return [job.run for job in self.jobs if job.run]

    @property
    def missing(self) -> list[dict[str, Any]]:
        """Settings of the jobs that have no finished run."""
        return [job.config for job in self.jobs if not job.run]

    @property
    def command(self) -> str:
        """Command that makes the missing runs."""
        where = [] if self.results == Path("results") else [f"paths.results={self.results}"]
        return shlex.join(
            ["dip", "-m", f"experiment={self.experiment}", f"scale={self.scale}", *where, *self.overrides]
        )

    @property
    def waiting(self) -> str:
        """Number of runs that wait, and the command that makes them; empty if none does."""
        count = f"{len(self.missing)} of {len(self.jobs)} runs of {self.experiment}"
        then = f", then: dip keep {self.experiment} scale={self.scale}" if self.origin == "records" else ""
        return f"{count} at scale {self.scale} are not there; make them: {self.command}{then}" if self.missing else ""

    @property
    def complete_runs(self) -> list[Run]:
        """All runs. Raises ValueError, with the command that makes them, if one is missing."""
        if self.missing:
            raise ValueError(self.waiting)
        return self.runs

    @property
    def only(self) -> Run:
        """The run of an experiment that has one.

        Raises:
            ValueError: If it is missing, or if the overrides ask for more.
        """
        if len(self.jobs) > 1:
            raise ValueError(
                f"the figure shows one run, {' '.join(self.overrides)} asks for {len(self.jobs)}; ask for one"
            )
        return self.complete_runs[0]

    @property
    def drawings(self) -> Path:
        """Folder of figures and tables: the committed ones are of records, those of the user's own runs lie apart."""
        return drawings_folder(self.results, self.scale, self.origin)

    @property
    def baselines(self) -> Baselines:
        """Store of the numbers of other methods: with the records, or with the drawings of one's own runs."""
        return Baselines(self.drawings / ("records" if self.origin == "records" else "") / "baselines")


def drawings_folder(results: Path, scale: str, origin: Origin) -> Path:
    """Return the folder of what is drawn from runs of this origin at a scale."""
    return results / scale if origin == "records" else results / REPRODUCED / scale


def waiting(*selections: Selection) -> str:
    """Return a line for each that is incomplete."""
    return "\n".join(one.waiting for one in selections if one.missing)
