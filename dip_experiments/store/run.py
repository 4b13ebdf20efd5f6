"""One stored run: its files are read once each, and checked against the checksums of the finished run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.store.curves import COUNTED, Columns, read_curves
from dip_experiments.store.files import REPLACEMENT, Array, file_digest, read_json, value_digest, write_json
from dip_experiments.store.migrations import upgrade

SUMMARY = "summary.json"
PROGRESS = "progress.json"
APART = (SUMMARY, "lock", "owner.json", "checkpoint.pt", PROGRESS, "failure.txt")
"""Files of a run's folder that are no part of its result."""
OBSERVED = "observed.npz"
"""File of the arrays that observers have measured, of a run that has any."""
TILE = "tile.npz"
"""File of what a run restored of a tile, in float: the picture is blended of that."""
FACT_ORIGIN = "_from"
"""Ending of the name of a rule's fact that says where another one is from: `sigma_from` is given or estimated."""


def output_at(iteration: int) -> str:
    """Return the name of the output that was stored at an iteration, `iteration-000100`."""
    return f"iteration-{iteration:06d}"


def average_at(iteration: int) -> str:
    """Return the name of the average as it was at an iteration, `average-000100`."""
    return f"average-{iteration:06d}"


def stop_image(rule: str, what: str) -> str:
    """Return the name of a rule's image: `output`, `average` at its stop, `mean` of the averages at the common one."""
    return f"stop-{rule}-{what}"


@dataclass(frozen=True)
class Run:
    """One run's folder and its content. Curves of a record are thinned: see their column `iteration`."""

    folder: Path

    @property
    def name(self) -> str:
        """Id of the run."""
        return self.folder.name.removesuffix(REPLACEMENT)

    @property
    def place(self) -> Path:
        """Folder of the run with this id: this one, or the one that this is written to replace."""
        return self.folder.with_name(self.name)

    @property
    def is_replacement(self) -> bool:
        """True if it is written to replace a finished run."""
        return self.folder != self.place

    @property
    def is_record(self) -> bool:
        """True if it is a record, which is small enough for git."""
        return self.folder.parent.name == "records"

    @property
    def has_summary(self) -> bool:
        """True if it has the summary, which is written last."""
        return (self.folder / SUMMARY).exists()

    @property
    def finished(self) -> bool:
        """True if the run is finished and every file is as it was at its end."""
        return self.has_summary and not self.integrity_errors()

    def integrity_errors(self) -> list[str]:
        """Return a line for each file of a run with a summary that is missing or changed; empty if all are right."""
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
        """Write the summary, sealed and with the checksums of all files of the run, which is finished by that."""
        inside = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name[0] != ".")
        names = [path.relative_to(self.folder).as_posix() for path in inside]
        files = {name: file_digest(self.folder / name) for name in names if name not in APART}
        complete = {**json.loads(json.dumps(summary)), "files": files}
        write_json(self.folder / SUMMARY, {**complete, "seal": value_digest(complete)})

    def clear(self) -> None:
        """Remove the summary, so that the run can be fitted again."""
        (self.folder / SUMMARY).unlink(missing_ok=True)
        self.remove_temporary_files()

    def remove_temporary_files(self) -> None:
        """Remove the files that only an unfinished run has."""
        for name in ("checkpoint.pt", PROGRESS, "failure.txt"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def checkpoint(self) -> Path:
        """File with the state of an unfinished run."""
        return self.folder / "checkpoint.pt"

    def write_progress(self, done: int, seconds: float) -> None:
        """Write the number of iterations done and their wall time in seconds, for `dip status`."""
        write_json(self.folder / PROGRESS, {"done": done, "seconds": seconds})

    @property
    def failure(self) -> str | None:
        """Reason of a failure, or None."""
        path = self.folder / "failure.txt"
        return path.read_text() if path.exists() else None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Configuration, migrated to the settings of today."""
        return upgrade(read_json(self.folder / "settings.json"))

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Seeds, device, and code, versions, machine and command of each session, in the stored list of sessions."""
        return read_json(self.folder / "provenance.json")

    @property
    def observer_epochs(self) -> dict[str, int]:
        """Epoch of the code of each stopping rule that monitored the run; 1 for one that is older than epochs."""
        return dict(self.provenance.get("epochs", {}))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Results of the finished run."""
        return read_json(self.folder / SUMMARY)

    @property
    def replicas(self) -> list[int]:
        """Replicas that did not fail; all until the run is finished."""
        failed = {failure["replica"] for failure in self.summary["failed"]} if self.has_summary else ()
        return [replica for replica in range(len(self.provenance["seeds"])) if replica not in failed]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the replicas that did not fail."""
        return [self.provenance["seeds"][replica] for replica in self.replicas]

    @cached_property
    def curves(self) -> list[Columns]:
        """Columns of curves.csv, one set per replica that did not fail."""
        columns = {name: column.astype(np.float64) for name, column in self.stored_columns().items()}
        return [{name: column[columns["replica"] == r] for name, column in columns.items()} for r in self.replicas]

    def stored_columns(self) -> Mapping[str, NDArray[Any]]:
        """Return the columns of curves.csv, in float32 if the run was fitted in that, or in less."""
        columns = read_curves(self.folder / "curves.csv")
        if self.settings["precision"] == "float64":
            return columns
        return {name: column if name in COUNTED else column.astype(np.float32) for name, column in columns.items()}

    def scores(self, image: str, metric: str) -> Array:
        """Return a metric of one of the final images, one value per replica that did not fail."""
        values = self.summary["scores"][image][metric]
        return np.array([value for value in values if value is not None])

    def image(self, name: str, replica: int) -> Path:
        """Return the file of an image of one replica: `target` (the measurement), `average`, `iteration-000100`.

        Others: `reference`; `average-001800`, the average as it was then; `unperturbed`, the output for the latent
        itself; `flash`, the latent of all replicas, stored as that of replica 0; `mask`, white where known. Those of
        rules: `stop_image`.
        """
        return self.folder / "images" / f"{name}-replica{replica}.png"

    def observed(self) -> dict[str, Any]:
        """Return the arrays that observers have measured, by `<observer>.<name>`; empty for a run without any."""
        if not (self.folder / OBSERVED).exists():
            return {}
        with np.load(self.folder / OBSERVED) as arrays:
            return dict(arrays)

    def tile(self) -> dict[str, Any]:
        """Return what was restored of a tile: see `fitting.tile.TileResult`."""
        with np.load(self.folder / TILE) as arrays:
            return dict(arrays)

    def measured(self) -> dict[str, Any]:
        """Return what was fitted, in float: `measurement` "r c h w", and `known` if pixels are missing."""
        with np.load(self.folder / "measurement.npz") as arrays:
            return dict(arrays)
