"""Variation of results: peaks over images, noise draws and replicas, the sources of it, and rounding alone.

Experiments: study_stopping, study_stability.
Writes: figures/stability, tables/stability. Command: make study-stability
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import Interval, picture_means
from dip_experiments.analysis.curves import Curve, curve_of, ensemble_error, to_decibels
from dip_experiments.analysis.deviations import Spread, pooled_spread, pooled_variance
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.independence import format_count
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.run_data import Array, final_values, peak_iterations, peak_values
from dip_experiments.analysis.style import BLUE, GREEN, RED, sheet
from dip_experiments.analysis.table import NONE, NOT_RUN, job_rows, make_table, table_of, tabulate_curves
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Job, Run, Selection, stop_image, waiting

PLATEAU = 0.2
"""dB below the best: as far as the plateau goes (ours)."""
COUNTS = (1, 2, 4)
"""Replicas of which the mean is taken."""
NULL = "rounding"
SOURCES = {
    NULL: "rounding alone",
    "init": "initial weights",
    "latent": "latent z",
    "perturbation": "perturbations of z",
    "task": "picture's noise",
}
ALL_ELSE = "all else"
"""Weights, latent and perturbations, of one noisy picture."""
NOISES = {"gaussian25": "sigma 25", "gaussian50": "sigma 50"}
COLOURS = dict(zip(NOISES, (BLUE, RED), strict=True))
SHADES = ("0.7", GREEN, BLUE)
Runs = Mapping[str, Sequence[Run]]
"""Those of all draws, by picture."""
NUMBERS = (
    "best_iteration", "best_iteration_sd", "best_psnr", "best_psnr_sd", "fixed_psnr", "plateau",
    "output_best_psnr", *(f"mean_of_{count}" for count in COUNTS),
)  # fmt: skip
TITLES = {
    "varies": "what differs",
    "image": "image",
    "best_psnr": "best PSNR",
    "best_psnr_sd": "sd (95 %)",
    "less_rounding": "less rounding",
    "best_iteration": "iteration",
    "best_iteration_sd": "its sd",
}
ABOVE = f"""\
How much the peak of the averaged image (the oracle's, which looks at the clean picture) varies between replicas that
differ in one thing alone, at sigma 25, and between those of one noisy picture that differ in all else: weights,
latent and perturbations. `best PSNR`: its mean in dB; `sd`: standard deviation over the replicas of one draw,
variances pooled over draws, then over pictures, with its 95 % interval for normal values (chi-square). `rounding
alone`: weights, latent, perturbations and noise are the same, but z is changed by one part in a million. `less
rounding`: what is left when that variance, which each other one contains, is subtracted; 0 where nothing is.
`iteration` and `its sd`: of the peak, likewise. Intervals are for these pictures. The CSV has every draw: the single
output, the PSNR at a fixed iteration (1800, or the last one), `plateau`, the iterations within {PLATEAU} dB of the
best, and the best mean of 1, 2 and 4 replicas, expected over all choices of so many."""


def draw_table(noises: Selection, sources: Selection) -> Artifact:
    """Draw tables/stability."""
    jobs = [*noises.jobs, *sources.jobs]
    looks = {"image": picture_name, "varies": varies, "draw": draw_of}
    runs, waits = [job.run for job in jobs if job.run], waiting(noises, sources)
    page = make_table(summed_up(jobs), TITLES, runs, ABOVE, waits)
    return Artifact(page.shown, job_rows(jobs, looks, NUMBERS, cells), runs, waits)


def summed_up(jobs: Sequence[Job]) -> pd.DataFrame:
    """Return a row of all pictures for each source and each noise, and of the noises one for each picture."""
    rows: list[Sequence[str]] = []
    by_what: dict[str, dict[str, list[Run]]] = {}
    for job in sorted(jobs, key=lambda job: "noise" in job.config["experiment"]):
        runs = by_what.setdefault(varies(job.config), {}).setdefault(picture_name(job.config), [])
        runs.extend([job.run] if job.run else [])
    null = pooled_spread(groups(by_what.get(SOURCES[NULL], {}), best))
    for what, pictures in by_what.items():
        subtracted = None if what == SOURCES[NULL] or what.startswith(ALL_ELSE) else null
        done, count = sum(map(bool, pictures.values())), len(pictures)
        count_text = format_count(count, "picture") if done == count else f"{done} of {count}"
        rows.append((what, count_text, *pooled(pictures, subtracted)))
        if what.startswith(ALL_ELSE):
            rows += [(what, picture, *pooled({picture: runs}, None)) for picture, runs in pictures.items()]
    return table_of(rows, tuple(TITLES))


def pooled(pictures: Runs, null: Spread | None) -> Sequence[str]:
    """Return peak, deviation, what of that rounding leaves, iteration and its deviation, as the table shows them."""
    runs = [run for some in pictures.values() for run in some]
    if not runs:
        return [NOT_RUN]
    found, at = pooled_spread(groups(pictures, best)), pooled_spread(groups(pictures, at_best))
    return (
        f"{mean_of(pictures, best):.2f}",
        in_decibels(found.deviation),
        in_decibels(found.beyond(null)) if null else NONE,
        f"{mean_of(pictures, at_best):.0f}",
        f"{at.deviation.value:.0f}",
    )


def by_picture(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of each picture."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(picture_name(run.settings), []).append(run)
    return found


def groups(pictures: Runs, values: Callable[[Run], Array]) -> dict[str, list[Array]]:
    """Return the values of each picture's draws."""
    return {picture: [values(run) for run in runs] for picture, runs in pictures.items()}


def mean_of(pictures: Runs, values: Callable[[Run], Array]) -> float:
    """Return the mean over pictures of each one's mean over draws and replicas."""
    return float(
        picture_means({name: np.concatenate(of) for name, of in groups(pictures, values).items() if of}).mean()
    )


def best(run: Run) -> Array:
    """Return the averages' peaks."""
    return peak_values(run, "psnr_average")


def at_best(run: Run) -> Array:
    """Return the iterations of the averages' peaks."""
    return peak_iterations(run, "psnr_average")


def in_decibels(interval: Interval) -> str:
    """Return a deviation with its interval, `0.13 (0.11 to 0.17)`; NONE for NaN."""
    if np.isnan(interval.value):
        return NONE
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def varies(config: Mapping[str, Any]) -> str:
    """Return the one source that a job's replicas do not share, or the noise of which they share that alone."""
    experiment: Mapping[str, Any] = config["experiment"]
    if "noise" in experiment:
        return f"{ALL_ELSE}, {NOISES[experiment['noise']]}"
    return SOURCES[experiment["varies"]]


def draw_of(config: Mapping[str, Any]) -> str:
    """Return which draw of the picture's noise it is."""
    return str(config["experiment"]["draw"])


def cells(run: Run) -> Sequence[str]:
    """Return the numbers of one line."""
    at, peak, curve = at_best(run), best(run), curve_of(run, "psnr_average")
    means = [f"{to_decibels(ensemble_error(run, count)).max():.2f}" if has_mean(run) else NONE for count in COUNTS]
    return (
        f"{at.mean():.0f}",
        f"{at.std(ddof=1):.0f}",
        f"{peak.mean():.2f}",
        f"{peak.std(ddof=1):.3f}",
        f"{fixed(run).mean():.2f}",
        f"{plateau(curve).mean():.0f}",
        f"{peak_values(run, 'psnr_reference').mean():.2f}",
        *means,
    )


def has_mean(run: Run) -> bool:
    """Return if the PSNR of the replicas' mean is in the run."""
    return "psnr_mean" in run.summary["final"]


def fixed(run: Run) -> NDArray[np.float64]:
    """Return the PSNR at the fixed iteration if a rule watched that, else at the last one."""
    if "fixed" in run.summary.get("stopping", {}):
        return run.scores(stop_image("fixed", "average"), "psnr")
    return final_values(run, "psnr_average")


def plateau(curve: Curve) -> NDArray[np.float64]:
    """Return the iterations within PLATEAU of the best, of each seed, from the points that records have."""
    inside = curve.values >= curve.values.max(1, keepdims=True) - PLATEAU
    return (inside * np.gradient(curve.iterations.astype(float))).sum(1)


REQUESTS = (
    ["study_stopping", "experiment.kind=plain"],
    ["study_stability"],
)


def draw_figure(noises: Selection, sources: Selection) -> Artifact:
    """Draw figures/stability."""
    runs = noises.runs
    drawn = {run.settings["experiment"]["noise"] for run in runs}
    drawn |= {run.settings["experiment"]["varies"] for run in sources.runs}
    if lacking := [name for name in (*NOISES, *SOURCES) if name not in drawn]:
        commands = "; ".join(one.command for one in (noises, sources))
        raise ValueError(f"no run of {', '.join(lacking)}; make them: {commands}")
    figure, (part,) = sheet(3.2)
    where, what, buys = part.subplots(1, 3)
    scatter(where, runs)
    shares(what, sources.runs)
    curves = averaging(buys, runs)
    pictures, draws = len({picture_name(run.settings) for run in runs}), len({noisy_picture(run) for run in runs})
    title = (
        f"How much results vary, with what, and what the mean of replicas gains: {format_count(pictures, 'picture')}"
    )
    figure.suptitle(f"{title}, {format_count(draws, 'noise draw')} of {len(runs[0].seeds)} replicas", fontsize=9)
    numbers = tabulate_curves(curves, "replicas", "gain")
    return Artifact(figure, numbers, [*runs, *sources.runs], waiting(noises, sources))


def noisy_picture(run: Run) -> tuple[str, int]:
    """Return what tells a draw of a picture's noise, which three strengths of it share."""
    return picture_name(run.settings), run.settings["seed"]


def scatter(axis: Axes, runs: list[Run]) -> None:
    """Draw best iteration and best PSNR of every replica, draw, picture and noise."""
    for noise, label in NOISES.items():
        some = [run for run in runs if run.settings["experiment"]["noise"] == noise]
        at, peak = (np.concatenate([values(run) for run in some]) for values in (at_best, best))
        axis.plot(at, peak, "o", color=COLOURS[noise], label=label, markersize=3, alpha=0.6)
    axis.set(xscale="log", xlabel="best iteration (oracle)", ylabel="best PSNR (dB)", title="pictures and replicas")
    plain_ticks(axis, 500, 1000, 2000)
    axis.legend(fontsize=8)


def plain_ticks(axis: Axes, *at: float) -> None:
    """Set the ticks of a logarithmic axis, in plain numbers."""
    axis.set_xticks(at, [f"{value:g}" for value in at])
    axis.minorticks_off()


def shares(axis: Axes, runs: list[Run]) -> None:
    """Draw the deviation of the best PSNR over replicas that differ in one thing alone: 95 %, a point each picture."""
    for place, source in enumerate(SOURCES):
        some = groups(by_picture([run for run in runs if run.settings["experiment"]["varies"] == source]), best)
        found = pooled_spread(some).deviation
        colour = "0.6" if source == NULL else "0.8"
        axis.bar(place, found.value, color=colour)
        axis.plot([place, place], [found.low, found.high], color="black", linewidth=1)
        each = [pooled_variance(values)[0] ** 0.5 for values in some.values()]
        axis.plot(np.full(len(each), place + 0.2), each, "o", color=BLUE, markersize=4)
        if source == NULL:
            axis.axhspan(found.low, found.high, color="0.6", alpha=0.25, linewidth=0)
    axis.set_xticks(range(len(SOURCES)), list(SOURCES.values()), fontsize=7, rotation=25, ha="right")
    axis.set(ylabel="deviation of the best PSNR (dB)", title="only this varies (95 %)")


def averaging(axis: Axes, runs: list[Run]) -> dict[str, Curve]:
    """Return the PSNR of the mean of so many replicas less that of one at its best, over parts of its iterations."""
    grid, curves = np.geomspace(0.2, 4, 80), {}
    for count, shade in zip(COUNTS, SHADES, strict=True):
        rows = []
        for run in filter(has_mean, runs):
            one = to_decibels(ensemble_error(run, 1))
            at = curve_of(run, "psnr_average").iterations
            gains = to_decibels(ensemble_error(run, count)) - one.max()
            rows.append(np.interp(grid, at / at[one.argmax()], gains, right=np.nan))
        drawn = np.isfinite(rows).any(0)  # not later than the longest fit
        gain = np.full(len(grid), np.nan)
        gain[drawn] = np.nanmean(np.array(rows)[:, drawn], axis=0)
        axis.plot(grid, gain, color=shade, label=f"{count}")
        curves[str(count)] = Curve(np.arange(1, len(grid) + 1), gain[None])
    axis.set(xscale="log", xlabel="iteration / best one of a single fit", ylabel="gain (dB)", title="mean of replicas")
    axis.set_ylim(-1.5)
    plain_ticks(axis, 0.5, 1, 2)
    axis.legend(title="replicas", fontsize=8)
    return curves


if __name__ == "__main__":
    sys.exit(run_script({"figures/stability": draw_figure, "tables/stability": draw_table}, select, *REQUESTS))
