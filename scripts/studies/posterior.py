"""Stochastic gradient Langevin dynamics: does it need no stop, and does its spread say how wrong it is?

Experiment: posterior.
Writes: figures/posterior, tables/posterior. Command: make reproduce-posterior
"""

import sys
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.claims import Claim, above, with_interval, within
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.curves import Curve, curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.panels import show
from dip_experiments.analysis.run_data import Array, load_image, of_common_seeds, peak_values
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, common_legend, sheet
from dip_experiments.analysis.table import NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

METHODS = {
    "sgld": ("SGLD", GREEN),
    "adam": ("Adam", BLUE),
    "decay": ("weight decay", ORANGE),
    "perturbed": ("perturbed input", RED),
}
FALL = 0.1
"""dB below its own peak at the end, up to which a curve has not fallen (ours)."""
PART = 0.05
"""Part of the iterations of which means are compared (ours)."""
MARGIN = 0.05
"""Part of the values by which the coverage of a calibrated spread may be off (ours)."""
GAUSSIAN = {1.0: 0.6827, 2.0: 0.9545, 3.0: 0.9973}
"""Coverage of 1, 2 and 3 standard deviations of a normal error."""
TITLES = {
    "method": "method",
    "output_best": "output best",
    "output_end": "output end",
    "average_best": "average best",
    "average_end": "average end",
    "posterior": "late mean",
    "coverage": "in 1 spread",
}
ABOVE = """\
PSNR in dB of fits to one picture, 20,000 iterations (laptop and paper), means over the seeds, each of which has noise
of its own, with half of Student's 95 % interval: of the output and of the running average, at their best (the
oracle's) and at the end; `late mean`: of the mean of every 50th output after the first 7000, which are SGLD's samples
of a posterior (Cheng et al. 2019). The last two rows are Adam's, too. `in 1 spread`: part of the clean picture's
values within one standard deviation of those outputs of their mean; of a calibrated normal posterior 68 %. SGLD with
Adam's step, as its authors use it, has no known stationary law, so its calibration is empirical."""


def of_methods(selection: Selection) -> dict[str, Run]:
    """Return the run of each method."""
    jobs = [job for job in selection.jobs if job.run]
    return {job.config["experiment"]["method"]: job.run for job in jobs if job.run}


def extreme(run: Run, column: str) -> Interval:
    """Return the best value of a curve (oracle), over the seeds."""
    return mean_interval(peak_values(run, column))


def last(run: Run, column: str) -> Interval:
    """Return the last value of a curve, over the seeds."""
    return mean_interval(curve_of(run, column).values[:, -1])


def coverage(run: Run, width: float = 1.0) -> Interval:
    """Return the part of the values within so many spreads of the mean, over the seeds."""
    found = run.summary["observed"]["posterior"]["posterior_mean_coverage"]
    return mean_interval(np.array([found[replica][str(width)] for replica in run.replicas]))


def fall(run: Run, column: str) -> Interval:
    """Return by how much the last PART of a curve is below its best PART in the mean, over the seeds.

    Means over as many iterations: the largest single value of a curve that fluctuates is above its last one anyway.
    """
    curve = curve_of(run, column)
    length = PART * curve.iterations[-1]
    ends = curve.iterations[curve.iterations >= length]
    parts = [(curve.iterations > end - length) & (curve.iterations <= end) for end in ends]
    means = np.stack([curve.values[:, part].mean(1) for part in parts], axis=1)
    return mean_interval(means.max(1) - means[:, -1])


def gain(ours: Run, other: Run) -> Interval:
    """Return by how much the posterior mean at the end is above the other's best average, seed by seed."""
    late = curve_of(ours, "psnr_posterior_mean").values[:, -1]
    means, peaks = of_common_seeds((ours, late), (other, peak_values(other, "psnr_average")))
    return mean_interval(means - peaks)


def claims(runs: Mapping[str, Run]) -> list[Claim]:
    """Return the claims and their verdicts; none without SGLD and Adam."""
    if not {"sgld", "adam"} <= runs.keys():
        return []
    falls, adam = fall(runs["sgld"], "psnr_average"), fall(runs["adam"], "psnr_average")
    gained, covered = gain(runs["sgld"], runs["adam"]), coverage(runs["sgld"])
    stays = above(falls, FALL)
    return [
        Claim(
            "SGLD does not overfit, so that it needs no stop (Cheng et al. 2019)",
            f"the last {PART:.0%} of its running average were more than {FALL} dB below the best {PART:.0%}",
            f"{with_interval(falls)} dB below; Adam's {with_interval(adam)}",
            None if stays is None else not stays,
        ),
        Claim(
            "the mean of its samples is better than Adam's average at its best (Cheng et al. 2019)",
            "its PSNR was below that of Adam's best average, which looks at the clean picture",
            f"{with_interval(gained)} dB",
            above(gained),
        ),
        Claim(
            "its spread says how wrong the mean is (Cheng et al. 2019)",
            f"the part of the values within one spread was more than {MARGIN:.0%} away from 68 %",
            f"{covered.value:.0%} ({covered.low:.0%} to {covered.high:.0%}), each chain by itself",
            within(covered, GAUSSIAN[1.0], MARGIN),
        ),
    ]


def draw_table(selection: Selection) -> Artifact:
    """Draw tables/posterior."""
    runs = of_methods(selection)
    rows: list[tuple[str, ...]] = []
    for method, (name, _) in METHODS.items():
        if method not in runs:
            rows.append((name, NOT_RUN))
            continue
        run = runs[method]
        both = [look(run, column) for column in ("psnr_reference", "psnr_average") for look in (extreme, last)]
        texts = [one.plus_minus for one in (*both, last(run, "psnr_posterior_mean"))]
        rows.append((name, *texts, f"{coverage(run).value:.1%}"))
    text = " ".join([ABOVE, *(claim.text for claim in claims(runs))])
    return make_table(table_of(rows, tuple(TITLES)), TITLES, selection.runs, text, selection.waiting)


def draw_figure(selection: Selection) -> Artifact:
    """Draw figures/posterior."""
    runs = of_methods(selection)
    if not runs:
        raise ValueError(selection.waiting)
    figure, (upper, lower) = sheet(3.5, 2.4)
    output, average, covered = upper.subplots(1, 3)
    output.sharey(average)
    for method, run in runs.items():
        name, colour = METHODS[method]
        plot_band(output, curve_of(run, "psnr_reference").sparse, colour, name)
        plot_band(average, curve_of(run, "psnr_average").sparse, colour, name)
    if "sgld" in runs:
        late = curve_of(runs["sgld"], "psnr_posterior_mean").sparse
        sampled = np.isfinite(late.values).all(0)
        plot_band(
            average, Curve(late.iterations[sampled], late.values[:, sampled]), GREEN, "SGLD, mean of samples", "--"
        )
        draw_pictures(lower, runs["sgld"])
    output.set(xscale="log", xlabel="iteration", ylabel="PSNR (dB)", title="output")
    average.set(xscale="log", xlabel="iteration", title="average")
    draw_coverage(covered, runs)
    upper.legend(*common_legend(average, covered), loc="outside lower center", ncols=6, fontsize=7)
    figure.suptitle("\n".join(claim.title for claim in claims(runs)), fontsize=8)
    rows = [
        (method, at, *(f"{value:.4f}" for value in values))
        for method, run in runs.items()
        for at, *values in zip(*means(run, "psnr_reference", "psnr_average", "psnr_posterior_mean"), strict=True)
    ]
    columns = ["method", "iteration", "output", "average", "posterior_mean"]
    return Artifact(figure, pd.DataFrame(rows, columns=columns), selection.runs, selection.waiting)


def means(run: Run, *columns: str) -> list[Array]:
    """Return iterations, then curves as means over the seeds, at log-spaced iterations."""
    found = [curve_of(run, column).sparse for column in columns]
    return [found[0].iterations, *(curve.values.mean(0) for curve in found)]


def draw_coverage(axis: Axes, runs: Mapping[str, Run]) -> None:
    """Draw how many values lie within 1, 2 and 3 spreads, of each method and of a normal posterior."""
    axis.plot([*GAUSSIAN], [*GAUSSIAN.values()], "o--", color="0.4", label="normal")
    for method, run in runs.items():
        name, colour = METHODS[method]
        found = [coverage(run, width) for width in GAUSSIAN]
        axis.plot([*GAUSSIAN], [one.value for one in found], "o-", color=colour, label=name)
    axis.set(xticks=[*GAUSSIAN], ylim=(0, 1.02), xlabel="spreads", title="values covered")


def draw_pictures(part: SubFigure, run: Run) -> None:
    """Draw mean, spread and error of SGLD's first replica."""
    first = run.replicas[0]
    clean, mean = load_image(run, "reference", first), load_image(run, "posterior_mean", first)
    spread = run.observed()["posterior.posterior_deviation"][first].mean(0)
    error = np.abs(clean - mean).mean(0)
    largest = float(np.quantile(np.concatenate([spread, error]), 0.99))
    axes = part.subplots(1, 5)
    show(axes[0], clean, "clean")
    show(axes[1], load_image(run, "target", first), "noisy")
    show(axes[2], mean, "mean of samples")
    for axis, picture, name in ((axes[3], spread, "spread"), (axes[4], error, "absolute error")):
        shown = axis.imshow(picture, cmap="magma", vmin=0, vmax=largest, interpolation="nearest")
        axis.set_title(name, fontsize=8)
        axis.set_axis_off()
    part.colorbar(shown, ax=axes[4], shrink=0.7)


if __name__ == "__main__":
    sys.exit(run_script({"figures/posterior": draw_figure, "tables/posterior": draw_table}, select, ["posterior"]))
