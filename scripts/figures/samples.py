"""The paper's supplement: samples from the prior, images of random networks before any fit, and their power spectra.

Experiment: samples. Writes: figures/samples. Command: make samples
"""

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.panels import show
from dip_experiments.analysis.run_data import load_output
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, sheet
from dip_experiments.data.cropping import cut
from dip_experiments.data.reading import read_picture
from dip_experiments.metrics import radial_spectrum
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection

NATURAL = ("astronaut", "camera", "chelsea", "coffee")
"""Pictures of scikit-image that are compared with."""
DEPTHS = {"depth_1": BLUE, "depth_3": ORANGE, "depth_5": GREEN}
VERSION = "1"
"""Version of how spectra are computed and stored."""
SHOWN = 2
Bands = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Median, and the 5th and 95th of a hundred, of the power at each frequency."""


def draw(selection: Selection) -> Artifact:
    """Draw figures/samples."""
    runs = selection.complete_runs
    figure, (pictures, plots) = sheet(3.9, 2.9)
    grid = pictures.subplots(4, len(runs) // 2, squeeze=False)
    for place, run in enumerate(runs):
        column, half = place % (len(runs) // 2), place // (len(runs) // 2)
        for row in range(SHOWN):
            axis = grid[SHOWN * half + row, column]
            show(axis, load_output(run, 1, run.replicas[row]), "" if row else named(run).replace(", ", "\n", 1))
    axes = plots.subplots(1, 4, sharex=True, sharey=True)
    natural, ours = natural_bands(runs[0]), {run: bands(run, selection.baselines) for run in runs}
    for axis, (skips, upsample) in zip(axes, kinds(runs), strict=True):
        some = [run for run in runs if kind(run) == (skips, upsample)]
        draw_bands(axis, natural, "0.4", "natural")
        for run in some:
            draw_bands(axis, ours[run], DEPTHS[depth(run)], depth(run).replace("_", " "))
        axis.set(xscale="log", yscale="log", xlabel="cycles a side", title=f"skips: {skips}, {upsample}")
        axis.title.set_fontsize(8)
    axes[0].set_ylabel("share of the power")
    axes[0].legend(fontsize=7)
    powers = [
        (name, frequency, *(f"{value:.4g}" for value in values))
        for name, band in (("natural pictures", natural), *((named(run), ours[run]) for run in runs))
        for frequency, values in enumerate(zip(*band, strict=True), 1)
    ]
    count = len(runs[0].replicas)
    side = load_output(runs[0], 1).shape[1]
    figure.suptitle(
        f"Random networks before any fit, {side} x {side} pixels: two of each; spectra of {count} of each "
        "(median, 5 to 95 %)",
        fontsize=9,
    )
    return Artifact(figure, pd.DataFrame(powers, columns=["network", "frequency", "power", "low", "high"]), runs)


def depth(run: Run) -> str:
    """Return the number of scales, as the experiment names it."""
    return str(run.settings["experiment"]["network"])


def kind(run: Run) -> tuple[str, str]:
    """Return skips, as the experiment names them, and upsampling."""
    return run.settings["experiment"]["skips"], run.settings["architecture"]["upsample"]


def kinds(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return all kinds, in the order of the runs."""
    return list(dict.fromkeys(map(kind, runs)))


def named(run: Run) -> str:
    """Return the label of a network."""
    skips, upsample = kind(run)
    return f"{depth(run).replace('_', ' ')}, skips: {skips}, {upsample}"


def draw_bands(axis: Axes, band: Bands, colour: str, label: str) -> None:
    """Draw the median as a line, the rest as a band."""
    frequencies = np.arange(1, len(band[0]) + 1)
    axis.plot(frequencies, band[0], color=colour, label=label, linewidth=1.2)
    axis.fill_between(frequencies, band[1], band[2], color=colour, alpha=0.2, linewidth=0)


def statistics(spectra: Sequence[NDArray[np.float64]]) -> Bands:
    """Compute the statistics over several spectra."""
    median, low, high = np.quantile(spectra, [0.5, 0.05, 0.95], axis=0)
    return median, low, high


def natural_bands(run: Run) -> Bands:
    """Return the bands of natural pictures, cut as the run's."""
    image = run.settings["image"]
    pictures = [cut(read_picture(name, None), image["size"], image["fit"], 1) for name in NATURAL]
    return statistics([radial_spectrum(picture) for picture in pictures])


def bands(run: Run, stored_baselines: Baselines) -> Bands:
    """Return the bands of all networks of a run; stored with the records, which have two of the images."""
    arguments = {"run": run.name}
    found = stored_baselines.find("spectrum", VERSION, run.name, arguments)
    if found is None:
        computed = statistics([radial_spectrum(load_output(run, 1, replica)) for replica in run.replicas])
        names = ("median", "low", "high")
        numbers = {f"{n}_{i}": float(f"{v:.6g}") for n, b in zip(names, computed, strict=True) for i, v in enumerate(b)}
        stored_baselines.add("spectrum", VERSION, run.name, arguments, numbers)
        found = stored_baselines.find("spectrum", VERSION, run.name, arguments) or {}
    length = len(found) // 3
    median, low, high = (np.array([found[f"{name}_{i}"] for i in range(length)]) for name in ("median", "low", "high"))
    return median, low, high


if __name__ == "__main__":
    sys.exit(run_script({"figures/samples": draw}, select, ["samples"]))
