"""Frequency bands: which of them a network has explained when it denoises best, for eleven networks.

Experiment: bands.
Writes: figures/bands, tables/bands. Command: make reproduce-bands
"""

import sys
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.band_curves import AMPLITUDES, BANDS, ENERGIES, HALF, at_peak, band_lag
from dip_experiments.analysis.claims import Claim, above
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.run_data import END, peak_iterations, peak_values
from dip_experiments.analysis.style import WIDTH
from dip_experiments.analysis.table import NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

DEFAULT, CONTROL = "default", "pixels"
"""The paper's network; the one that is none and has no prior."""
UNKNOWN = Interval(np.nan, np.nan, np.nan)
COLOURS = [colormaps["viridis"](band / BANDS) for band in range(BANDS)]
ACROSS = 4
"""Panels in a row."""
TITLES = {
    "change": "network",
    "peak": "iteration",
    "psnr": "PSNR",
    **{name: f"band {band + 1}" for band, name in enumerate(ENERGIES)},
}
ABOVE = """\
At the output's best PSNR on the noisy target (the oracle's; `>`: a seed still rises): its iteration, and the part of
the noisy target's energy that is explained in five frequency bands, the lowest first, means over the seeds. 1: fitted,
noise and all; 0: nothing of it. The CSV has the interval of each, `lag`, how many times more iterations half of the
natural image's highest band takes than half of its lowest (without an interval: at least), and the ratios of amplitudes
(Shi et al. 2022), which do not ask whether the phases are right."""


def draw_table(selection: Selection) -> Artifact:
    """Draw tables/bands."""
    runs, natural = (runs_of(selection, target) for target in ("noisy", "natural"))
    changes = dict.fromkeys(job.config["experiment"]["change"] for job in selection.jobs)
    rows, numbers = [], []
    for change in changes:
        if change not in runs:
            rows.append((change, NOT_RUN))
            continue
        run = runs[change]
        found = [mean_interval(at_peak(run, name)) for name in (*ENERGIES, *AMPLITUDES)]
        first = (
            f"{'>' if rising(run) else ''}{peak_iterations(run, 'psnr_reference').mean():.0f}",
            f"{peak_values(run, 'psnr_reference').mean():.2f}",
        )
        rows.append((change, *first, *(f"{one.value:.2f}" for one in found[:BANDS])))
        ends = [f"{end:.4f}" for one in found for end in (one.value, one.low, one.high)]
        lag = band_lag(natural[change]) if change in natural else UNKNOWN
        numbers.append((change, *first, *(f"{value:.3f}" for value in (lag.value, lag.low, lag.high)), *ends))
    columns = [f"{name}{end}" for name in (*ENERGIES, *AMPLITUDES) for end in ("", "_low", "_high")]
    page = make_table(
        table_of(rows, tuple(TITLES)),
        TITLES,
        selection.runs,
        " ".join([ABOVE, *(claim.text for claim in claims(runs, natural))]),
        selection.waiting,
    )
    frame = pd.DataFrame(numbers, columns=["change", "peak", "psnr", "lag", "lag_low", "lag_high", *columns])
    return Artifact(page.shown, frame, selection.runs, selection.waiting)


def rising(run: Run) -> bool:
    """Return True if the output of a seed is best in the last iterations: its peak may be later."""
    return bool((peak_iterations(run, "psnr_reference") > (1 - END) * run.summary["iterations"]).any())


def runs_of(selection: Selection, target: str) -> dict[str, Run]:
    """Return the fit of each network to a target."""
    return {
        job.config["experiment"]["change"]: job.run
        for job in selection.jobs
        if job.run and job.config["target"]["name"] == target
    }


def claims(noisy: Mapping[str, Run], natural: Mapping[str, Run]) -> list[Claim]:
    """Return the claims and their verdicts."""
    lags = {name: band_lag(run) for name, run in natural.items() if name != CONTROL}
    fitted = {name: lag for name, lag in lags.items() if np.isfinite(lag.value)}
    later = [name for name, lag in fitted.items() if (lag.value > 1 and above(lag, 1.0) is not None) or is_bound(lag)]
    against = [name for name, lag in fitted.items() if above(lag, 1.0) is False]
    least = min(fitted.values(), key=lambda lag: lag.value, default=UNKNOWN)
    control = f", pixels {band_lag(natural[CONTROL]).value:.1f}" if CONTROL in natural else ""
    used = mean_interval(at_peak(noisy[DEFAULT], ENERGIES[-1])) if DEFAULT in noisy else UNKNOWN
    much = above(used, HALF)
    return [
        Claim(
            "a network fits low frequencies before high ones (Shi et al. 2022)",
            "a network explained half of the highest band of the natural image no later than half of the lowest",
            f"later in {len(later)} of {len(fitted)} networks, by {least.value:.1f} times or more{control}",
            None if not fitted or (len(later) < len(fitted) and not against) else not against,
        ),
        Claim(
            "at its PSNR peak a network has hardly used the highest band (Shi et al. 2022)",
            f"the paper's network had explained more than {HALF:.0%} of that band of the noisy image",
            f"{used.value:.0%} ({used.low:.0%} to {used.high:.0%})" if np.isfinite(used.low) else "not known",
            None if much is None else not much,
        ),
    ]


def is_bound(lag: Interval) -> bool:
    """Return True for a lag that is only known to be larger than 1."""
    return lag.value > 1 and np.isinf(lag.high)


def draw_figure(selection: Selection) -> Artifact:
    """Draw figures/bands."""
    runs, natural = (runs_of(selection, target) for target in ("noisy", "natural"))
    if not runs:
        raise ValueError(f"no network has a fit to the noisy image; {selection.waiting}")
    down = -(-len(runs) // ACROSS)
    figure = plt.figure(figsize=(WIDTH, 1.0 + 2.3 * down), layout="constrained")
    grid = figure.add_gridspec(2 * down, ACROSS, height_ratios=[1, 2] * down)
    rows = []
    for index, (name, run) in enumerate(runs.items()):
        row, column = divmod(index, ACROSS)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column], sharex=upper)
        draw_panel(upper, lower, name, run, natural.get(name))
        lower.label_outer()
        rows += curve_rows(name, run)
    handles, labels = lower.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=BANDS + 2, fontsize=8)
    figure.suptitle("\n".join(claim.title for claim in claims(runs, natural)), fontsize=8)
    numbers = pd.DataFrame(rows, columns=["change", "iteration", *ENERGIES])
    return Artifact(figure, numbers, selection.runs, selection.waiting)


def draw_panel(upper: Axes, lower: Axes, name: str, noisy: Run, natural: Run | None) -> None:
    """Draw PSNR and explained energies of one network."""
    quality = curve_of(noisy, "psnr_reference")
    upper.plot(quality.iterations, quality.values.mean(0), color="0.2", linewidth=1.2)
    upper.set(title=name.replace("_", " "), xscale="log", ylabel="dB")
    upper.tick_params(labelbottom=False)
    peak = float(np.exp(np.log(peak_iterations(noisy, "psnr_reference")).mean()))
    for axis in (upper, lower):
        axis.axvline(peak, color="0.5", linewidth=0.8, linestyle=":")
    for band, column in enumerate(ENERGIES):
        curve = curve_of(noisy, column)
        lower.plot(curve.iterations, curve.values.mean(0), color=COLOURS[band], linewidth=1.2, label=f"band {band + 1}")
        if natural:
            clean = curve_of(natural, column)
            lower.plot(clean.iterations, clean.values.mean(0), color=COLOURS[band], linewidth=0.7, linestyle="--")
    lower.plot([], [], color="0.4", linewidth=0.7, linestyle="--", label="of the natural image")
    lower.set(ylim=(-0.2, 1.05), xlabel="iteration", ylabel="explained")


def curve_rows(name: str, run: Run) -> list[Sequence[object]]:
    """Return the explained energies of the noisy image, means over the seeds."""
    curves = [curve_of(run, column).sparse for column in ENERGIES]
    means = np.stack([curve.values.mean(0) for curve in curves], axis=1)
    return [(name, at, *(f"{value:.4f}" for value in row)) for at, row in zip(curves[0].iterations, means, strict=True)]


if __name__ == "__main__":
    sys.exit(run_script({"figures/bands": draw_figure, "tables/bands": draw_table}, select, ["bands"]))
