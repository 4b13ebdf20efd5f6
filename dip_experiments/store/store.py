"""All runs below one results folder, and the records of them that are small enough for git."""

import fnmatch
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dip_experiments.metrics import curve_points
from dip_experiments.store.curves import write_curves
from dip_experiments.store.files import BESIDE, copy_middle, put_in_place
from dip_experiments.store.run import Run
from dip_experiments.store.status import ASIDE

KEPT_WHOLE = ("settings.json", "provenance.json")
COUNTS = {"first": 1, "two": 2, "all": None}
"""Of how many replicas a record keeps pictures."""
NOT_PART_OF_A_NUMBER = ("files", "seal")
Origin = Literal["runs", "records", "either"]
"""Where a run is looked for: among the user's own, among the records, or among the former and else the latter."""


@dataclass(frozen=True)
class Store:
    """results/runs/<name>: whole runs; results/<scale>/records/<name>: what figures and tables need of them."""

    results: Path

    def run(self, name: str) -> Run:
        """The run of that signature: the whole one, else the record of it, else the place where it would be."""
        whole = self.place(name)
        return whole if whole.summarised else self.record(name) or whole

    def record(self, name: str) -> Run | None:
        """The record of that signature at whichever scale, None if there is none."""
        return next((Run(path) for path in sorted(self.results.glob(f"*/records/{name}"))), None)

    def find(self, name: str, origin: Origin) -> Run | None:
        """The run of that signature among those of one origin: the place where a whole one would be, or None."""
        if origin == "records":
            return self.record(name)
        return self.run(name) if origin == "either" else self.place(name)

    def place(self, name: str) -> Run:
        """Where the whole run of that signature is or would be."""
        return Run(self.results / "runs" / name)

    def beside(self, run: Run) -> Run:
        """Where a run is written that is to take the place of a finished one of that signature."""
        return Run(run.folder.with_name(f"{run.name}{BESIDE}"))

    def put_in_place(self, run: Run) -> None:
        """Let a run that was written beside a finished one take its place, if it is finished; any other stays."""
        if run.is_beside and run.finished:
            put_in_place(run.folder, run.place)

    def set_aside(self, run: Run) -> Path:
        """Moves all that a run has to a folder of another name beside it, which nobody reads."""
        taken = len(list(run.folder.parent.glob(f"{run.name}{ASIDE}*")))
        aside = run.folder.with_name(f"{run.name}{ASIDE}{taken + 1}")
        aside.mkdir()
        for path in list(run.folder.iterdir()):
            if path.name != "owner.json":
                shutil.move(path, aside / path.name)
        return aside

    def keep(self, run: Run, scale: str, pictures: Sequence[str] = (), replicas: str = "first", part: int = 1) -> Run:
        """Makes the record of a finished run: its words and numbers, curves at `curve_points`, and some pictures.

        `pictures`: names as `Run.image` takes them, or patterns such as `iteration-*`; of the `first` replica that did
        not fail, of the first `two`, or of `all`; where `part` is above 1, of each its middle square alone, 1 / `part`
        of the short side long.
        """
        kept = Run(self.results / scale / "records" / run.name)
        if kept.folder == run.folder:
            return kept
        self.put_in_place(self.beside(kept))  # which a process that was killed may have left undone
        chosen, record = self._pictures(run, kept, pictures, replicas), self.beside(kept)
        shutil.rmtree(record.folder, ignore_errors=True)
        (record.folder / "images").mkdir(parents=True)
        for name in KEPT_WHOLE:
            shutil.copyfile(run.folder / name, record.folder / name)
        columns, points = run.stored_columns(), curve_points(run.summary["iterations"])
        at = np.isin(columns["iteration"], [*points, *_shown(run)])
        write_curves(record.folder / "curves.csv", {name: column[at] for name, column in columns.items()})
        for path in chosen:
            picture = record.folder / "images" / path.name
            copy_middle(path, picture, part) if part > 1 else shutil.copyfile(path, picture)
        if not any((record.folder / "images").iterdir()):
            (record.folder / "images").rmdir()
        record.finish({name: value for name, value in run.summary.items() if name not in NOT_PART_OF_A_NUMBER})
        put_in_place(record.folder, kept.folder)
        return kept

    def _pictures(self, run: Run, record: Run, names: Sequence[str], replicas: str) -> list[Path]:
        """Those of the names, and those that the record has already: another experiment may show the same run."""
        whose = run.replicas[: COUNTS[replicas]]
        patterns = [f"{name}-replica{replica}.png" for name in names for replica in whose]
        patterns += [path.name for path in (record.folder / "images").glob("*.png")]
        inside = sorted((run.folder / "images").glob("*.png"))
        return [path for path in inside if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)]


def _shown(run: Run) -> list[int]:
    """Iterations whose outputs the run has as pictures: a figure may tell the curves' values there."""
    names = {path.name.split("-")[1] for path in (run.folder / "images").glob("iteration-*.png")}
    return sorted(map(int, names))
