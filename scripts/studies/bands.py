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
from dip_experiments.analysis.claims import Claim, above
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.run_data import Array, peak_iterations, peak_values
from dip_experiments.analysis.style import WIDTH
from dip_experiments.analysis.table import NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

BANDS = 5
CONTROL = "pixels"
"""The network that is none: it has no prior."""
COLOURS = [colormaps["viridis"](band / BANDS) for band in range(BANDS)]
ACROSS = 4
"""Panels in a row."""
ENERGIES, AMPLITUDES = (tuple(f"{name}_{band + 1}" for band in range(BANDS)) for name in ("band_energy", "band"))
TITLES = {
    "change": "network",
    "peak": "iteration",
    "psnr": "PSNR",
    **{name: f"band {band + 1}" for band, name in enumerate(ENERGIES)},
}
ABOVE = """\
At the output's best PSNR on the noisy target (the oracle's): its iteration, and the part of the noisy target's energy
that is explained in five frequency bands, the lowest first, means over the seeds. 1: fitted, noise and all; 0: nothing
of it. The CSV has the interval of each, and the ratios of amplitudes (Shi et al. 2022), which do not ask whether the
phases are right."""


def draw_table(selection: Selection) -> Artifact:
    """Draw tables/bands."""
    runs = noisy_runs(selection)
    changes = dict.fromkeys(job.config["experiment"]["change"] for job in selection.jobs)
    rows, numbers = [], []
    for change in changes:
        if change not in runs:
            rows.append((change, NOT_RUN))
            continue
        run = runs[change]
        found = [mean_interval(at_peak(run, name)) for name in (*ENERGIES, *AMPLITUDES)]
        first = (
            f"{peak_iterations(run, 'psnr_reference').mean():.0f}",
            f"{peak_values(run, 'psnr_reference').mean():.2f}",
        )
        rows.append((change, *first, *(f"{one.value:.2f}" for one in found[:BANDS])))
        ends = [f"{end:.4f}" for one in found for end in (one.value, one.low, one.high)]
        numbers.append((change, *first, *ends))
    columns = [f"{name}{end}" for name in (*ENERGIES, *AMPLITUDES) for end in ("", "_low", "_high")]
    page = make_table(
        table_of(rows, tuple(TITLES)), TITLES, selection.runs, f"{ABOVE} {claim(runs).text}", selection.waiting
    )
    frame = pd.DataFrame(numbers, columns=["change", "peak", "psnr", *columns])
    return Artifact(page.shown, frame, selection.runs, selection.waiting)


def noisy_runs(selection: Selection) -> dict[str, Run]:
    """Return the fit of each network to the noisy image."""
    return {
        job.config["experiment"]["change"]: job.run
        for job in selection.jobs
        if job.run and job.config["target"]["name"] == "noisy"
    }


def at_peak(run: Run, column: str) -> Array:
    """Return a curve where the output's PSNR is best (oracle), or at the stored iteration next to it, per seed."""
    curve, peaks = curve_of(run, column), peak_iterations(run, "psnr_reference")
    at = np.abs(np.log(curve.iterations)[None] - np.log(peaks)[:, None]).argmin(1)
    return np.asarray(curve.values[np.arange(len(peaks)), at])


def preference(run: Run) -> Interval:
    """Return by how much more of the lowest band's energy is explained than of the highest's, at the peak."""
    return mean_interval(at_peak(run, ENERGIES[0]) - at_peak(run, ENERGIES[-1]))


def claim(runs: Mapping[str, Run]) -> Claim:
    """Return the claim on low frequencies and its verdict."""
    networks = {name: preference(run) for name, run in runs.items() if name != CONTROL}
    first = [name for name, found in networks.items() if above(found)]
    against = [name for name, found in networks.items() if above(found) is False]
    control = preference(runs[CONTROL]) if CONTROL in runs else Interval(np.nan, np.nan, np.nan)
    pixels = f"; pixels {control.value:+.2f} ({control.text})" if CONTROL in runs else ""
    least = min(networks.values(), key=lambda found: found.value, default=control)
    return Claim(
        "a network fits low frequencies first, and has hardly used the highest ones at its PSNR peak (Shi et al. 2022)",
        "a network explained as much of the highest band as of the lowest at its peak on the noisy image",
        f"the lowest band is ahead in {len(first)} of {len(networks)} networks, by {least.value:+.2f} at least "
        f"({least.text}){pixels}",
        None if not networks or (len(first) < len(networks) and not against) else not against,
    )


def draw_figure(selection: Selection) -> Artifact:
    """Draw figures/bands."""
    runs = noisy_runs(selection)
    if not runs:
        raise ValueError(f"no network has a fit to the noisy image; {selection.waiting}")
    natural = {
        job.config["experiment"]["change"]: job.run
        for job in selection.jobs
        if job.run and job.config["target"]["name"] == "natural"
    }
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
    figure.suptitle(claim(runs).title, fontsize=8)
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
    sys.exit(
        max(
            run_script("figures/bands", draw_figure, select, ["bands"]),
            run_script("tables/bands", draw_table, select, ["bands"]),
        )
    )
