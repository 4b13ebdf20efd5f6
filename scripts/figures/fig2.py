"""Figure 2 of the paper, "high impedance to noise", with a control without a network, and the impedance table.

Experiment: fig2. Writes: figures/fig2, tables/impedance. Command: make reproduce-fig2
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import Curve, curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.impedance import impedance_table, iterations_explained
from dip_experiments.analysis.run_data import load_image, load_output, target_variances
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED
from dip_experiments.analysis.table import tabulate_curves
from dip_experiments.data.cropping import centre_crop
from dip_experiments.metrics import EXPLAINED
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

ARCHITECTURES = {"skip": "the paper's network", "pixels": "control: pixels without a network"}
COLOURS = {"natural": BLUE, "noisy": ORANGE, "shuffled": GREEN, "noise": RED}
LABELS = {"natural": "image", "noisy": "image + noise", "shuffled": "image shuffled", "noise": "U(0, 1) noise"}
"""The paper's names of the target signals, in its order."""
STRIP = (10, 30, 100, 300, 1000)
ENLARGED = ("shuffled", "noise")
"""Targets that look the same everywhere: the strip shows their central quarter."""


def draw_figure(selection: Selection) -> Artifact:
    """Draw figures/fig2."""
    runs = selection.complete_runs
    figure = plt.figure(figsize=(8.4, 9.8), layout="constrained")
    plots, strip = figure.subfigures(2, 1, height_ratios=[1.1, 1], squeeze=False)[:, 0]
    axes = plots.subplots(len(ARCHITECTURES), 2, sharex=True)
    for row, architecture in zip(axes, ARCHITECTURES, strict=True):
        draw_errors(row[0], of_architecture(runs, architecture))
        draw_explained(row[1], of_architecture(runs, architecture))
    draw_strip(strip, of_architecture(runs, "skip"))
    plots.suptitle(title(of_architecture(runs, "skip")["natural"], selection.scale), fontsize=9)
    return Artifact(figure, drawn_curves(runs), runs)


def of_architecture(runs: list[Run], architecture: str) -> dict[str, Run]:
    """Return the run of each target of one architecture, in the paper's order. Raises ValueError if one is missing."""
    chosen = {
        run.settings["target"]["name"]: run for run in runs if run.settings["architecture"]["name"] == architecture
    }
    if lacking := [name for name in LABELS if name not in chosen]:
        raise ValueError(
            f"Figure 2 shows architecture={architecture} with target={','.join(lacking)} too; leave out these overrides"
        )
    return {name: chosen[name] for name in LABELS}


def title(run: Run, scale: str) -> str:
    """Return image, size, network, rate and seeds."""
    config, (rows, columns) = run.settings, load_image(run, "target").shape[1:]
    width, rate, seeds = config["scale"]["width"], config["optimizer"]["lr"], ", ".join(map(str, run.seeds))
    shown = f"mean and range over seeds {seeds}" if len(run.seeds) > 1 else f"seed {seeds}"
    return f"{config['image']['name']} {columns} x {rows}, width {width}, Adam {rate}, {shown}; scale {scale}"


def draw_errors(axis: Axes, runs: dict[str, Run]) -> None:
    """Draw panel a, the paper's plot. Dotted: where a fit waits that has only the mean colour, or only the image."""
    for name, run in runs.items():
        plot_band(axis, curve_of(run, "loss"), COLOURS[name], LABELS[name])
    sigma = runs["noisy"].settings["target"]["sigma"]
    plateaus = {
        "noise": (1 / 12, "1/12: variance of U(0, 1)"),
        "shuffled": (target_variances(runs["natural"])[0], "variance of the image"),
        "noisy": ((sigma / 255) ** 2, f"variance of the noise, ({sigma:g}/255)$^2$"),
    }
    for name, (height, text) in plateaus.items():
        axis.axhline(height, color=COLOURS[name], linestyle=":", linewidth=1)
        # 1/12 lies just under the image's variance; the noise's variance is clear of curves on the left only.
        x, side = (0.01, "left") if name == "noisy" else (0.99, "right")
        across, above = axis.get_yaxis_transform(), "top" if name == "noise" else "bottom"
        axis.text(x, height, text, transform=across, ha=side, va=above, fontsize=7)
    architecture = runs["natural"].settings["architecture"]["name"]
    axis.set(xscale="log", xlabel="iteration", ylabel="MSE")
    axis.set_ylim(0, 1.2 * axis.get_ylim()[1])  # room for the legend
    axis.set_title(f"(a) {ARCHITECTURES[architecture]}", loc="left")
    axis.legend(loc="upper right", ncols=2, fontsize=7)


def draw_explained(axis: Axes, runs: dict[str, Run]) -> None:
    """Draw panel b: a in units of each target's variance; triangles where 90 % is explained (median over seeds)."""
    for name, run in runs.items():
        loss = curve_of(run, "loss")
        plot_band(
            axis, Curve(loss.iterations, loss.values / target_variances(run)[:, None]), COLOURS[name], LABELS[name]
        )
        reached = iterations_explained(run)
        if np.isfinite(reached).all():
            axis.plot(np.median(reached), 1 - EXPLAINED, marker="v", color=COLOURS[name], markersize=8)
    axis.axhline(1 - EXPLAINED, color="grey", linestyle="--", linewidth=1)
    axis.annotate("90 % explained", (1, 1 - EXPLAINED), va="bottom", fontsize=7)
    axis.set(xscale="log", xlabel="iteration", ylabel="MSE / variance of the target")
    axis.set_ylim(bottom=0)
    axis.set_title("(b) normalised by each target's variance", loc="left")


def draw_strip(figure: Figure, runs: dict[str, Run]) -> None:
    """Draw panel c: what the network shows at some iterations, first seed; the target on the left."""
    shown = [n for n in STRIP if n <= min(run.summary["iterations"] for run in runs.values())]
    axes = figure.subplots(len(runs), 1 + len(shown), squeeze=False)
    side = min(load_image(runs["natural"], "target").shape[1:]) // 2
    for row, (name, run) in zip(axes, runs.items(), strict=True):
        enlarged = name in ENLARGED
        for axis, picture in zip(row, [load_image(run, "target"), *(load_output(run, n) for n in shown)], strict=True):
            part, drawn = (side, "nearest") if enlarged else (None, "antialiased")
            axis.imshow(shown_part(picture, part), interpolation=drawn)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(LABELS[name], fontsize=9)
    for axis, text in zip(axes[0], ["target", *(f"iteration {n}" for n in shown)], strict=True):
        axis.set_title(text, fontsize=9)
    note = "(c) output of the paper's network (last iterate, first seed; lower rows: central quarter, enlarged)"
    figure.suptitle(note, fontsize=9)


def shown_part(picture: NDArray[np.float64], side: int | None) -> NDArray[np.float64]:
    """Return the picture "h w c", or of it the middle square of this side, which may be all that a record has."""
    part = picture if side is None else centre_crop(picture, side)
    return np.moveaxis(np.broadcast_to(part, (3, *part.shape[1:])), 0, 2)


def drawn_curves(runs: list[Run]) -> pd.DataFrame:
    """Return the numbers behind the curves, at log-spaced iterations."""
    tables = []
    for run in runs:
        table = tabulate_curves({run.settings["target"]["name"]: curve_of(run, "loss")}, "target", "mse")
        table.insert(0, "architecture", run.settings["architecture"]["name"])
        tables.append(table.assign(target_variance=f"{target_variances(run).mean():.6g}"))
    return pd.concat(tables)


NAMES = {
    "architecture": lambda config: str(config["architecture"]["name"]),
    "target": lambda config: str(config["target"]["name"]),
}
ABOVE = """\
Iterations until the fit explains 90 % of its target's variance: median, least and most over the seeds, and the ratio
of the medians to that of the natural image, the impedance."""


def draw_table(selection: Selection) -> Artifact:
    """Draw tables/impedance."""
    return impedance_table(selection, NAMES, NAMES["architecture"], "impedance_ratio", ABOVE)


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig2": draw_figure, "tables/impedance": draw_table}, select, ["fig2"]))
