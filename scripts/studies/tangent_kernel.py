"""Tangent kernel: its columns, where image and noise lie in it, and which fits it predicts, for three widths.

Experiment: tangent_kernel.
Writes: figures/tangent_kernel, tables/tangent_kernel. Command: make reproduce-tangent-kernel
"""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.claims import Claim, above, with_interval
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.run_data import END, Array, target_variances
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

METHODS = {"descent": "gradient descent", "adam": "Adam"}
PLACES = ("flat", "edge", "texture")
CLOSE = 0.1
"""Distance to the linearised fit, by that from the start, up to which it is called predicted (ours)."""
PROGRESS = 0.8
"""Part of the noisy picture's variance that is explained where fits of unequal speed are compared (ours)."""
LEADING = 0.1
"""Part of the eigenvectors, those of the largest eigenvalues, of which the energy is given (ours)."""
COLOURS = (BLUE, ORANGE, RED)
TITLES = {
    "method": "method",
    "width": "width",
    "seeds": "seeds",
    "psnr": "best PSNR",
    "linearised": "linearised",
    "same_time": "same time",
    "path": "any time",
    "change": "change",
}
ABOVE = f"""\
Fits of one grey picture of 32 x 32 pixels with noise (sigma 25), another draw of it for each seed; means over the seeds
with half of Student's 95 % interval.
`best PSNR` of the output (the oracle's; `>`: it still rises), and of the fit that the tangent kernel before the first
iteration predicts, for Adam of its nearest point. `same time` and `any time`: distance of the output from that fit
where {PROGRESS:.0%} of the noisy picture's variance is explained, by its distance from the first output; from the point
at the same iteration (gradient descent alone), and from the nearest point. {CLOSE} or less is called predicted.
`change`: relative change of the weights of convolutions at the end, median over them. The CSV has every layer's."""


class Key(NamedTuple):
    """A method and a width."""

    method: str
    width: int


def groups(selection: Selection) -> dict[Key, list[Run]]:
    """Return the runs of all seeds, by method and width."""
    found: dict[Key, list[Run]] = {}
    for run in selection.runs:
        key = Key(run.settings["experiment"]["method"], run.settings["scale"]["width"])
        found.setdefault(key, []).append(run)
    return dict(sorted(found.items(), key=lambda item: (list(METHODS).index(item[0].method), item[0].width)))


def at_progress(runs: Sequence[Run], column: str) -> Interval:
    """Return a curve where PROGRESS of the noisy picture's variance is explained, over the seeds; NaN if not by all."""
    values = []
    for run in runs:
        left = 10 ** (-curve_of(run, "psnr_measurement").values[0] / 10)
        reached = np.flatnonzero(left <= (1 - PROGRESS) * target_variances(run)[0])
        values.append(curve_of(run, column).values[0, reached[0]] if len(reached) else np.nan)
    return mean_interval(np.array(values))


def best(runs: Sequence[Run], column: str) -> str:
    """Return the maximum of a curve (oracle), over the seeds; `>` where a seed has it at the END."""
    curves = [curve_of(run, column) for run in runs]
    late = [curve.iterations > (1 - END) * curve.iterations[-1] for curve in curves]
    rising = any(at[curve.values[0].argmax()] for at, curve in zip(late, curves, strict=True))
    return f"{'>' if rising else ''}{mean_interval(np.array([curve.values[0].max() for curve in curves])).plus_minus}"


def changes(run: Run) -> dict[str, float]:
    """Return the relative change of each convolution's weights."""
    found: dict[str, float] = run.summary["observed"]["tangent_kernel"]["weight_changes"]
    return {name: value for name, value in found.items() if name.endswith("conv.weight")}


def shares(run: Run) -> tuple[Array, Array]:
    """Return the energy of image and noise in the eigenvectors, summed from the largest eigenvalue on."""
    arrays = run.observed()
    image, noise = (np.cumsum(arrays[f"tangent_kernel.{name}_energy"], dtype=np.float64) for name in ("image", "noise"))
    return image, noise


def leading(runs: Sequence[Run]) -> Array:
    """Return the shares of the image's and the noise's energy in the LEADING eigenvectors, "2 seeds"."""
    return np.array([[sums[int(LEADING * len(sums)) - 1] for sums in shares(run)] for run in runs]).reshape(-1, 2).T


def claims(runs: Mapping[Key, Sequence[Run]]) -> list[Claim]:
    """Return the claims and their verdicts; none without a run."""
    if not runs:
        return []
    unknown = Interval(np.nan, np.nan, np.nan)
    descent = {
        key.width: at_progress(some, "linearised_distance") for key, some in runs.items() if key.method == "descent"
    }
    adam = {key.width: at_progress(some, "path_distance") for key, some in runs.items() if key.method == "adam"}
    widest = max(descent, default=0)
    one_seed = {run.settings["seed"]: run for key, some in runs.items() if key.width == widest for run in some}
    image, noise = leading(list(one_seed.values()))
    apart = descent.get(widest, unknown)
    predicted = [str(width) for width, distance in descent.items() if above(distance, CLOSE) is False]
    leaves = adam.get(max(adam, default=0), unknown)
    return [
        Claim(
            "the image, less its mean, lies in the leading eigenvectors of the tangent kernel (Tachella et al. "
            "2021)",
            f"the first {LEADING:.0%} of the eigenvectors had no more of the image than of the noise",
            f"at width {widest} they have {image.mean():.0%} of the image's energy, {noise.mean():.0%} of the noise's",
            above(mean_interval(image - noise)),
        ),
        Claim(
            "gradient descent of a wide network is the linear smoother of its tangent kernel (Tachella et al. 2021)",
            f"the widest network were more than {CLOSE} away from it where {PROGRESS:.0%} is explained",
            f"{with_interval(apart)} at width {widest}; predicted at width {', '.join(predicted) or 'none'}",
            None if above(apart, CLOSE) is None else not above(apart, CLOSE),
        ),
        Claim(
            "Adam, which everybody uses, is not in that picture (Tachella et al. 2021)",
            f"its fit came within {CLOSE} of the linearised path, whatever its speed",
            f"{with_interval(leaves)} away at width {max(adam, default=0)}",
            above(leaves, CLOSE),
        ),
    ]  # fmt: skip


def draw_table(selection: Selection) -> Artifact:
    """Draw tables/tangent_kernel."""
    runs = groups(selection)
    rows = []
    for key, some in runs.items():
        median = mean_interval(np.array([np.median([*changes(run).values()]) for run in some]))
        predicted = "psnr_linearised" if key.method == "descent" else "psnr_nearest"
        same = at_progress(some, "linearised_distance").plus_minus if key.method == "descent" else "-"
        rows.append((
            METHODS[key.method], f"{key.width}", f"{len(some)}", best(some, "psnr_reference"),
            best(some, predicted), same, at_progress(some, "path_distance").plus_minus, median.plus_minus,
        ))  # fmt: skip
    text = " ".join([ABOVE, *(claim.text for claim in claims(runs))])
    page = make_table(table_of(rows, tuple(TITLES)), TITLES, selection.runs, text, selection.waiting)
    layers = [
        (key.method, key.width, run.settings["seed"], name, f"{value:.5f}")
        for key, some in runs.items()
        for run in some
        for name, value in changes(run).items()
    ]
    frame = pd.DataFrame(layers, columns=["method", "width", "seed", "layer", "change"])
    return Artifact(page.shown, frame, selection.runs, selection.waiting)


def draw_figure(selection: Selection) -> Artifact:
    """Draw figures/tangent_kernel."""
    runs = groups(selection)
    if not runs:
        raise ValueError(selection.waiting)
    figure, (first, second, third) = sheet(2.0, 2.7, 2.7)
    widest = max(key.width for key in runs)
    draw_columns(first, next(some[0] for key, some in runs.items() if key.width == widest))
    energies, *rest = second.subplots(1, 3)
    draw_energies(energies, runs)
    draw_quality(rest, runs)
    draw_distances([*third.subplots(1, 3)], runs)
    figure.suptitle("\n".join(claim.title for claim in claims(runs)), fontsize=8)
    rows = [
        (key.method, key.width, at, *(f"{value:.4f}" for value in values))
        for key, some in runs.items()
        for at, *values in zip(*curves(some, "psnr_reference", "path_distance", "linearised_distance"), strict=True)
    ]
    columns = ["method", "width", "iteration", "psnr", "path_distance", "linearised_distance"]
    return Artifact(figure, pd.DataFrame(rows, columns=columns), selection.runs, selection.waiting)


def curves(runs: Sequence[Run], *columns: str) -> list[Array]:
    """Return iterations, then curves as means over the seeds, at log-spaced iterations."""
    found = [[curve_of(run, column).sparse for run in runs] for column in columns]
    means = [np.mean([curve.values[0] for curve in some], axis=0) for some in found]
    return [found[0][0].iterations, *means]


def draw_columns(part: SubFigure, run: Run) -> None:
    """Draw three columns of the kernel as images: what a step towards one pixel changes elsewhere."""
    arrays = run.observed()
    columns, pixels = arrays["tangent_kernel.columns"], arrays["tangent_kernel.pixels"]
    side = int(columns.shape[1] ** 0.5)
    axes = part.subplots(1, 3)
    for axis, place, column, (row, across) in zip(axes, PLACES, columns, pixels, strict=True):
        size = np.abs(column).max()
        axis.imshow(column.reshape(side, side), cmap="RdBu_r", vmin=-size, vmax=size, interpolation="nearest")
        axis.plot(across, row, "k+", markersize=7)
        axis.set_title(f"kernel at a pixel: {place}", fontsize=8)
        axis.set_axis_off()


def draw_energies(axis: Axes, runs: Mapping[Key, Sequence[Run]]) -> None:
    """Draw the energy of image and noise in the leading eigenvectors, one line a width."""
    widths = sorted({key.width for key in runs})
    for width, colour in zip(widths, COLOURS, strict=False):
        some = next(found for key, found in runs.items() if key.width == width)
        image, noise = (np.mean([shares(run)[which] for run in some], axis=0) for which in (0, 1))
        part = (np.arange(len(image)) + 1) / len(image)
        axis.plot(part, image, color=colour, linewidth=1.3, label=f"width {width}")
        axis.plot(part, noise, color=colour, linewidth=0.9, linestyle="--")
    axis.plot([], [], color="0.4", linestyle="--", linewidth=0.9, label="noise")
    axis.set(xscale="log", xlabel="leading part of the eigenvectors", ylabel="energy of image less mean")
    axis.legend(fontsize=7)


def draw_quality(axes: Sequence[Axes], runs: Mapping[Key, Sequence[Run]]) -> None:
    """Draw PSNR over the iterations, of the fits and of the points that are predicted."""
    for axis, (method, name) in zip(axes, METHODS.items(), strict=True):
        predicted = "psnr_linearised" if method == "descent" else "psnr_nearest"
        for (key, some), colour in zip(of_method(runs, method), COLOURS, strict=False):
            at, quality, linear = curves(some, "psnr_reference", predicted)
            axis.plot(at, quality, color=colour, linewidth=1.3, label=f"width {key.width}")
            axis.plot(at, linear, color=colour, linewidth=0.9, linestyle="--")
        axis.plot([], [], color="0.4", linestyle="--", label="predicted" if method == "descent" else "nearest on path")
        axis.set(xscale="log", title=name, xlabel="iteration", ylabel="PSNR (dB)")
        axis.legend(fontsize=7)


def draw_distances(axes: Sequence[Axes], runs: Mapping[Key, Sequence[Run]]) -> None:
    """Draw the distances from the linearised fit, and how the layers' weights have changed."""
    first, second, third = axes
    for method, style in (("descent", "-"), ("adam", "--")):
        for (key, some), colour in zip(of_method(runs, method), COLOURS, strict=False):
            at, path, same = curves(some, "path_distance", "linearised_distance")
            second.plot(at[1:], path[1:], color=colour, linestyle=style, linewidth=1.2)
            if method == "descent":
                first.plot(at[1:], same[1:], color=colour, linewidth=1.2, label=f"width {key.width}")
            layers = np.mean([[*changes(run).values()] for run in some], axis=0)
            third.plot(np.arange(len(layers)) + 1, layers, style, color=colour, marker=".", linewidth=0.9)
    for axis in (first, second):
        axis.axhline(CLOSE, color="0.5", linewidth=0.8, linestyle=":")
        axis.set(xscale="log", yscale="log", xlabel="iteration")
    first.set(title="apart, same time", ylabel="distance")
    first.legend(fontsize=7)
    second.plot([], [], color=GREEN, label="gradient descent")
    second.plot([], [], color=GREEN, linestyle="--", label="Adam")
    second.legend(fontsize=7)
    second.set(title="apart, any time")
    third.set(yscale="log", title="weights' change", xlabel="layer, from the finest scale down")


def of_method(runs: Mapping[Key, Sequence[Run]], method: str) -> list[tuple[Key, Sequence[Run]]]:
    """Return the runs of one method, by width."""
    return [(key, some) for key, some in runs.items() if key.method == method]


if __name__ == "__main__":
    sys.exit(
        run_script(
            {"figures/tangent_kernel": draw_figure, "tables/tangent_kernel": draw_table}, select, ["tangent_kernel"]
        )
    )
