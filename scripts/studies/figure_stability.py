"""How much results vary, what from, and what averaging over replicas buys."""

import sys

import numpy as np
from matplotlib.axes import Axes
from table_stability import (
    ASKED,
    COUNTS,
    NOISES,
    NULL,
    SOURCES,
    at_best,
    best,
    by_picture,
    decibels,
    groups,
    has_mean,
    mean_error,
)

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.curves import Curve, curve_of, tabulated
from dip_experiments.analysis.deviations import pooled_variance, spread
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.independence import counted
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

COLOURS = dict(zip(NOISES, (BLUE, ORANGE, RED), strict=True))
SHADES = ("0.7", GREEN, BLUE)


def draw(noises: Selection, weak: Selection, sources: Selection) -> Page:
    """Draws figures/stability."""
    runs = [*weak.runs, *noises.runs]
    there = {run.settings["experiment"]["noise"] for run in runs}
    there |= {run.settings["experiment"]["varies"] for run in sources.runs}
    if lacking := [name for name in (*NOISES, *SOURCES) if name not in there]:
        commands = "; ".join(one.command for one in (noises, weak, sources))
        raise ValueError(f"no run of {', '.join(lacking)}; make them: {commands}")
    figure, (part,) = sheet(3.2)
    where, what, buys = part.subplots(1, 3)
    scatter(where, runs)
    shares(what, sources.runs)
    curves = averaging(buys, runs)
    pictures, draws = (len({name(run) for run in runs}) for name in (picture, noisy_picture))
    title = f"How much results vary, with what, and what the mean of replicas gains: {counted(pictures, 'picture')}"
    figure.suptitle(f"{title}, {counted(draws, 'noise draw')} of {len(runs[0].seeds)} replicas", fontsize=9)
    numbers = tabulated(curves, "replicas", "gain")
    return Page(figure, numbers, [*runs, *sources.runs], waiting(noises, weak, sources))


def picture(run: Run) -> str:
    """Return the picture's name."""
    return str(run.settings["image"]["name"])


def noisy_picture(run: Run) -> tuple[str, int]:
    """Return what tells a draw of a picture's noise, which three strengths of it share."""
    return picture(run), run.settings["seed"]


def scatter(axis: Axes, runs: list[Run]) -> None:
    """Best iteration and best PSNR of every replica, draw, picture and noise."""
    for noise, label in NOISES.items():
        some = [run for run in runs if run.settings["experiment"]["noise"] == noise]
        at, peak = (np.concatenate([values(run) for run in some]) for values in (at_best, best))
        axis.plot(at, peak, "o", color=COLOURS[noise], label=label, markersize=3, alpha=0.6)
    axis.set(xscale="log", xlabel="best iteration (oracle)", ylabel="best PSNR (dB)", title="pictures and replicas")
    plain_ticks(axis, 500, 1000, 2000)
    axis.legend(fontsize=8)


def plain_ticks(axis: Axes, *at: float) -> None:
    """Ticks of a logarithmic axis there alone, in plain numbers."""
    axis.set_xticks(at, [f"{value:g}" for value in at])
    axis.minorticks_off()


def shares(axis: Axes, runs: list[Run]) -> None:
    """Draw the deviation of the best PSNR over replicas that differ in one thing alone: 95 %, a point each picture."""
    for place, source in enumerate(SOURCES):
        some = groups(by_picture([run for run in runs if run.settings["experiment"]["varies"] == source]), best)
        found = spread(some).deviation
        colour = "0.6" if source == NULL else "0.8"
        axis.bar(place, found.value, color=colour)
        axis.plot([place, place], [found.low, found.high], color="black", linewidth=1)
        each = [pooled_variance(values)[0] ** 0.5 for values in some.values()]
        axis.plot(np.full(len(each), place + 0.2), each, "o", color=BLUE, markersize=4)
        if source == NULL:
            axis.axhspan(found.low, found.high, color="0.6", alpha=0.25, linewidth=0)
    axis.set_xticks(range(len(SOURCES)), list(SOURCES.values()), fontsize=7, rotation=25, ha="right")
    axis.set(ylabel="deviation of the best PSNR (dB)", title="only this varies (95 %)")


def averaging(axis: Axes, runs: list[Run]) -> dict[str, Curve]:
    """PSNR of the mean of so many replicas less that of one at its best, over iterations as parts of the best one."""
    grid, curves = np.geomspace(0.2, 4, 80), {}
    for count, shade in zip(COUNTS, SHADES, strict=True):
        rows = []
        for run in filter(has_mean, runs):
            one = decibels(mean_error(run, 1))
            at = curve_of(run, "psnr_average").iterations
            gains = decibels(mean_error(run, count)) - one.max()
            rows.append(np.interp(grid, at / at[one.argmax()], gains, right=np.nan))
        there = np.isfinite(rows).any(0)  # not later than the longest fit
        gain = np.full(len(grid), np.nan)
        gain[there] = np.nanmean(np.array(rows)[:, there], axis=0)
        axis.plot(grid, gain, color=shade, label=f"{count}")
        curves[str(count)] = Curve(np.arange(1, len(grid) + 1), gain[None])
    axis.set(xscale="log", xlabel="iteration / best one of a single fit", ylabel="gain (dB)", title="mean of replicas")
    axis.set_ylim(-1.5)
    plain_ticks(axis, 0.5, 1, 2)
    axis.legend(title="replicas", fontsize=8)
    return curves


if __name__ == "__main__":
    sys.exit(run_script("figures/stability", draw, select, *ASKED))
