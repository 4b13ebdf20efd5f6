"""Impedance of several networks and how well they denoise: does impedance make a good denoiser?

Experiment: ablation_impedance.
Writes: figures/ablation_impedance, tables/ablation_impedance. Command: make ablation-impedance
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import Interval, rank_correlation
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.impedance import Impedance, measure_impedance, with_known_rank
from dip_experiments.analysis.run_data import peak_values
from dip_experiments.analysis.style import BLUE, label_points, sheet
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

TARGETS = ("natural", "noisy", "shuffled", "noise")
NUMBERS = (
    *TARGETS, "impedance", "impedance_low", "impedance_high", "interval", "noise_ratio", "psnr", "psnr_output",
)  # fmt: skip
TITLES = {
    "change": "network",
    "natural": "natural",
    "shuffled": "shuffled",
    "noise": "noise",
    "impedance": "impedance",
    "interval": "95 % interval",
    "noise_ratio": "noise/natural",
    "psnr": "denoising",
}
ABOVE = """\
Iterations to 90 % of each target's variance, medians over the seeds. `impedance`: those of the shuffled image, which
has the very values of the natural one, by those of the natural image; geometric mean over the seeds, with Student's
interval of its logarithm. `denoising`: PSNR in dB of the averaged image at its peak on the noisy target (the
oracle's), without perturbations; the CSV also has that of the single output."""


@dataclass(frozen=True)
class Measured:
    """One network: its impedance, PSNR of the best average and of the best output on the noisy image."""

    impedance: Impedance
    psnr: float
    psnr_output: float


def draw_table(selection: Selection) -> Artifact:
    """Draw tables/ablation_impedance."""
    found = measured(selection)
    changes = dict.fromkeys(job.config["experiment"]["change"] for job in selection.jobs)
    rows = ((change, *(cells(found[change]) if change in found else [NOT_RUN])) for change in changes)
    frame = table_of(rows, ("change", *NUMBERS))
    return make_table(frame, TITLES, selection.runs, f"{ABOVE} {verdict(found)}", selection.waiting)


def measured(selection: Selection) -> dict[str, Measured]:
    """Return the networks of which all targets were fitted."""
    runs: dict[str, dict[str, Run]] = {}
    for job in selection.jobs:
        if job.run:
            runs.setdefault(job.config["experiment"]["change"], {})[job.config["target"]["name"]] = job.run
    return {change: measure(fits) for change, fits in runs.items() if set(fits) == set(TARGETS)}


def measure(fits: Mapping[str, Run]) -> Measured:
    """Measure the fits of one network."""
    best, single = (float(peak_values(fits["noisy"], name).mean()) for name in ("psnr_average", "psnr_reference"))
    return Measured(measure_impedance(fits), best, single)


def cells(network: Measured) -> Sequence[str]:
    """Return the numbers of one network; `>N` where N iterations did not reach what was looked for."""
    impedance, interval = network.impedance, network.impedance.interval
    known, counts = np.isfinite(interval.low), [impedance.iterations[target] for target in TARGETS]
    return (
        *(f"{count:g}" if np.isfinite(count) else f">{impedance.limit}" for count in counts),
        at_least(impedance.value, impedance),
        *((f"{interval.low:.3f}", f"{interval.high:.3f}", f"{interval.low:.2f} to {interval.high:.2f}")
          if known else (NONE, NONE, NONE)),
        at_least(impedance.ratio("noise"), impedance),
        f"{network.psnr:.2f}",
        f"{network.psnr_output:.2f}",
    )  # fmt: skip


def at_least(ratio: float, impedance: Impedance) -> str:
    """Format a ratio to the natural image's iterations, or what it exceeds."""
    if np.isnan(ratio):
        return NONE  # not even the natural image was reached
    return f"{ratio:.2f}" if np.isfinite(ratio) else f">{impedance.bound:.2f}"


def correlation(networks: Mapping[str, Measured]) -> Interval:
    """Correlate the ranks of impedance and denoising, over networks whose order is known."""
    pairs = np.array([(one.impedance.value, one.psnr) for one in networks.values()]).reshape(-1, 2)
    return rank_correlation(*pairs.T)


def verdict(networks: Mapping[str, Measured]) -> str:
    """Return the sentence on the rank correlation."""
    known = with_known_rank(networks)
    found = correlation(known)
    if not np.isfinite(found.value):
        return "Too few networks are run to compare impedance and denoising."
    without = [name for name in networks if name not in known]
    left_out = f"; left out, as their rank is not known: {', '.join(without)}" if without else ""
    return (
        f"Rank correlation of impedance and denoising over {len(known)} networks: {found.value:+.2f} "
        f"(95 % interval {found.text}, by drawing networks with replacement{left_out})."
    )


def draw_figure(selection: Selection) -> Artifact:
    """Draw figures/ablation_impedance."""
    every = measured(selection)
    if not every:
        raise ValueError(f"no network has runs of all its targets; {selection.waiting}")
    networks = {name: one for name, one in every.items() if one.impedance.fits_natural}
    figure, (part,) = sheet(4.2)
    axis = part.subplots()
    rows = []
    points: dict[str, tuple[float, float]] = {}
    for name, network in networks.items():
        interval, x = network.impedance.interval, network.impedance.value
        reached = bool(np.isfinite(x))
        x = x if reached else network.impedance.bound
        if np.isfinite(interval.low):
            axis.plot([interval.low, interval.high], [network.psnr] * 2, color=BLUE, alpha=0.4)
        axis.plot(x, network.psnr, "o" if reached else ">", color=BLUE)
        points[name.replace("_", " ")] = (x, network.psnr)
        numbers = (x, interval.low, interval.high)
        rows.append((name, *(f"{value:.3f}" for value in numbers), reached, f"{network.psnr:.3f}"))
    axis.set(
        xscale="log",
        xticks=(0.2, 0.5, 1, 2, 5, 10, 20),
        xticklabels=("0.2", "0.5", "1", "2", "5", "10", "20"),
        xlabel="impedance: iterations for the shuffled image by those for the image (arrow: more)",
        ylabel="denoising: best PSNR of the average (dB, oracle)",
    )
    axis.minorticks_off()
    axis.margins(x=0.08)
    known = with_known_rank(every)
    found = correlation(known)
    title = f"rank correlation {found.value:+.2f} ({found.text}) over {len(known)} networks"
    if without := [name for name in every if name not in networks]:
        title += f"\nnot even the natural image was fitted by {', '.join(without)}"
    if unknown := [name for name in networks if name not in known]:
        title += f"\nnot in the correlation, as their iterations leave the rank open: {', '.join(unknown)}"
    figure.suptitle(f"Is impedance what makes a good denoiser? {title}", fontsize=9)
    label_points(figure, axis, points)
    table = pd.DataFrame(rows, columns=["change", "impedance", "low", "high", "reached", "psnr"])
    return Artifact(figure, table, selection.runs, selection.waiting)


if __name__ == "__main__":
    sys.exit(
        run_script(
            {"figures/ablation_impedance": draw_figure, "tables/ablation_impedance": draw_table},
            select,
            ["ablation_impedance"],
        )
    )
