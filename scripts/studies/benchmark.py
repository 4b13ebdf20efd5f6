"""Methods proposed since 2018, on the same pictures, seeds, noise and iterations as the plain fit.

Experiments: benchmark, benchmark_others, benchmark_lowpass.
Writes: figures/benchmark, tables/benchmark, tables/benchmark_claims. Command: make benchmark
"""

import sys
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.claims import with_interval
from dip_experiments.analysis.confidence import mean_interval
from dip_experiments.analysis.curves import Curve, curve_of
from dip_experiments.analysis.effects import Effect, effects_of, mean_peak, over_pictures, peaks
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.method_claims import (
    PLAIN,
    end_gain,
    iterations_to_peak,
    judge_methods,
    seconds,
)
from dip_experiments.analysis.run_data import count_rising, final_values
from dip_experiments.analysis.style import common_legend, sheet
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of, wrap
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

REQUESTS = [["benchmark"], ["benchmark_others"], ["benchmark_lowpass"]]
SPLIT = "split"
STOP = "stop-split-average"
"""The image at the split's stop of each replica."""
PANELS = 2
"""Of the figure, in a row."""
NUMBERS = (
    "peak", "difference", "difference_low", "difference_high", "interval", "p_value", "p_value_holm",
    "difference_marked", "end", "after_peak", "end_gain", "at_stop", "time", "fits", "rising", "pictures",
    "output_peak", "seconds_per_iteration", "seconds_to_peak",
)  # fmt: skip
TITLES = {
    "problem": "problem",
    "method": "method",
    "peak": "peak",
    "difference_marked": "difference",
    "end": "end",
    "end_gain": "end, gain",
    "at_stop": "at stop",
    "time": "time",
}
ABOVE = """\
PSNR in dB of the averaged image, means over each picture's draws, then over pictures. `peak`: at its best, which only
the clean picture tells (the oracle's); `>`: half of the fits or more still rise at the end. `difference`: to the plain
fit's peak of the same picture and draw; `*`: p < 0.05 after Holm's correction for the methods of one problem. `end`:
after the last iteration, which is what a method that needs no stop gives. `end, gain`: of that over the plain fit's
peak, with Student's 95 % interval in which a picture is one observation. `at stop`: where the split stops each draw,
which knows the law of the noise; it fits a measurement with a little more noise, and so do all rows of its problems;
`>`: a fit ended before its stop was sure. `time`: of an iteration, by the plain fit's of the same picture; both ran
beside another fit. More in the CSV."""

ABOVE_CLAIMS = """\
Claims of the authors, decided by the mean over pictures of their means over draws, with Student's 95 % interval; where
there are several problems the mean of them is taken for each picture. A claim holds, or is falsified, if all of the
interval is on that side of its bound; each by itself, without correction for their number."""

Fits = dict[str, dict[str, list[Run]]]
"""Problem -> method -> runs."""


def draw_table(*selections: Selection) -> Artifact:
    """Draw tables/benchmark."""
    found = fits_of(selections)
    rows = [row for problem, fits in found.items() for row in rows_of(problem, fits)]
    runs = [run for fits in found.values() for some in fits.values() for run in some]
    return make_table(table_of(rows, ("problem", "method", *NUMBERS)), TITLES, runs, ABOVE, waiting(*selections))


def fits_of(selections: Sequence[Selection]) -> Fits:
    """Return the runs of each method on each problem, in the order of the requests."""
    found: Fits = {}
    for job in (job for selection in selections for job in selection.jobs):
        chosen = job.config["experiment"]
        runs = found.setdefault(chosen["problem"], {}).setdefault(chosen["method"], [])
        runs.extend([job.run] if job.run and job.run not in runs else [])
    return found


def rows_of(problem: str, fits: Mapping[str, Sequence[Run]]) -> list[tuple[str, ...]]:
    """Return a row for each method of a problem."""
    effects, plain = effects_of(fits, PLAIN), fits.get(PLAIN, ())
    return [
        (problem, method, *(cells(runs, effects.get(method), plain) if runs else [NOT_RUN]))
        for method, runs in fits.items()
    ]


def cells(runs: Sequence[Run], effect: Effect | None, plain: Sequence[Run]) -> Sequence[str]:
    """Return the numbers of one method on one problem."""
    peak, end = peaks(runs), over_pictures(runs, lambda run: final_values(run, "psnr_average"))
    best, output, rising = mean_peak(runs), mean_peak(runs, "psnr_reference"), sum(map(count_rising, runs))
    known = (NONE,) * 7 if effect is None else effect.numbers
    return (
        f"{'>' if 2 * rising >= len(peak) else ''}{best:.2f}", *known, f"{end:.2f}", f"{best - end:.2f}",
        gain_of_end(runs, plain), at_stop(runs), time_by(runs, plain), str(len(peak)), str(rising),
        str(peak.index.get_level_values("image").nunique()), f"{output:.2f}", f"{seconds(runs).median():.4f}",
        f"{(seconds(runs) * iterations_to_peak(runs)).groupby('image').mean().mean():.1f}",
    )  # fmt: skip


def gain_of_end(runs: Sequence[Run], plain: Sequence[Run]) -> str:
    """Return by how much the end is above the plain fit's peak, with its interval; `-` without a pair."""
    gains = end_gain(runs, plain).dropna() if plain else None
    return (
        NONE if gains is None or gains.empty else with_interval(mean_interval(gains.groupby("image").mean().to_numpy()))
    )


def at_stop(runs: Sequence[Run]) -> str:
    """Return the mean PSNR at the split's stop; `-` where it does not watch, or one fit has none."""
    if not all(STOP in run.summary["scores"] for run in runs):
        return NONE
    if any(run.scores(STOP, "psnr").size < len(run.seeds) for run in runs):
        return NONE
    sure = all(run.summary["stopping"][SPLIT]["final"][replica] for run in runs for replica in run.replicas)
    return f"{'' if sure else '>'}{over_pictures(runs, lambda run: run.scores(STOP, 'psnr')):.2f}"


def time_by(runs: Sequence[Run], plain: Sequence[Run]) -> str:
    """Return the time of an iteration by the plain fit's, the median over pictures and draws; `-` without a pair."""
    ratio = (seconds(runs) / seconds(plain)).median() if plain else np.nan
    return f"{ratio:.1f}" if np.isfinite(ratio) else NONE


def draw_claims(*selections: Selection) -> Artifact:
    """Draw tables/benchmark_claims."""
    found = fits_of(selections)
    verdicts = judge_methods(found)
    rows = [
        (one.method, one.than, " ".join(one.problems), claim.claim, claim.falsified_by, claim.measured, claim.verdict)
        for one, claim in verdicts
    ]
    columns = ["method", "than", "problems", "claim", "falsified_by", "measured", "verdict"]
    runs = [run for fits in found.values() for some in fits.values() for run in some]
    page = "\n".join(wrap(f"- {one.title}. {claim.text}") for one, claim in verdicts) or "Of no claim are there runs."
    return Artifact(
        f"{wrap(ABOVE_CLAIMS)}\n\n{page}\n",
        pd.DataFrame(rows, columns=columns if rows else None),
        runs,
        waiting(*selections),
    )


def draw_figure(*selections: Selection) -> Artifact:
    """Draw figures/benchmark."""
    found = {problem: of_plains_pictures(fits) for problem, fits in fits_of(selections).items() if fits.get(PLAIN)}
    if not found:
        raise ValueError(f"no problem has a run of the plain fit; {waiting(*selections)}")
    methods = list(dict.fromkeys(method for fits in found.values() for method in fits if method != PLAIN))
    colours = dict(zip(methods, matplotlib.colormaps["tab20"].colors, strict=False))  # type: ignore[attr-defined]
    lines = -(-len(found) // PANELS)
    figure, (part,) = sheet(2.4 * lines)
    axes = part.subplots(lines, PANELS, squeeze=False).flatten()
    rows: list[tuple[str, str, int, str]] = []
    for axis, (problem, fits) in zip(axes, found.items(), strict=False):
        for method, runs in fits.items():
            curve = mean_curve(runs)
            plot(axis, curve, method, colours)
            points = zip(curve.iterations, curve.values[0], strict=True)
            rows += [(problem, method, int(at), f"{value:.3f}") for at, value in points]
        axis.set_title(problem.replace("_", " "), fontsize=9)
        axis.set(xscale="log", xlabel="iteration", ylabel="PSNR (dB)")
    for axis in axes[len(found) :]:
        axis.axis("off")
    figure.legend(*common_legend(*axes), loc="outside lower center", ncols=5, fontsize=8)
    figure.suptitle("PSNR of the averaged image, mean over pictures and draws; the plain fit in black")
    runs = [run for fits in found.values() for some in fits.values() for run in some]
    table = pd.DataFrame(rows, columns=["problem", "method", "iteration", "psnr"])
    return Artifact(figure, table, runs, waiting(*selections))


def of_plains_pictures(fits: Mapping[str, Sequence[Run]]) -> dict[str, Sequence[Run]]:
    """Return the methods that have every picture of the plain fit, on these: means over others are no comparison."""
    wanted = {picture_name(run.settings) for run in fits[PLAIN]}
    found = {name: [run for run in runs if picture_name(run.settings) in wanted] for name, runs in fits.items()}
    return {name: runs for name, runs in found.items() if {picture_name(run.settings) for run in runs} == wanted}


def mean_curve(runs: Sequence[Run]) -> Curve:
    """Return the average's PSNR, the mean over the pictures' own means, as one row."""
    curves = [curve_of(run, "psnr_average") for run in runs]
    return Curve(curves[0].iterations, np.mean([curve.values.mean(0) for curve in curves], axis=0, keepdims=True))


def plot(axis: Axes, curve: Curve, method: str, colours: Mapping[str, object]) -> None:
    """Draw the curve of a method; the plain fit's thick and black."""
    plain = method == PLAIN
    axis.plot(
        curve.iterations, curve.values[0], color="black" if plain else colours[method],
        linewidth=2.0 if plain else 1.0, label=method.replace("_", " "), zorder=3 if plain else 2,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(
        run_script(
            {"figures/benchmark": draw_figure, "tables/benchmark": draw_table, "tables/benchmark_claims": draw_claims},
            select,
            *REQUESTS,
        )
    )
