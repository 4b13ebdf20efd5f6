"""Figure 6 of the paper: what fills a large hole depends on the learning rate.

Experiment: fig6. Writes: figures/fig6. Command: make reproduce-fig6
"""

import sys

import numpy as np
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import show
from dip_experiments.analysis.run_data import load_image
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, sheet
from dip_experiments.analysis.table import tabulate_curves
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

Array = NDArray[np.float64]
AUTHORS = 0.01
"""The authors' rate (PAPER, settings per task: vase)."""
COLOURS = (ORANGE, BLUE, GREEN)
"""From the highest rate on."""
HOLE = np.array([0.8, 0.47, 0.65])
"""Colour of what is missing: one that the picture has not."""
PICTURES = 3.5
"""Inches of the pictures with the small ones below them."""


def draw(selection: Selection) -> Artifact:
    """Draw figures/fig6."""
    runs = sorted(selection.complete_runs, key=rate, reverse=True)
    if len(runs) != len(COLOURS):
        raise ValueError(f"Figure 6 shows {len(COLOURS)} rates, these are {len(runs)}; leave out optimizer.lr")
    seeds = max(len(run.seeds) for run in runs)
    figure, (pictures, plot) = sheet(PICTURES if seeds > 1 else PICTURES * 2 / 3, 2.6)
    known, *parts = pictures.subfigures(1, 1 + len(runs), squeeze=False)[0]
    show_seeds(known, "what is known", [with_hole(runs[0])], seeds)
    for part, run in zip(parts, runs, strict=True):
        show_seeds(part, named(rate(run)), [load_image(run, "unperturbed", replica) for replica in run.replicas], seeds)
    losses = {rate(run): curve_of(run, "loss") for run in runs}
    axis = plot.subplots()
    for (value, loss), colour in zip(losses.items(), COLOURS, strict=True):
        plot_band(axis, loss.sparse, colour, named(value))
    axis.set(xscale="log", yscale="log", xlabel="iteration", ylabel="loss: MSE, 0 in the hole")
    axis.legend(fontsize=8)
    title = f"Figure 6: a large hole at three rates, the authors' is {AUTHORS}; outputs for the latent as it is"
    caption = describe_fit(runs, selection.scale, load_image(runs[0], "unperturbed"))
    figure.suptitle(f"{title}\n{caption} (small: the others)", fontsize=9)
    return Artifact(figure, tabulate_curves({f"{value}": loss for value, loss in losses.items()}, "rate", "loss"), runs)


def rate(run: Run) -> float:
    """Return the learning rate."""
    return float(run.settings["optimizer"]["lr"])


def named(value: float) -> str:
    """Name the rate, and whose it is."""
    return f"rate {value}{' (the authors)' if value == AUTHORS else ''}"


def with_hole(run: Run) -> Array:
    """Return the target with its hole in a flat colour."""
    known = load_image(run, "mask").min(axis=0) > 0.5
    return np.where(known, load_image(run, "target"), HOLE[:, None, None])


def show_seeds(part: SubFigure, title: str, pictures: list[Array], seeds: int) -> None:
    """Draw the first picture large, the others small in a row below, which has room for one less than `seeds`."""
    below = max(seeds - 1, 1)
    grid = part.add_gridspec(min(seeds, 2), below, height_ratios=[below, 1][:seeds])
    show(part.add_subplot(grid[0, :]), pictures[0], title)
    for column, picture in enumerate(pictures[1:]):
        show(part.add_subplot(grid[1, column]), picture)


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig6": draw}, select, ["fig6"]))
