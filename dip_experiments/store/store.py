"""The runs of one results folder, and records of them, which are small enough for git."""

import fnmatch
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dip_experiments.metrics import curve_points
from dip_experiments.store.curves import write_curves
from dip_experiments.store.files import REPLACEMENT, copy_middle, put_in_place
from dip_experiments.store.run import OBSERVED, Run
from dip_experiments.store.status import QUARANTINE
from dip_experiments.store.thumbnail import PARTS, THUMBNAIL, make_thumbnail, thumbnail_images

COPIED_FILES = ("settings.json", "provenance.json", OBSERVED)
COUNTS = {"first": 1, "two": 2, "all": None}
"""Number of replicas whose images a record has."""
NOT_PART_OF_A_NUMBER = ("files", "seal")
Origin = Literal["runs", "records", "either"]
"""Places to search a run in: among the user's own, among the records, or among the former and else the latter."""


@dataclass(frozen=True)
class Store:
    """results/runs/<id>: the runs; results/<scale>/records/<id>: records, which figures and tables are drawn from."""

    results: Path

    def run(self, name: str) -> Run:
        """Return the run with this id: the finished one, else its record, else the place where it would be."""
        run = self.place(name)
        return run if run.has_summary else self.record(name) or run

    def record(self, name: str) -> Run | None:
        """Return the record of the run with this id at any scale, None without one."""
        return next((Run(path) for path in sorted(self.results.glob(f"*/records/{name}"))), None)

    def find(self, name: str, origin: Origin) -> Run | None:
        """Return the run with this id of one origin, or the place where the user's own would be; None for no record."""
        if origin == "records":
            return self.record(name)
        return self.run(name) if origin == "either" else self.place(name)

    def place(self, name: str) -> Run:
        """Return the user's own run with this id, or the place where it would be."""
        return Run(self.results / "runs" / name)

    def replacement(self, run: Run) -> Run:
        """Return the place where a run is written that will replace a finished one with the same id."""
        return Run(run.folder.with_name(f"{run.name}{REPLACEMENT}"))

    def put_in_place(self, run: Run) -> None:
        """Replace a finished run by the one that was written for that, if that is finished too."""
        if run.is_replacement and run.finished:
            put_in_place(run.folder, run.place)

    def quarantine(self, run: Run) -> Path:
        """Move all files of a run to a folder of another name next to it, which is never read, and return that."""
        taken = len(list(run.folder.parent.glob(f"{run.name}{QUARANTINE}*")))
        aside = run.folder.with_name(f"{run.name}{QUARANTINE}{taken + 1}")
        aside.mkdir()
        for path in list(run.folder.iterdir()):
            if path.name != "owner.json":
                shutil.move(path, aside / path.name)
        return aside

    def export_record(
        self, run: Run, scale: str, pictures: Sequence[str] = (), replicas: str = "first", part: int = 1
    ) -> Run:
        """Write the record of a finished run: settings and results, curves at `curve_points`, some images, a thumbnail.

        Args:
            run: The finished run.
            scale: Scale whose records it joins.
            pictures: Names of images as for `Run.image`, or patterns such as `iteration-*`.
            replicas: Images of the `first` replica that did not fail, of the first `two`, or of `all`.
            part: Above 1: of each image its middle square alone, 1 / `part` of the short side long.

        Returns:
            The record.
        """
        record = Run(self.results / scale / "records" / run.name)
        if record.folder == run.folder:
            return record
        self.put_in_place(self.replacement(record))  # which a process that was killed may have left undone
        chosen, new = self._pictures(run, record, pictures, replicas), self.replacement(record)
        shutil.rmtree(new.folder, ignore_errors=True)
        (new.folder / "images").mkdir(parents=True)
        for name in COPIED_FILES:
            if name != OBSERVED or (run.folder / name).exists():
                shutil.copyfile(run.folder / name, new.folder / name)
        columns, points = run.stored_columns(), curve_points(run.summary["iterations"])
        at = np.isin(columns["iteration"], [*points, *_shown(run)])
        write_curves(new.folder / "curves.csv", {name: column[at] for name, column in columns.items()})
        for path in chosen:
            picture = new.folder / "images" / path.name
            copy_middle(path, picture, part) if part > 1 else shutil.copyfile(path, picture)
        if not any((new.folder / "images").iterdir()):
            (new.folder / "images").rmdir()
        if len(images := thumbnail_images(run)) == len(PARTS):
            (new.folder / THUMBNAIL).write_bytes(make_thumbnail(images.values()))
        new.finish({name: value for name, value in run.summary.items() if name not in NOT_PART_OF_A_NUMBER})
        put_in_place(new.folder, record.folder)
        return record

    def _pictures(self, run: Run, record: Run, names: Sequence[str], replicas: str) -> list[Path]:
        """Return images with these names, and those that the record has: another experiment may show the same run."""
        whose = run.replicas[: COUNTS[replicas]]
        patterns = [f"{name}-replica{replica}.png" for name in names for replica in whose]
        patterns += [path.name for path in (record.folder / "images").glob("*.png")]
        inside = sorted((run.folder / "images").glob("*.png"))
        return [path for path in inside if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)]


def _shown(run: Run) -> list[int]:
    """Return the iterations whose outputs the run has as images: a figure may show the values of curves at them."""
    names = {path.name.split("-")[1] for path in (run.folder / "images").glob("iteration-*.png")}
    return sorted(map(int, names))
