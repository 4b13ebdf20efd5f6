"""Impedance against denoising: each network is a point."""

import sys

import numpy as np
from table_ablation_impedance import bound, correlation, fitting, impedance_of, measured, told

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.curves import add_row
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.style import BLUE, name_points, sheet
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection


def draw(selection: Selection) -> Page:
    """Draws figures/ablation_impedance."""
    every = measured(selection)
    if not every:
        raise ValueError(f"no network has runs of all its targets; {selection.waiting}")
    networks = fitting(every)
    figure, (part,) = sheet(4.2)
    axis = part.subplots()
    columns: dict[str, list[str]] = {name: [] for name in ("change", "impedance", "low", "high", "reached", "psnr")}
    points: dict[str, tuple[float, float]] = {}
    for name, network in networks.items():
        interval, x = network.impedance, impedance_of(network)
        reached = bool(np.isfinite(x))
        x = x if reached else bound(network)
        if np.isfinite(interval.low):
            axis.plot([interval.low, interval.high], [network.psnr] * 2, color=BLUE, alpha=0.4)
        axis.plot(x, network.psnr, "o" if reached else ">", color=BLUE)
        points[name.replace("_", " ")] = (x, network.psnr)
        numbers = (x, interval.low, interval.high)
        add_row(columns, name, *(f"{value:.3f}" for value in numbers), str(reached), f"{network.psnr:.3f}")
    axis.set(
        xscale="log",
        xticks=(0.2, 0.5, 1, 2, 5, 10, 20),
        xticklabels=("0.2", "0.5", "1", "2", "5", "10", "20"),
        xlabel="impedance: iterations for the shuffled image by those for the image (arrow: more)",
        ylabel="denoising: best PSNR of the average (dB, oracle)",
    )
    axis.minorticks_off()
    axis.margins(x=0.08)
    known = told(every)
    found = correlation(known)
    words = f"rank correlation {found.value:+.2f} ({found.words}) over {len(known)} networks"
    if without := [name for name in every if name not in networks]:
        words += f"\nnot even the natural image was fitted by {', '.join(without)}"
    if unknown := [name for name in networks if name not in known]:
        words += f"\nnot in the correlation, as their iterations leave the rank open: {', '.join(unknown)}"
    figure.suptitle(f"Is impedance what makes a good denoiser? {words}", fontsize=9)
    name_points(figure, axis, points)
    return Page(figure, columns, selection.runs, selection.waiting)


if __name__ == "__main__":
    sys.exit(run_script("figures/ablation_impedance", draw, select, ["ablation_impedance"]))
