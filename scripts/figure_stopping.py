"""When to stop: trajectories with every rule's stop, and under them what the rules look at."""

import sys
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from table_stopping import ASKED, at_stop, found_by, noise_of

from dip_experiments.drawing.curves import Curve, band, curve_of, tabulated
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script
from dip_experiments.drawing.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.drawing.words import network_words
from dip_experiments.selection import select
from dip_experiments.store import Run

IMAGE = "cset9/f16"
NOISES = {
    "gaussian10": "sigma 10",
    "gaussian25": "sigma 25",
    "gaussian50": "sigma 50",
    "blurred25": "sigma 25, neighbours share it",
}
RULES = {
    "split": ("split", BLUE, "o"),
    "windowed_variance": ("ES-WMV", ORANGE, "s"),
    "moving_variance": ("ES-EMV", "#CC79A7", "D"),
    "held_out_pixels": ("held-out pixels", GREEN, "^"),
    "discrepancy": ("discrepancy", RED, "v"),
    "fixed": ("fixed", "black", "x"),
}
"""Name, colour and mark of each."""
STATISTICS = {"split_mse": "split", "windowed_variance": "windowed_variance", "held_out_mse": "held_out_pixels"}
"""Curves under the trajectories, each in its rule's colour, divided by its smallest value."""


def draw(study: Selection, others: Selection) -> Page:
    """Draws figures/stopping."""
    runs = shown(study, others)
    figure, (upper, lower) = sheet(3.0, 2.4)
    tops, bottoms = (part.subplots(1, len(NOISES), squeeze=False)[0] for part in (upper, lower))
    numbers: dict[str, Curve] = {}
    for (noise, title), top, bottom in zip(NOISES.items(), tops, bottoms, strict=True):
        run = runs[noise]
        numbers |= {f"{noise}, average": curve_of(run, "psnr_average")}
        trajectory(top, run, title)
        numbers |= {f"{noise}, {name}": curve for name, curve in statistics(bottom, run).items()}
    tops[0].set_ylabel("PSNR of the average (dB)")
    bottoms[0].set_ylabel("over its least value")
    lower.legend(*bottoms[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    upper.legend(*tops[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, fontsize=8)
    run = runs["gaussian25"]
    words = f"{IMAGE}, {run.settings['image']['size']} pixels, {network_words(run.settings['architecture'])}"
    figure.suptitle(f"When to stop: {words}, {len(run.seeds)} seeds; range of seeds, and marks at each one's stop")
    return Page(figure, tabulated(numbers, "curve", "value"), list(runs.values()))


def shown(*studies: Selection) -> dict[str, Run]:
    """The runs by noise. Raises ValueError with the command if one is missing."""
    runs = [run for study in studies for run in study.runs if run.settings["image"]["name"] == IMAGE]
    found = {noise_of(run.settings): run for run in runs}
    if missing := [noise for noise in NOISES if noise not in found]:
        commands = "; ".join(study.command for study in studies)
        raise ValueError(f"runs of {IMAGE} with {', '.join(missing)} are not there; make them: {commands}")
    return {noise: found[noise] for noise in NOISES}


def trajectory(axis: Axes, run: Run, title: str) -> None:
    """PSNR over the iterations, and where each rule stops each seed."""
    band(axis, curve_of(run, "psnr_average"), "grey", "average, range of seeds")
    stopping = found_by(run)
    for rule, (label, colour, mark) in RULES.items():
        if rule not in stopping:
            continue
        found = stopping[rule]
        stops = [(found["iteration"][replica], replica) for replica in run.replicas if found["iteration"][replica]]
        heights = [at_stop(run, rule, "average", replica, stop) for stop, replica in stops]
        axis.plot([s for s, _ in stops], heights, mark, color=colour, label=label, markersize=4, linestyle="none")
    best = np.max(curve_of(run, "psnr_average").values)
    axis.set(title=title, xlabel="iteration", ylim=(best - 6, best + 0.5))
    axis.title.set_fontsize(8)


def statistics(axis: Axes, run: Run) -> dict[str, Curve]:
    """What rules look at, of all seeds, and the true error of the average, which none of them sees, dashed."""
    error = curve_of(run, "psnr_average")
    curves = {"true error": Curve(error.iterations, 10 ** (-error.values / 10))}
    axis.plot(error.iterations, relative(curves["true error"]).mean(0), "k--", label="true error", linewidth=1)
    for column, rule in STATISTICS.items():
        if np.isnan(values := curve_of(run, column).values).all():
            continue  # a fit that is shorter than the window
        curves[column] = Curve(error.iterations, values)
        label, colour, _ = RULES[rule]
        axis.plot(error.iterations, relative(curves[column]).mean(0), color=colour, label=label, linewidth=1)
    axis.set(xlabel="iteration", yscale="log", ylim=(0.7, 20))
    return curves


def relative(curve: Curve) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A statistic over its least value, seed by seed."""
    return np.asarray(curve.values / np.nanmin(np.abs(curve.values), axis=1, keepdims=True))


if __name__ == "__main__":
    sys.exit(run_script("figures/stopping", draw, select, *ASKED))
