"""Early stopping: each rule's stop and the oracle of the plain fit of the same seed, with the rules' statistics.

Experiment: study_stopping. Writes: figures/stopping, tables/stopping. Command: make study-stopping
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import mean_over_pictures
from dip_experiments.analysis.curves import Array, Curve, curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import format_network
from dip_experiments.analysis.run_data import count_rising
from dip_experiments.analysis.stopping_gaps import (
    PLAIN,
    RULES,
    Gap,
    at_stop,
    current_stops,
    describe_draws,
    kind_of,
    noise_of,
    stopping_gaps,
)
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of, tabulate_curves
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

NOISES = {"gaussian25": "sigma 25", "gaussian50": "sigma 50", "gaussian10": "sigma 10"}
TITLES = {
    "noise": "noise",
    "rule": "rule",
    "gap": "mean gap",
    "median": "median",
    "worst": "worst",
    "ensemble": "of ensemble",
    "cost": "cost of fit",
    "sure": "sure",
}
ABOVE = """\
`gap`: by how many dB the averaged image of a fit that is stopped by a rule lies below the oracle, the best averaged
image of the plain fit of the same seed, which looks at the clean picture. The split fits the picture with more noise
and held-out pixels hide some, so each has a fit of its own: `cost of fit` is the part of the gap that this alone
costs, from the oracle of its own fit to that of the plain one. `of ensemble`: the gap of the mean of the replicas of
one noisy picture, at their joint stop, to the best such mean of the plain fit. Means are over the pictures' own
means, +- half of Student's 95 % interval in which a picture is one observation; median and worst are over all fits.
`sure`: share of the fits in which a rule believed its stop within the iterations there were; in the others its best
guess counts, and the last image where it has none. The split must know the noise's law, held-out pixels that it is
independent from pixel to pixel, the discrepancy its strength, which is estimated; windowed and moving variance nothing.
Noise of other kinds: noises.md. The CSV has every fit. {behind}"""
IN_DB = ["oracle", "psnr", "gap", "fit_cost"]
OLDER = " `{rule}` is of {count} of the {all} fits: in the others it watched by older code, which found other things."
IMAGE = "cset9/f16"
FIGURE_NOISES = ("gaussian25", "gaussian50")
STYLES = {
    "split": ("split", BLUE, "o"),
    "held_out_pixels": ("held-out pixels", GREEN, "^"),
    "discrepancy": ("discrepancy", RED, "v"),
    "windowed_variance": ("ES-WMV", ORANGE, "s"),
    "moving_variance": ("ES-EMV", "#CC79A7", "D"),
    "fixed": ("fixed", "black", "x"),
}
"""Name, colour and mark of each rule."""
FITS = {PLAIN: ("plain fit", "0.5"), "split": ("fit with more noise", BLUE), "held_out": ("5 % hidden", GREEN)}
"""Name and colour of each kind of fit."""
STATISTICS = {"split": "split_mse", "held_out_pixels": "held_out_mse", "windowed_variance": "windowed_variance"}
"""Statistics of rules, drawn under the trajectories in the rule's colour, divided by their minimum."""
Fits = Mapping[str, Run]
"""Of one noisy picture, by kind."""


def draw_table(study: Selection) -> Artifact:
    """Draw tables/stopping."""
    runs = study.runs
    gaps = pd.DataFrame(stopping_gaps(runs), columns=[field.name for field in fields(Gap)])
    wanted = {noise_of(job.config) for job in study.jobs}
    shown = summed_up(gaps, [noise for noise in NOISES if noise in wanted])
    above = ABOVE.format(behind=describe_draws(gaps, NOISES)) + still_rising(runs) + left_out(runs)
    page = make_table(shown, TITLES, runs, above, study.waiting)
    every = gaps.astype({"stop_iteration": "Int64"}).assign(**gaps[IN_DB].map("{:.4f}".format))
    return Artifact(page.shown, every, runs, study.waiting)


def still_rising(runs: Sequence[Run]) -> str:
    """Return how many fits of each kind end while their averaged image still rises, and their oracle would too."""
    up: Counter[str] = Counter()
    for run in runs:
        up[kind_of(run)] += count_rising(run)
    fits = {kind: sum(len(run.seeds) for run in runs if kind_of(run) == kind) for kind in up}
    found = ", ".join(f"{count} of the {fits[kind]} {kind}" for kind, count in up.items() if count).replace("_", " ")
    return f" The averaged image still rises at the last iteration of {found} fits." if found else ""


def left_out(runs: Sequence[Run]) -> str:
    """Return the sentences on rules that monitored some of the fits with older code."""
    counts = Counter(rule for run in runs for rule in run.summary["stopping"].keys() - current_stops(run).keys())
    return "".join(OLDER.format(rule=rule, count=len(runs) - n, all=len(runs)) for rule, n in sorted(counts.items()))


def summed_up(gaps: pd.DataFrame, noises: Sequence[str]) -> pd.DataFrame:
    """Return per noise and rule: gap of the averaged image and of the ensemble, and what the rule's fit costs."""
    rows = [
        (NOISES[noise], rule, *statistics(gaps[(gaps["noise"] == noise) & (gaps["rule"] == rule)], kind != PLAIN))
        for noise in noises
        for rule, kind in RULES.items()
    ]
    return table_of(rows, tuple(TITLES))


def statistics(gaps: pd.DataFrame, changed: bool) -> Sequence[str]:
    """Return mean, median, worst gap, that of the ensemble, the fit's cost if the rule `changed` it, share of sure."""
    single, ensemble = (gaps[gaps["output"] == output] for output in ("average", "mean"))
    if single.empty:
        return [NOT_RUN]
    return (
        mean_over_pictures(single, "gap"),
        f"{single['gap'].median():.2f}",
        f"{single['gap'].max():.2f}",
        mean_over_pictures(ensemble, "gap"),
        mean_over_pictures(single, "fit_cost") if changed else NONE,
        f"{100 * single['sure'].mean():.0f} %",
    )


def draw_figure(study: Selection) -> Artifact:
    """Draw figures/stopping."""
    found = shown(study)
    figure, (upper, lower) = sheet(3.2, 2.5)
    tops, bottoms = (part.subplots(1, len(FIGURE_NOISES), squeeze=False)[0] for part in (upper, lower))
    numbers: dict[str, Curve] = {}
    for noise, top, bottom in zip(FIGURE_NOISES, tops, bottoms, strict=True):
        averages = draw_trajectories(top, found[noise], NOISES[noise])
        looked_at = draw_statistics(bottom, found[noise])
        numbers |= {f"{noise}, {name}": curve for name, curve in (averages | looked_at).items()}
    tops[0].set_ylabel("PSNR of the average (dB)")
    bottoms[0].set_ylabel("over its least value")
    lower.legend(*bottoms[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    upper.legend(*tops[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7)
    runs = [run for fits in found.values() for run in fits.values()]
    plain = found["gaussian25"][PLAIN]
    size = plain.settings["image"]["size"]
    cells = f"{IMAGE}, {f'{size} pixels, ' if size else ''}{format_network(plain.settings['architecture'])}"
    figure.suptitle(f"When to stop: {cells}, one draw of the noise, {len(plain.seeds)} replicas; marks at their stops")
    return Artifact(figure, tabulate_curves(numbers, "curve", "value"), runs, study.waiting)


def shown(study: Selection) -> dict[str, Fits]:
    """Return the fits of the first draw by noise. Raises ValueError with the command if one is missing."""
    runs = [run for run in study.runs if run.settings["image"]["name"] == IMAGE]
    first = min((run.settings["experiment"]["draw"] for run in runs), default=0)
    runs = [run for run in runs if run.settings["experiment"]["draw"] == first]
    found = {(noise_of(run.settings), kind_of(run)): run for run in runs}
    if missing := [f"{noise} {kind}" for noise in FIGURE_NOISES for kind in FITS if (noise, kind) not in found]:
        raise ValueError(f"runs of {IMAGE} with {', '.join(missing)} are not there; make them: {study.command}")
    return {noise: {kind: found[noise, kind] for kind in FITS} for noise in FIGURE_NOISES}


def draw_trajectories(axis: Axes, fits: Fits, title: str) -> dict[str, Curve]:
    """Draw PSNR over the iterations, of the plain fit with the range of replicas, and where each rule stops each."""
    curves = {kind: curve_of(run, "psnr_average") for kind, run in fits.items()}
    for kind, (label, colour) in FITS.items():
        if kind == PLAIN:
            plot_band(axis, curves[kind], colour, f"{label}, range")
        else:
            axis.plot(curves[kind].iterations, curves[kind].values.mean(0), color=colour, label=label, linewidth=1)
    for rule, (label, colour, mark) in STYLES.items():
        run = fits[RULES[rule]]
        found = run.summary["stopping"][rule]
        stops = [(found["iteration"][replica], replica) for replica in run.replicas if found["iteration"][replica]]
        heights = [at_stop(run, rule, "average", replica, stop) for stop, replica in stops]
        axis.plot([s for s, _ in stops], heights, mark, color=colour, label=label, markersize=4, linestyle="none")
    best = np.max(curves[PLAIN].values)
    axis.set(title=title, xlabel="iteration", ylim=(best - 6, best + 0.5))
    axis.title.set_fontsize(8)
    return {f"average, {FITS[kind][0]}": curve for kind, curve in curves.items()}


def draw_statistics(axis: Axes, fits: Fits) -> dict[str, Curve]:
    """Draw what rules look at and, dashed, the true error of the average of the same fit, which none of them sees."""
    curves = {}
    for rule, column in STATISTICS.items():
        run, (label, colour, _) = fits[RULES[rule]], STYLES[rule]
        error = curve_of(run, "psnr_average")
        curves[f"{rule}, true error"] = Curve(error.iterations, 10 ** (-error.values / 10))
        dashed = relative(curves[f"{rule}, true error"]).mean(0)
        axis.plot(
            error.iterations,
            dashed,
            color=colour,
            linestyle="--",
            label=f"error: {FITS[RULES[rule]][0]}",
            linewidth=0.8,
        )
        if np.isnan(values := curve_of(run, column).values).all():
            continue  # a fit that is shorter than the window
        curves[rule] = Curve(error.iterations, values)
        axis.plot(error.iterations, relative(curves[rule]).mean(0), color=colour, label=label, linewidth=1)
    axis.set(xlabel="iteration", yscale="log", ylim=(0.7, 20))
    return curves


def relative(curve: Curve) -> Array:
    """Return a statistic over its least value, seed by seed."""
    return np.asarray(curve.values / np.nanmin(np.abs(curve.values), axis=1, keepdims=True))


if __name__ == "__main__":
    sys.exit(run_script({"figures/stopping": draw_figure, "tables/stopping": draw_table}, select, ["study_stopping"]))
