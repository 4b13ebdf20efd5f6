"""How much results vary, what from, and what averaging over replicas buys."""

import sys

import numpy as np
from matplotlib.axes import Axes
from table_stability import ASKED, COUNTS, SOURCES, decibels, has_mean, mean_error

from dip_experiments.drawing.curves import Curve, curve_of, tabulated
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script, waiting
from dip_experiments.drawing.stored import peak_iterations, peaks
from dip_experiments.drawing.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.selection import select
from dip_experiments.store import Run

NOISES = {"gaussian10": ("sigma 10", BLUE), "gaussian25": ("sigma 25", ORANGE), "gaussian50": ("sigma 50", RED)}
SHADES = ("0.7", GREEN, BLUE, RED)


def draw(noises: Selection, sources: Selection) -> Page:
    """Draws figures/stability."""
    runs = [run for run in noises.runs if run.settings["experiment"]["noise"] in NOISES]
    there = {run.settings["experiment"]["noise"] for run in runs}
    there |= {run.settings["experiment"]["varies"] for run in sources.runs}
    if lacking := [name for name in (*NOISES, *SOURCES) if name not in there]:
        raise ValueError(f"no run of {', '.join(lacking)}; make them: {noises.command}; {sources.command}")
    figure, (part,) = sheet(3.2)
    where, what, buys = part.subplots(1, 3)
    scatter(where, runs)
    shares(what, sources.runs)
    curves = averaging(buys, runs)
    pictures = len({run.settings["image"]["name"] for run in runs})
    title = f"How much results vary, with what, and what the mean of replicas gains: {pictures} pictures"
    figure.suptitle(f"{title}, {len(runs[0].seeds)} seeds", fontsize=10)
    return Page(figure, tabulated(curves, "replicas", "gain"), [*runs, *sources.runs], waiting(noises, sources))


def scatter(axis: Axes, runs: list[Run]) -> None:
    """Best iteration and best PSNR of every seed, picture and noise."""
    for noise, (label, colour) in NOISES.items():
        some = [run for run in runs if run.settings["experiment"]["noise"] == noise]
        at = np.concatenate([peak_iterations(run, "psnr_average") for run in some])
        best = np.concatenate([peaks(run, "psnr_average") for run in some])
        axis.plot(at, best, "o", color=colour, label=label, markersize=3, alpha=0.6)
    axis.set(xscale="log", xlabel="best iteration (oracle)", ylabel="best PSNR (dB)", title="pictures and seeds")
    plain_ticks(axis, 500, 1000, 2000)
    axis.legend(fontsize=8)


def plain_ticks(axis: Axes, *at: float) -> None:
    """Ticks of a logarithmic axis there alone, in plain numbers."""
    axis.set_xticks(at, [f"{value:g}" for value in at])
    axis.minorticks_off()


def shares(axis: Axes, runs: list[Run]) -> None:
    """Standard deviation of the best PSNR over replicas that differ in one thing alone, a mark for each picture."""
    for place, source in enumerate(SOURCES):
        some = [run for run in runs if run.settings["experiment"]["varies"] == source]
        deviations = [peaks(run, "psnr_average").std(ddof=1) for run in some]
        axis.bar(place, np.mean(deviations), color="0.8")
        axis.plot([place] * len(deviations), deviations, "o", color=BLUE, markersize=4)
    axis.set_xticks(range(len(SOURCES)), [words.replace(" ", "\n") for words in SOURCES.values()], fontsize=6)
    axis.set(ylabel="deviation of the best PSNR (dB)", title="only this varies")


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
