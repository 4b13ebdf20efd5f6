"""Figure 2 of the paper, "high impedance to noise", with the control without a network."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from dip_experiments.drawing.figures import (
    COLOURS,
    EXPLAINED,
    LABELS,
    add_row,
    band,
    curves_of,
    iterations_explained,
    log_points,
    run_script,
    save_figure,
    save_sources,
    statistics,
)
from dip_experiments.store import Run, write_columns

ARCHITECTURES = {"skip": "the paper's network", "pixels": "control: pixels without a network"}
STRIP = (10, 30, 100, 300, 1000)
ENLARGED = ("shuffled", "noise")
"""Targets that look the same everywhere: the strip shows their central quarter."""


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig2.png, .pdf and .csv, and says in fig2.json from which runs."""
    figure = plt.figure(figsize=(8.4, 9.8), layout="constrained")
    plots, strip = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    axes = plots.subplots(len(ARCHITECTURES), 2, sharex=True)
    for row, architecture in zip(axes, ARCHITECTURES, strict=True):
        of_architecture = select(runs, architecture)
        draw_errors(row[0], of_architecture)
        draw_explained(row[1], of_architecture)
    draw_strip(strip, select(runs, "skip"))
    plots.suptitle(title(runs[0]), fontsize=9)
    save_figure(figure, folder / "figures", "fig2")
    write_columns(folder / "figures" / "fig2.csv", drawn_curves(runs))
    save_sources(runs, folder / "figures", "fig2")


def select(runs: list[Run], architecture: str) -> dict[str, Run]:
    """The run of each target of one architecture, in the paper's order."""
    chosen = {
        run.settings["target"]["name"]: run for run in runs if run.settings["architecture"]["name"] == architecture
    }
    missing = [name for name in LABELS if name not in chosen]
    if missing:
        raise ValueError(
            f"Figure 2 needs architecture={architecture} for target={','.join(missing)}; run `make reproduce-fig2`"
        )
    return {name: chosen[name] for name in LABELS}


def title(run: Run) -> str:
    """What was fitted, and how."""
    words = run.settings
    size, width = words["image"]["size"], words["scale"]["width"]
    return (
        f"{words['image']['name']} {size} x {size}, width {width}, Adam {words['optimizer']['lr']}, "
        f"mean and range over seeds {', '.join(map(str, run.provenance['seeds']))}; scale {words['scale']['name']}"
    )


def draw_errors(axis: Axes, runs: dict[str, Run]) -> None:
    """Panel a: the paper's plot. Dotted: where a fit waits that has found the mean colour only, or the image only."""
    for name, run in runs.items():
        band(axis, curves_of(run, "loss"), COLOURS[name], LABELS[name])
    sigma = runs["noisy"].settings["target"]["sigma"]
    plateaus = {
        "noise": (1 / 12, "1/12: variance of U(0, 1)"),
        "shuffled": (runs["natural"].summary["target_variance"][0], "variance of the image"),
        "noisy": ((sigma / 255) ** 2, f"variance of the noise, ({sigma:g}/255)$^2$"),
    }
    for name, (height, text) in plateaus.items():
        axis.axhline(height, color=COLOURS[name], linestyle=":", linewidth=1)
        # 1/12 lies just under the image's variance; the noise's variance is clear of curves on the left only.
        place = {"x": 0.01, "ha": "left"} if name == "noisy" else {"x": 0.99, "ha": "right"}
        across = axis.get_yaxis_transform()
        axis.text(y=height, s=text, transform=across, va="top" if name == "noise" else "bottom", fontsize=7, **place)
    architecture = runs["natural"].settings["architecture"]["name"]
    axis.set(xscale="log", xlabel="iteration", ylabel="MSE")
    axis.set_ylim(0, 1.2 * axis.get_ylim()[1])  # room for the legend
    axis.set_title(f"(a) {ARCHITECTURES[architecture]}", loc="left")
    axis.legend(loc="upper right", ncols=2, fontsize=7)


def draw_explained(axis: Axes, runs: dict[str, Run]) -> None:
    """Panel b: the same in units of each target's variance; triangles where 90 % is explained (median over seeds)."""
    for name, run in runs.items():
        variances = np.array(run.summary["target_variance"])
        band(axis, curves_of(run, "loss") / variances[:, None], COLOURS[name], LABELS[name])
        reached = iterations_explained(run)
        if np.isfinite(reached).all():
            axis.plot(np.median(reached), 1 - EXPLAINED, marker="v", color=COLOURS[name], markersize=8)
    axis.axhline(1 - EXPLAINED, color="grey", linestyle="--", linewidth=1)
    axis.annotate("90 % explained", (1, 1 - EXPLAINED), va="bottom", fontsize=7)
    axis.set(xscale="log", xlabel="iteration", ylabel="MSE / variance of the target")
    axis.set_ylim(bottom=0)
    axis.set_title("(b) normalised by each target's variance", loc="left")


def draw_strip(figure: Figure, runs: dict[str, Run]) -> None:
    """Panel c: what the network shows at some iterations, first seed; the target on the left."""
    shown = [n for n in STRIP if n <= min(run.summary["iterations"] for run in runs.values())]
    axes = figure.subplots(len(runs), 1 + len(shown), squeeze=False)
    for row, (name, run) in zip(axes, runs.items(), strict=True):
        for axis, picture in zip(row, ["target", *(f"iteration-{n:06d}" for n in shown)], strict=True):
            enlarged = name in ENLARGED
            part = shown_part(run.image(picture, 0), enlarged)
            axis.imshow(part, interpolation="nearest" if enlarged else "antialiased")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(LABELS[name], fontsize=9)
    for axis, text in zip(axes[0], ["target", *(f"iteration {n}" for n in shown)], strict=True):
        axis.set_title(text, fontsize=9)
    note = "(c) output of the paper's network (last iterate, first seed; lower rows: central quarter, enlarged)"
    figure.suptitle(note, fontsize=9)


def shown_part(path: Path, enlarged: bool) -> np.ndarray:
    """The picture, or its central quarter."""
    picture = Image.open(path).convert("RGB")
    margin = picture.width // 4 if enlarged else 0
    return np.asarray(picture.crop((margin, margin, picture.width - margin, picture.height - margin)))


def drawn_curves(runs: list[Run]) -> dict[str, list[object]]:
    """The numbers behind the curves, at log-spaced iterations."""
    columns: dict[str, list[object]] = {
        name: []
        for name in ("architecture", "target", "iteration", "mse_mean", "mse_min", "mse_max", "target_variance")
    }
    for run in runs:
        curves, words = curves_of(run, "loss"), run.settings
        variance = f"{np.mean(run.summary['target_variance']):.6g}"
        for n in log_points(curves.shape[1]):
            add_row(
                columns, words["architecture"]["name"], words["target"]["name"], n,
                *statistics(curves[:, n - 1]), variance,
            )  # fmt: skip
    return columns


if __name__ == "__main__":
    sys.exit(run_script("fig2", draw))
