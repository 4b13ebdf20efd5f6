"""The trajectory of denoising with the settings of then and now, the authors' between ours."""

import sys
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from trajectory import ASKED, F16, rows_of, still_waiting, theirs

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.curves import Curve, band, curve_of, tabulated
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import size_words
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, WIDTH
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection

COLOURS = {"gamma_uniform": BLUE, "gamma_one": ORANGE, "corners_aligned": GREEN, "perturbation_weak": RED}
MEANING = "aligned: corners, when upsampling; p: sigma_p of the latent's perturbation, else 1/30"
LEAST = 20.0
"""dB from which on curves are drawn: before, all are alike."""


def draw(grid: Selection, by_seed: Selection) -> Page:
    """Draws figures/trajectory: PSNR of single outputs, mean and range over the seeds, one panel a picture."""
    rows, note = [row for row in rows_of(grid, by_seed) if row.runs], still_waiting(grid, by_seed)
    runs = [run for row in rows for run in row.runs]
    if not rows:
        raise ValueError(note)
    images = list(dict.fromkeys(row.words["image"]["name"] for row in rows))
    figure, panels = plt.subplots(1, len(images), figsize=(WIDTH, 3.6), layout="constrained", squeeze=False)
    numbers: dict[str, Curve] = {}
    for image, axis in zip(images, panels[0], strict=True):
        if image == F16:
            curves = theirs(grid.scale)
            shown = Curve(curves.iteration.astype(int), curves.output)
            band(axis, shown, "black", curves.name)
            numbers[f"{image}, {curves.name}"] = shown
        for row in (row for row in rows if row.words["image"]["name"] == image):
            label = f"gamma {row.said}"
            curve = joined([curve_of(run, "psnr_reference") for run in row.runs])
            style = "-" if row is next(one for one in rows if one.words == row.words) else "--"
            band(axis, curve, COLOURS[row.words["experiment"]["setting"]], label, style)
            numbers[f"{image}, {label}"] = curve
        axis.set(title=image, xlabel="iteration", ylabel="PSNR of the output (dB)")
        axis.set_ylim(bottom=LEAST)
        axis.set_xlim(left=0)
        axis.legend(loc="lower right", fontsize=8)
    seeds = ", ".join(map(str, sorted({seed for run in runs for seed in run.seeds})))
    figure.suptitle(f"Denoising, sigma 25: {size_words(runs[0])}; seeds {seeds}\n{MEANING}", fontsize=9)
    return Page(figure, tabulated(numbers, "curve", "psnr"), runs, note)


def joined(curves: Sequence[Curve]) -> Curve:
    """Curves of the same length as one of all their seeds."""
    return Curve(curves[0].iterations, np.concatenate([curve.values for curve in curves]))


if __name__ == "__main__":
    sys.exit(run_script("figures/trajectory", draw, select, *ASKED[:2]))
