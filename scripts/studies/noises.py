"""Noise as cameras make it: what the whitened loss gains, how well the split stops, and how good its estimate is.

Experiment: study_noises. Writes: figures/noises, tables/noises. Command: make study-noises
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import mean_over_pictures
from dip_experiments.analysis.curves import Curve, curve_of, to_decibels
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import format_size, picture_name
from dip_experiments.analysis.run_data import END, peak_iterations, peak_values
from dip_experiments.analysis.stopping_gaps import describe_draws, kind_of, noise_of
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, sheet
from dip_experiments.analysis.table import NOT_RUN, make_table, table_of, tabulate_curves
from dip_experiments.metrics import psnr_of_estimate
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, stop_image

PLAIN, WHITENED, RESTORE = KINDS = ("plain", "whitened", "restore")
NOISES = {
    "white": "white",
    "neighbours05": "neighbours, 0.5",
    "neighbours07": "neighbours, 0.7",
    "neighbours10": "neighbours, 1.0",
    "channels": "channels",
    "both": "both",
    "camera": "camera",
}
TITLES = {
    "noise": "noise",
    "noisy": "noisy",
    "plain": "plain loss",
    "gained": "whitened",
    "gap": "gap",
    "worst": "worst",
    "covered": "estimate",
    "mixed": "with filters",
}
ABOVE = """\
PSNR in dB of the mean of four replicas, means over the pictures' own means, +- half of Student's 95 % interval in which
a picture is one observation. `white`: sigma 25; `neighbours`: the same, smoothed by a Gaussian of so many pixels;
`channels`: the same in all channels; `both` (0.7 pixels). `camera`: 300 electrons at white, 3 read, Bayer's pattern,
bilinear demosaicing, gamma 2.2, JPEG 90. `plain loss`: the best mean image of a fit with the mean squared error,
`whitened`: by how much that of a fit with the whitened loss is better (both the oracle's, who looks at the clean
picture). `gap`: by how much the image at the split's joint stop lies below that of the whitened fit, the median over
the draws, and the worst. `estimate`: share of the draws in which the estimated error is within one and within two of
its standard errors of the true one; 68 and 95 % would be right. `with filters`: what the command `restore` returns, in
which other denoisers' pictures are mixed. Kernel, correlations and strength of the noise are estimated from each
noisy picture. """
IN_DB = dict.fromkeys(("noisy", "plain", "whitened", "gained", "at_stop", "gap", "estimated_psnr", "mixed"), 4)
"""Decimals of the CSV."""
IMAGE = "coffee"
STYLES = {PLAIN: ("plain loss", "0.4", "-"), WHITENED: ("whitened loss", BLUE, "-"), RESTORE: ("restore", GREEN, "-")}
"""Name, colour and line of each kind of fit."""
ESTIMATE = "split_mean_mse"
LEAST_MSE = 1e-5
"""An estimate may be below 0; 50 dB is out of the panels."""
COLUMNS = 4
"""Panels of the figure, in a row."""
Fits = Mapping[str, Run]
"""Of one noisy picture, by kind."""


@dataclass(frozen=True)
class Result:
    """One noisy picture, fitted in three ways: PSNR in dB of the mean of the replicas, mean squared errors."""

    noise: str
    image: str
    draw: int
    noisy: float
    plain: float
    whitened: float
    gained: float
    at_stop: float
    gap: float
    stop_iteration: int | None
    true_mse: float
    estimated_mse: float
    estimated_mse_se: float
    estimated_psnr: float | None
    mixed: float


def draw_table(study: Selection) -> Artifact:
    """Draw tables/noises."""
    complete = complete_fits(study.runs)
    found = [astuple(result_of(*key, fits)) for key, fits in complete.items()]
    runs = [run for fits in complete.values() for run in fits.values()]
    results = pd.DataFrame(found, columns=[field.name for field in fields(Result)])
    wanted = {noise_of(job.config) for job in study.jobs}
    lines = [(NOISES[noise], *cells(results[results["noise"] == noise])) for noise in NOISES if noise in wanted]
    notes = f"{ABOVE}{describe_draws(results, NOISES)} {rising([*complete.values()])}"
    page = make_table(table_of(lines, tuple(TITLES)), TITLES, runs, notes, study.waiting)
    every = results.astype({"stop_iteration": "Int64"}).round(IN_DB)
    return Artifact(page.shown, every, runs, study.waiting)


def complete_fits(runs: Sequence[Run]) -> dict[tuple[str, str, int], Fits]:
    """Return the fits of each noisy picture of which all are finished, by noise, picture and draw."""
    found: dict[tuple[str, str, int], dict[str, Run]] = {}
    for run in runs:
        key = noise_of(run.settings), picture_name(run.settings), run.settings["experiment"]["draw"]
        fits, kind = found.setdefault(key, {}), kind_of(run)
        if kind in fits:
            raise ValueError(f"two {kind} fits of {key[1]}, noise {key[0]}, draw {key[2]}: leave out what sweeps")
        fits[kind] = run
    return {key: fits for key, fits in found.items() if len(fits) == len(KINDS)}


def result_of(noise: str, image: str, draw: int, fits: Fits) -> Result:
    """Return the numbers of a noisy picture."""
    plain, whitened = (float(peak_values(fits[kind], "psnr_mean")[0]) for kind in (PLAIN, WHITENED))
    found, scores = fits[RESTORE].summary["stopping"]["split"], fits[RESTORE].summary["scores"]
    at_stop = scores[stop_image("split", "mean")]["psnr"][0]
    mse, mse_se = found["estimate"]["mse"], found["estimate"]["mse_se"]
    return Result(
        noise=noise,
        image=image,
        draw=draw,
        noisy=float(fits[RESTORE].scores("measurement", "psnr")[0]),
        plain=plain,
        whitened=whitened,
        gained=whitened - plain,
        at_stop=at_stop,
        gap=whitened - mean_at(fits[RESTORE], found["joint"]),
        stop_iteration=found["joint"],
        true_mse=10 ** (-at_stop / 10),
        estimated_mse=mse,
        estimated_mse_se=mse_se,
        estimated_psnr=psnr_of_estimate(mse, mse_se),
        mixed=scores[stop_image("split", "mixed")]["psnr"][0],
    )


def mean_at(run: Run, iteration: int) -> float:
    """Return the PSNR of the mean image at an iteration, between the points that records have: as the oracle has it.

    The image at the stop may be another one: the bias of clipped noise is undone in it.
    """
    curve = curve_of(run, "psnr_mean")
    return float(np.interp(iteration, curve.iterations, curve.values[0]))


def cells(results: pd.DataFrame) -> Sequence[str]:
    """Return the cells of one noise."""
    if results.empty:
        return [NOT_RUN]
    away = (results["estimated_mse"] - results["true_mse"]).abs() / results["estimated_mse_se"]
    means = results.groupby("image")[["noisy", "plain", "mixed"]].mean().mean()
    noisy, plain, mixed = (f"{mean:.2f}" for mean in means)
    gained = mean_over_pictures(results, "gained")
    within = " / ".join(f"{100 * (away <= errors).mean():.0f}" for errors in (1, 2))
    return (
        noisy, plain, gained if gained.startswith("-") else f"+{gained}",
        f"{results['gap'].median():.2f}", f"{results['gap'].max():.2f}", f"{within} %", mixed,
    )  # fmt: skip


def rising(every: Sequence[Fits]) -> str:
    """Say how many of the oracles lie where a fit ends, so that a longer one might have a better one."""
    oracles = [fits[kind] for fits in every for kind in (PLAIN, WHITENED)]
    late = [run for run in oracles if peak_iterations(run, "psnr_mean")[0] > (1 - END) * run.summary["iterations"]]
    return f"{len(late)} of {len(oracles)} oracles lie in the last {100 * END:.0f} % of their fit."


def draw_figure(study: Selection) -> Artifact:
    """Draw figures/noises."""
    found = shown(study)
    figure, (part,) = sheet(2.3 * -(-len(NOISES) // COLUMNS) + 0.2)
    axes = part.subplots(-(-len(NOISES) // COLUMNS), COLUMNS, squeeze=False).flatten()
    curves: dict[str, Curve] = {}
    for axis, (noise, fits) in zip(axes, found.items(), strict=False):
        curves |= {f"{noise}, {name}": curve for name, curve in draw_panel(axis, fits, NOISES[noise]).items()}
    for axis in axes[len(found) :]:
        axis.axis("off")
    axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center", fontsize=8)
    for axis in axes[::COLUMNS]:
        axis.set_ylabel("PSNR (dB)")
    runs = [run for fits in found.values() for run in fits.values()]
    cells = f"{IMAGE}, {format_size(runs[0])}, mean of {len(runs[0].seeds)} replicas"
    figure.suptitle(f"Noise that is not white: {cells}, one draw of each noise")
    return Artifact(figure, tabulate_curves(curves, "curve", "PSNR"), runs, study.waiting)


def shown(study: Selection) -> Mapping[str, Fits]:
    """Return the fits of IMAGE's first draw by noise. Raises ValueError with the command if none is complete."""
    every = complete_fits([run for run in study.runs if run.settings["image"]["name"] == IMAGE])
    by_draw = sorted(every.items(), key=lambda one: one[0][2])
    firsts = {noise: next((fits for key, fits in by_draw if key[0] == noise), {}) for noise in NOISES}
    if found := {noise: fits for noise, fits in firsts.items() if fits}:
        return found
    raise ValueError(f"no noise has all its fits of {IMAGE}; make them: {study.command}")


def draw_panel(axis: Axes, fits: Fits, title: str) -> dict[str, Curve]:
    """Draw the PSNR of the mean image of each kind of fit, the estimated one, and where the split stops."""
    curves = {kind: curve_of(fits[kind], "psnr_mean") for kind in KINDS}
    curves = {kind: Curve(curve.iterations, curve.values[:1]) for kind, curve in curves.items()}
    error = curve_of(fits[RESTORE], ESTIMATE)
    curves["estimated"] = Curve(error.iterations, to_decibels(np.maximum(error.values[:1], LEAST_MSE)))
    for kind, (label, colour, line) in (STYLES | {"estimated": ("estimated", ORANGE, "--")}).items():
        axis.plot(curves[kind].iterations, curves[kind].values[0], line, color=colour, label=label, linewidth=1)
    found = fits[RESTORE].summary["stopping"]["split"]
    if found["joint"]:
        height = fits[RESTORE].summary["scores"][stop_image("split", "mean")]["psnr"][0]
        axis.plot(found["joint"], height, "o", color=GREEN, markersize=5, label="its stop", linestyle="none")
    best = max(float(np.max(curves[kind].values)) for kind in KINDS)
    axis.set(title=title, xlabel="iteration", ylim=(best - 6, best + 1.5))
    axis.title.set_fontsize(8)
    return curves


if __name__ == "__main__":
    sys.exit(run_script({"figures/noises": draw_figure, "tables/noises": draw_table}, select, ["study_noises"]))
