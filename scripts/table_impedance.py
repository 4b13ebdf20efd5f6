"""The impedance table: iterations to explain 90 % of each target's variance, and their ratio to the natural image."""

import sys
from pathlib import Path

import numpy as np

from dip_experiments.figures import iterations_explained, run_script, save_sources, save_table
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
    rows = [row for run in runs for row in [table_row(run, natural_of(run, runs))]]
    save_table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)), folder / "tables", "impedance")
    save_sources(runs, folder / "tables", "impedance")


def natural_of(run: Run, runs: list[Run]) -> Run:
    """The run that fits the natural image with the same architecture."""
    architecture = run.settings["architecture"]["name"]
    for other in runs:
        if other.settings["architecture"]["name"] == architecture and other.settings["target"]["name"] == "natural":
            return other
    raise ValueError(
        f"the impedance ratio needs target=natural for architecture={architecture}; run `make reproduce-fig2`"
    )


def table_row(run: Run, natural: Run) -> tuple[str, ...]:
    """One line of the table; `>N` where 90 % was not reached in N iterations."""
    iterations, ours, basis = (
        run.summary["iterations"],
        iterations_explained(run),
        np.median(iterations_explained(natural)),
    )
    median = np.median(ours)
    if np.isinf(basis):
        ratio = "natural not reached"
    else:
        ratio = f"{median / basis:.2f}" if np.isfinite(median) else f">{iterations / basis:.2f}"
    counts = [f"{n:g}" if np.isfinite(n) else f">{iterations}" for n in (median, ours.min(), ours.max())]
    words = run.settings
    return (words["architecture"]["name"], words["target"]["name"], str(len(ours)), *counts, ratio)


if __name__ == "__main__":
    sys.exit(run_script("fig2", draw))
