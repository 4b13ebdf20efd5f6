"""The impedance table: iterations to explain 90 % of each target's variance, and their ratio to the natural image."""

import sys
from pathlib import Path

from dip_experiments.drawing.figures import impedance, run_among, run_script, save_sources, save_table
from dip_experiments.store import Run

COLUMNS = (
    "architecture",
    "target",
    "seeds",
    "iterations90_median",
    "iterations90_min",
    "iterations90_max",
    "impedance_ratio",
)


def draw(runs: list[Run], folder: Path) -> None:
    """Writes tables/impedance.csv and .md."""
    rows = [(*words(run), str(len(run.curves)), *impedance(run, natural_of(run, runs))) for run in runs]
    save_table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)), folder / "tables", "impedance")
    save_sources(runs, folder / "tables", "impedance")


def words(run: Run) -> tuple[str, str]:
    """Architecture and target."""
    return run.settings["architecture"]["name"], run.settings["target"]["name"]


def natural_of(run: Run, runs: list[Run]) -> Run:
    """The run that fits the natural image with the same architecture."""
    architecture, _ = words(run)
    lack = f"the impedance ratio needs target=natural for architecture={architecture}; run `make reproduce-fig2`"
    return run_among(runs, lambda other: words(other) == (architecture, "natural"), lack)


if __name__ == "__main__":
    sys.exit(run_script("fig2", draw))
