"""One run as the store gives it back: each file read once, each checked against what the run was finished with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.store.curves import COUNTED, Columns, read_curves
from dip_experiments.store.files import BESIDE, Array, file_digest, read_json, value_digest, write_json
from dip_experiments.store.migrations import upgrade

SUMMARY = "summary.json"
PROGRESS = "progress.json"
APART = (SUMMARY, "lock", "owner.json", "checkpoint.pt", PROGRESS, "failure.txt")
"""Files of a run's folder that are no part of its result."""


def output_at(iteration: int) -> str:
    """The name of the output that was kept at an iteration, `iteration-000100`."""
    return f"iteration-{iteration:06d}"


def average_at(iteration: int) -> str:
    """The name of the average as it was at an iteration, `average-000100`."""
    return f"average-{iteration:06d}"


def stop_image(rule: str, what: str) -> str:
    """The name of what a rule gives: `output` and `average` at its stop, `mean` of the averages at the joint one."""
    return f"stop-{rule}-{what}"


@dataclass(frozen=True)
class Run:
    """One run's folder and what it gives back. Curves of a record are thinned: the column `iteration` says to which."""

    folder: Path

    @property
    def name(self) -> str:
        """The signature."""
        return self.folder.name.removesuffix(BESIDE)

    @property
    def place(self) -> Path:
        """Where the run of that signature is: this folder, or the one that this folder is written to replace."""
        return self.folder.with_name(self.name)

    @property
    def is_beside(self) -> bool:
        """Whether it is written to take the place of a finished run."""
        return self.folder != self.place

    @property
    def is_record(self) -> bool:
        """Whether it is the small one that is kept in git."""
        return self.folder.parent.name == "records"

    @property
    def summarised(self) -> bool:
        """Whether the summary, which is written last, is there."""
        return (self.folder / SUMMARY).exists()

    @property
    def finished(self) -> bool:
        """Whether the run is whole: every file there, and as it was when the run ended."""
        return self.summarised and not self.faults()

    def faults(self) -> list[str]:
        """What is wrong with a run that has a summary, in words; nothing if it is sound."""
        try:
            summary = read_json(self.folder / SUMMARY)
            files = summary["files"]
            found = [f"{SUMMARY} was changed"] if summary.pop("seal") != value_digest(summary) else []
        except (ValueError, KeyError, OSError, AttributeError):
            return [f"{SUMMARY} is damaged"]
        for name, digest in files.items():
            path = self.folder / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif file_digest(path) != digest:
                found.append(f"{name} was changed")
        return found

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the summary, sealed and with the checksums of all that the run has left: from now on it is whole."""
        inside = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name[0] != ".")
        names = [path.relative_to(self.folder).as_posix() for path in inside]
        files = {name: file_digest(self.folder / name) for name in names if name not in APART}
        whole = {**json.loads(json.dumps(summary)), "files": files}
        write_json(self.folder / SUMMARY, {**whole, "seal": value_digest(whole)})

    def clear(self) -> None:
        """Forgets a former result, so that the run can be made again."""
        (self.folder / SUMMARY).unlink(missing_ok=True)
        self.forget_the_way()

    def forget_the_way(self) -> None:
        """Removes what only an unfinished run has."""
        for name in ("checkpoint.pt", PROGRESS, "failure.txt"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished run keeps its state."""
        return self.folder / "checkpoint.pt"

    def write_progress(self, done: int, seconds: float) -> None:
        """How many iterations are done, in how many seconds of wall time: beside the checkpoint, for whoever asks."""
        write_json(self.folder / PROGRESS, {"done": done, "seconds": seconds})

    @property
    def failure(self) -> str | None:
        """Why the run stopped without a result, or None."""
        path = self.folder / "failure.txt"
        return path.read_text() if path.exists() else None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Its words, brought to those of today."""
        return upgrade(read_json(self.folder / "settings.json"))

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Seeds, device, and of each `sitting` code, versions, machine and command."""
        return read_json(self.folder / "provenance.json")

    @property
    def observer_epochs(self) -> dict[str, int]:
        """Epoch of the code of each stopping rule that watched it; a rule that has none was there before epochs: 1."""
        return dict(self.provenance.get("epochs", {}))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The numbers that the run ended with."""
        return read_json(self.folder / SUMMARY)

    @property
    def replicas(self) -> list[int]:
        """Those that did not fail; all while nobody knows."""
        failed = {failure["replica"] for failure in self.summary["failed"]} if self.summarised else ()
        return [replica for replica in range(len(self.provenance["seeds"])) if replica not in failed]

    @property
    def seeds(self) -> list[int]:
        """Of the replicas that did not fail."""
        return [self.provenance["seeds"][replica] for replica in self.replicas]

    @cached_property
    def curves(self) -> list[Columns]:
        """Columns of curves.csv, one set per replica that did not fail."""
        columns = {name: column.astype(np.float64) for name, column in self.stored_columns().items()}
        return [{name: column[columns["replica"] == r] for name, column in columns.items()} for r in self.replicas]

    def stored_columns(self) -> Mapping[str, NDArray[Any]]:
        """curves.csv; the fit's values in float32, if that is what it was fitted in, or in less."""
        columns = read_curves(self.folder / "curves.csv")
        if self.settings["precision"] == "float64":
            return columns
        return {name: column if name in COUNTED else column.astype(np.float32) for name, column in columns.items()}

    def scores(self, image: str, metric: str) -> Array:
        """A metric of one of the images that the fit ended with, one per replica that did not fail."""
        values = self.summary["scores"][image][metric]
        return np.array([value for value in values if value is not None])

    def image(self, name: str, replica: int) -> Path:
        """One replica's image: `target` (the measurement), `reference`, `mask`, `iteration-000100`, `average`.

        `average-001800`: the average as it was then; `unperturbed`: the output for the latent itself; `flash`: the
        latent of all replicas, kept as replica 0's; `mask`: white is known. `stop_image` names those of rules.
        """
        return self.folder / "images" / f"{name}-replica{replica}.png"

    def measured(self) -> dict[str, Any]:
        """What the network saw, in float: `measurement` "r c h w" and, where pixels are missing, `known`."""
        with np.load(self.folder / "measurement.npz") as arrays:
            return dict(arrays)
