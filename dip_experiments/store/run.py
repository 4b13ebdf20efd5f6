"""One run as the store gives it back, and all runs below one results folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from dip_experiments.store.files import Columns, read_columns, write_json


class BeingFitted(ValueError):
    """Another process fits this run just now."""


@dataclass(frozen=True)
class Run:
    """One run's folder and what it gives back."""

    folder: Path

    @property
    def name(self) -> str:
        """The signature."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """Whether the summary, which is written last, is there."""
        return (self.folder / "summary.json").exists()

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished run keeps its state."""
        return self.folder / "checkpoint.pt"

    @property
    def failure(self) -> str | None:
        """Why the run stopped without a result, or None."""
        path = self.folder / "failure.txt"
        return path.read_text() if path.exists() else None

    @property
    def settings(self) -> dict[str, Any]:
        return self._json("settings.json")

    @property
    def provenance(self) -> dict[str, Any]:
        return self._json("provenance.json")

    @property
    def summary(self) -> dict[str, Any]:
        return self._json("summary.json")

    @property
    def curves(self) -> list[Columns]:
        """Columns of curves.csv, one set per replica; row i is iteration i + 1."""
        columns = read_columns(self.folder / "curves.csv")
        replicas = columns["replica"].astype(int)
        return [{name: column[replicas == r] for name, column in columns.items()} for r in range(replicas.max() + 1)]

    def image(self, name: str, replica: int) -> Path:
        """One replica's image: `target` (the measurement), `reference`, `iteration-000100`, `average`.

        `average-001800`: the average as it was then; `unperturbed`: the output for the latent itself; `flash`: the
        latent of all replicas, kept as replica 0's.
        """
        return self.folder / "images" / f"{name}-replica{replica}.png"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second process out. Raises BeingFitted while another one fits this run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.folder / "lock", timeout=0):
                yield
        except filelock.Timeout:
            raise BeingFitted(f"run {self.name} is being fitted by another process; wait for it, or stop it") from None

    def clear(self) -> None:
        """Forgets a former result, so that the run can be made again."""
        for name in ("summary.json", "checkpoint.pt", "failure.txt"):
            (self.folder / name).unlink(missing_ok=True)

    def _json(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / name).read_text())
        return loaded


@dataclass(frozen=True)
class Store:
    """All runs below one results folder."""

    results: Path

    def run(self, name: str) -> Run:
        """The run of that signature, there or not."""
        return Run(self.results / "runs" / name)

    def write_grid(self, experiment: str, scale: str, names: list[str]) -> None:
        """Remembers which runs an experiment consists of, as last asked for at this scale."""
        write_json(self._grid(experiment, scale), names)

    def finished(self, experiment: str, scale: str) -> list[Run]:
        """The runs of an experiment that are finished: all, some or none of them."""
        return [run for run in self._asked(experiment, scale) if run.finished]

    def read_grid(self, experiment: str, scale: str) -> list[Run]:
        """The finished runs of an experiment. Raises ValueError, naming the command, if any is missing."""
        runs = self._asked(experiment, scale)
        missing = [run.name for run in runs if not run.finished]
        if missing or not runs:
            lack = f"{len(missing)} of {len(runs)} runs are not finished" if runs else "no runs"
            raise ValueError(
                f"{experiment} at scale {scale} in {self.results}: {lack}; make them with "
                f"`dip -m experiment={experiment} scale={scale} paths.results={self.results}`"
            )
        return runs

    def _asked(self, experiment: str, scale: str) -> list[Run]:
        path = self._grid(experiment, scale)
        return [self.run(name) for name in json.loads(path.read_text())] if path.exists() else []

    def _grid(self, experiment: str, scale: str) -> Path:
        return self.results / "runs" / f"{experiment}-{scale}.json"
