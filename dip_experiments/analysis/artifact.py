"""Figures and tables as files in the results folder, with their numbers and the runs that they are made of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from dip_experiments.analysis.independence import count_independent
from dip_experiments.analysis.labels import MACHINE_SETTINGS, lost_iterations
from dip_experiments.store import Run, atomic, pack, write_json, write_text

METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Creator": None}}
"""Metadata, by ending, that would differ from day to day."""
ENDINGS = ("csv", "json", "md", *METADATA)


@dataclass(frozen=True)
class Artifact:
    """A figure or table and where it comes from.

    Args:
        shown: The figure, or the table in Markdown.
        numbers: The table that the CSV has.
        runs: Those that it is made of.
        message: A line for the terminal.
    """

    shown: Figure | str
    numbers: pd.DataFrame
    runs: Sequence[Run]
    message: str = ""

    def write(self, path: Path, request: str = "") -> None:
        """Write `path` with the endings .csv, .json and .png, .pdf or .md; the same runs give the same bytes.

        `request`: overrides by which it differs from its experiment's own; they stand above figure or table.
        """
        write_text(path.with_suffix(".csv"), self.numbers.to_csv(index=False, lineterminator="\n"))
        write_json(path.with_suffix(".json"), ({"request": request} if request else {}) | sources(self.runs))
        if isinstance(self.shown, str):
            write_text(path.with_suffix(".md"), f"Asked for with {request}.\n\n{self.shown}" if request else self.shown)
            return
        if request:
            self.shown.suptitle("\n".join(filter(None, (self.shown.get_suptitle(), request))), fontsize=9)
        for ending, metadata in METADATA.items():
            with atomic(path.with_suffix(f".{ending}")) as file:
                self.shown.savefig(file, format=ending, metadata=metadata)
        plt.close(self.shown)

    @staticmethod
    def remove(path: Path) -> None:
        """Remove the files of an earlier artifact."""
        for ending in ENDINGS:
            path.with_suffix(f".{ending}").unlink(missing_ok=True)

    def main_file(self, path: Path) -> Path:
        """Return which of the files that were written is the one to look at."""
        return path.with_suffix(".md" if isinstance(self.shown, str) else ".png")


def sources(runs: Sequence[Run]) -> dict[str, Any]:
    """Return settings, provenance and time of the runs, how many are independent, and what the guard did.

    "common" has what all runs share; "runs" what else each has.
    """
    minutes = sum(run.summary["wall_seconds"] for run in runs) / 60
    return {
        "minutes_of_fitting": round(minutes, 2),
        "lost_iterations": sum(map(lost_iterations, runs)),
        "independent": asdict(count_independent(runs)),
        **pack([source(run) for run in runs]),
    }


def source(run: Run) -> dict[str, Any]:
    """Return the entry of one run."""
    return {
        "run": run.name,
        "settings": {key: value for key, value in run.settings.items() if key not in MACHINE_SETTINGS},
        "provenance": without(run.provenance, "command"),
        "wall_seconds": run.summary["wall_seconds"],
        "guard": run.summary["guard"],
        "lost_iterations": run.summary["lost_iterations"],
        "failed": run.summary["failed"],
    }


def without(value: Any, name: str) -> Any:
    """Return nested settings without the keys of one name, at any depth: a command has the paths of its machine."""
    if isinstance(value, dict):
        return {key: without(item, name) for key, item in value.items() if key != name}
    return [without(item, name) for item in value] if isinstance(value, list) else value
