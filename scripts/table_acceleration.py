"""The table of ways to fewer iterations: peak PSNR and time beside those of the paper's settings."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dip_experiments.drawing.figures import run_among, run_script, save_sources, save_table
from dip_experiments.store import Run, Store

COLUMNS = (
    "settings",
    "image",
    "seeds",
    "iterations",
    "peak_iteration",
    "peak_psnr_average",
    "minus_paper",
    "worst_seed",
    "seconds",
    "times_fewer_iterations",
)
PAPER = (0.01, [0.9, 0.999])
"""Rate and betas of Adam (authors)."""


def draw(runs: list[Run], folder: Path) -> None:
    """Writes tables/acceleration.csv and .md: `minus_paper` and `worst_seed` are differences of peaks in dB.

    Peaks are the oracle's, of the averaged image; `seconds` is the wall time of all seeds together until then,
    on a machine that may have had other work too. Every iteration costs the same, but for averaged weights (a further
    evaluation) and before a coarse start (iterations at half the resolution, in `seconds` only).
    """
    store, scale = Store(folder.parent), folder.name
    runs = [*store.read_grid("acceleration_base", scale), *runs, *store.read_grid("acceleration_tried", scale)]
    rows = [row(run, paper_of(run, runs)) for run in sorted(runs, key=lambda run: (label(run) != "paper", label(run)))]
    save_table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)), folder / "tables", "acceleration")
    save_sources(runs, folder / "tables", "acceleration")


def row(run: Run, paper: Run) -> tuple[str, ...]:
    """One line of the table."""
    gap = peaks(run) - peaks(paper)
    return (
        label(run),
        run.settings["image"]["name"],
        str(len(gap)),
        str(run.summary["iterations"]),
        f"{peak_iteration(run):.0f}",
        f"{peaks(run).mean():.2f}",
        f"{gap.mean():+.2f}",
        f"{gap[np.abs(gap).argmax()]:+.2f}",
        f"{seconds(run):.0f}",
        f"{peak_iteration(paper) / peak_iteration(run):.2f}",
    )


def label(run: Run) -> str:
    """What a run does otherwise than the paper."""
    adam = run.settings["optimizer"]
    if (adam["lr"], adam["betas"]) == PAPER:
        return "paper"
    words = [f"Adam {adam['lr']:g}, beta2 {adam['betas'][1]:g}"]
    words += ["one-cycle rate"] if adam["name"] == "adam_one_cycle" else []
    return " + ".join([*words, *([run.settings["tried"]] if "tried" in run.settings else [])])


def peaks(run: Run) -> NDArray[np.float64]:
    """The best PSNR of the average, in dB, one per seed."""
    return np.array(run.summary["oracle_peak"]["psnr_average"])


def peak_iteration(run: Run) -> float:
    """Where the average is best, mean over the seeds."""
    return float(np.mean(run.summary["oracle_iteration"]["psnr_average"]))


def seconds(run: Run) -> float:
    """Wall time of all seeds together until the mean of their peaks."""
    return float(run.summary["wall_seconds"]) * peak_iteration(run) / run.summary["iterations"]


def paper_of(run: Run, runs: list[Run]) -> Run:
    """The run of the same image with the paper's settings."""
    image = run.settings["image"]["name"]
    lack = f"the table needs image={image} with the paper's settings; run `make table-acceleration`"
    return run_among(runs, lambda other: (label(other), other.settings["image"]["name"]) == ("paper", image), lack)


if __name__ == "__main__":
    sys.exit(run_script("acceleration", draw))
