"""The tables of reduced precision: quality of denoising, and Figure 2's iterations, in float32 and in bfloat16."""

import sys
from pathlib import Path
from statistics import fmean

import numpy as np

from dip_experiments.drawing.figures import impedance, run_among, run_script, save_sources, save_table
from dip_experiments.store import Run

QUALITY = (
    "image",
    "precision",
    "seeds",
    "peak_psnr_average",
    "peak_psnr_output",
    "average_minus_float32",
    "worst_seed",
    "seconds_per_iteration",
)
IMPEDANCE = ("target", "precision", "seeds", "iterations90_median", "iterations90_min", "iterations90_max", "ratio")


def draw_quality(runs: list[Run], folder: Path) -> None:
    """Writes tables/precision.csv and .md: peaks are the oracle's, means over the seeds, in dB."""
    rows = [quality(run, in_float32(run, runs)) for run in runs]
    save_table(dict(zip(QUALITY, zip(*rows, strict=True), strict=True)), folder / "tables", "precision")
    save_sources(runs, folder / "tables", "precision")


def draw_impedance(runs: list[Run], folder: Path) -> None:
    """Writes tables/precision_fig2.csv and .md; `>N` where 90 % was not reached in N iterations."""
    rows = [(*words(run), str(len(run.curves)), *impedance(run, natural_of(run, runs))) for run in runs]
    save_table(dict(zip(IMPEDANCE, zip(*rows, strict=True), strict=True)), folder / "tables", "precision_fig2")
    save_sources(runs, folder / "tables", "precision_fig2")


def quality(run: Run, plain: Run) -> tuple[str, ...]:
    """One line of the first table, beside the float32 run of the same image."""
    peaks, basis = (np.array(r.summary["oracle_peak"]["psnr_average"]) for r in (run, plain))
    gap = peaks - basis
    return (
        run.settings["image"]["name"],
        run.settings["precision"],
        str(len(peaks)),
        f"{peaks.mean():.2f}",
        f"{fmean(run.summary['oracle_peak']['psnr_reference']):.2f}",
        f"{gap.mean():+.3f}",
        f"{gap[np.abs(gap).argmax()]:+.3f}",
        f"{run.summary['wall_seconds'] / run.summary['iterations']:.4f}",
    )


def in_float32(run: Run, runs: list[Run]) -> Run:
    """The float32 run of the same image."""
    basis = (run.settings["image"], "float32")
    lack = f"the table needs image={run.settings['image']['name']} in float32; run `make table-precision`"
    return run_among(runs, lambda other: (other.settings["image"], other.settings["precision"]) == basis, lack)


def words(run: Run) -> tuple[str, str]:
    """Target and precision."""
    return run.settings["target"]["name"], run.settings["precision"]


def natural_of(run: Run, runs: list[Run]) -> Run:
    """The run that fits the natural image in the same precision."""
    precision = run.settings["precision"]
    lack = f"the ratio needs target=natural in precision={precision}; run `make table-precision`"
    return run_among(runs, lambda other: words(other) == ("natural", precision), lack)


if __name__ == "__main__":
    sys.exit(run_script("precision", draw_quality) or run_script("precision_fig2", draw_impedance))
