"""When to stop: trajectories with every rule's stop, and under them what the rules look at."""

import sys
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from table_stopping import ASKED, PLAIN, RULES, at_stop, kind_of, noise_of

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.curves import Array, Curve, band, curve_of, tabulated
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import network_words
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

IMAGE = "cset9/f16"
NOISES = {
    "gaussian10": "sigma 10",
    "gaussian25": "sigma 25",
    "gaussian50": "sigma 50",
    "blurred25": "sigma 25, neighbours share it",
}
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
"""What rules look at, drawn under the trajectories in the rule's colour and divided by its smallest value."""
Fits = Mapping[str, Run]
"""Of one noisy picture, by kind."""


def draw(study: Selection, others: Selection) -> Page:
    """Draws figures/stopping."""
    found = shown(study, others)
    figure, (upper, lower) = sheet(3.2, 2.5)
    tops, bottoms = (part.subplots(1, len(NOISES), squeeze=False)[0] for part in (upper, lower))
    numbers: dict[str, Curve] = {}
    for (noise, title), top, bottom in zip(NOISES.items(), tops, bottoms, strict=True):
        averages = trajectories(top, found[noise], title)
        looked_at = statistics(bottom, found[noise])
        numbers |= {f"{noise}, {name}": curve for name, curve in (averages | looked_at).items()}
    tops[0].set_ylabel("PSNR of the average (dB)")
    bottoms[0].set_ylabel("over its least value")
    lower.legend(*bottoms[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    upper.legend(*tops[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7)
    runs = [run for fits in found.values() for run in fits.values()]
    plain = found["gaussian25"][PLAIN]
    words = f"{IMAGE}, {plain.settings['image']['size']} pixels, {network_words(plain.settings['architecture'])}"
    figure.suptitle(f"When to stop: {words}, one draw of the noise, {len(plain.seeds)} replicas; marks at their stops")
    return Page(figure, tabulated(numbers, "curve", "value"), runs, waiting(study, others))


def shown(*studies: Selection) -> dict[str, Fits]:
    """The fits of the first draw by noise. Raises ValueError with the command if one is missing."""
    runs = [run for study in studies for run in study.runs if run.settings["image"]["name"] == IMAGE]
    first = min((run.settings["experiment"]["draw"] for run in runs), default=0)
    runs = [run for run in runs if run.settings["experiment"]["draw"] == first]
    found = {(noise_of(run.settings), kind_of(run)): run for run in runs}
    if missing := [f"{noise} {kind}" for noise in NOISES for kind in FITS if (noise, kind) not in found]:
        commands = "; ".join(study.command for study in studies)
        raise ValueError(f"runs of {IMAGE} with {', '.join(missing)} are not there; make them: {commands}")
    return {noise: {kind: found[noise, kind] for kind in FITS} for noise in NOISES}


def trajectories(axis: Axes, fits: Fits, title: str) -> dict[str, Curve]:
    """Draw PSNR over the iterations, of the plain fit with the range of replicas, and where each rule stops each."""
    curves = {kind: curve_of(run, "psnr_average") for kind, run in fits.items()}
    for kind, (label, colour) in FITS.items():
        if kind == PLAIN:
            band(axis, curves[kind], colour, f"{label}, range")
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


def statistics(axis: Axes, fits: Fits) -> dict[str, Curve]:
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
    """A statistic over its least value, seed by seed."""
    return np.asarray(curve.values / np.nanmin(np.abs(curve.values), axis=1, keepdims=True))


if __name__ == "__main__":
    sys.exit(run_script("figures/stopping", draw, select, *ASKED))
