"""Figure 6 of the paper: what fills a large hole depends on the learning rate."""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import SubFigure

from dip_experiments.drawing.figures import (
    BLUE,
    GREEN,
    ORANGE,
    Array,
    band,
    curves_of,
    described,
    log_points,
    missing,
    run_script,
    save_figure,
    save_sources,
    sheet,
    show,
    stored,
    tabulated,
)
from dip_experiments.store import Run, write_columns

AUTHORS = 0.01
"""The authors' rate (PAPER, settings per task: vase)."""
COLOURS = {0.1: ORANGE, AUTHORS: BLUE, 0.001: GREEN}
HOLE = np.array([0.8, 0.47, 0.65])
"""Colour of what is missing: one that the picture has not."""
PICTURES = 3.5
"""Inches of the pictures with the small ones below them."""


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig6.png, .pdf and .csv, and says in fig6.json from which runs."""
    by_rate = select(runs)
    seeds = len(runs[0].provenance["seeds"])
    figure, (pictures, plot) = sheet(PICTURES if seeds > 1 else PICTURES * 2 / 3, 2.6)
    known, *parts = pictures.subfigures(1, 1 + len(by_rate))
    show_seeds(known, "what is known", [with_hole(runs[0])], seeds)
    for part, (rate, run) in zip(parts, by_rate.items(), strict=True):
        show_seeds(part, named(rate), [stored(run, "unperturbed", replica) for replica in range(seeds)], seeds)
    losses = {rate: curves_of(run, "loss") for rate, run in by_rate.items()}
    axis = plot.subplots()
    for rate, loss in losses.items():
        band(axis, loss, COLOURS[rate], named(rate), log_points(loss.shape[1]))
    axis.set(xscale="log", yscale="log", xlabel="iteration", ylabel="loss: MSE, 0 in the hole")
    axis.legend(fontsize=8)
    title = f"Figure 6: a large hole at three rates, the authors' is {AUTHORS}; outputs for the latent as it is"
    figure.suptitle(f"{title}\n{described(runs, folder.name)} (small: the others)", fontsize=9)
    save_figure(figure, folder / "figures", "fig6")
    write_columns(
        folder / "figures" / "fig6.csv", tabulated({f"{rate}": loss for rate, loss in losses.items()}, "rate", "loss")
    )
    save_sources(runs, folder / "figures", "fig6")


def select(runs: list[Run]) -> dict[float, Run]:
    """The run of each rate, the highest first."""
    chosen = {run.settings["optimizer"]["lr"]: run for run in runs}
    lacking = [f"{rate}" for rate in COLOURS if rate not in chosen]
    if lacking:
        raise ValueError(f"Figure 6 needs optimizer.lr={','.join(lacking)}; run `make reproduce-fig6`")
    return {rate: chosen[rate] for rate in COLOURS}


def named(rate: float) -> str:
    """The rate, and whose it is."""
    return f"rate {rate}{' (the authors)' if rate == AUTHORS else ''}"


def with_hole(run: Run) -> Array:
    """The target with its hole in a flat colour."""
    hole = missing(run)
    return np.where(hole, HOLE[:, None, None], stored(run, "target"))


def show_seeds(part: SubFigure, title: str, pictures: list[Array], seeds: int) -> None:
    """The first picture large, the others small in a row below, which has room for one less than `seeds`."""
    below = max(seeds - 1, 1)
    grid = part.add_gridspec(min(seeds, 2), below, height_ratios=[below, 1][:seeds])
    show(part.add_subplot(grid[0, :]), pictures[0], title)
    for column, picture in enumerate(pictures[1:]):
        show(part.add_subplot(grid[1, column]), picture)


if __name__ == "__main__":
    sys.exit(run_script("fig6", draw))
