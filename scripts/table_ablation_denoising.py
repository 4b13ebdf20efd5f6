"""The ablation: what one change of the network, its latent or its fit does to denoising, seed by seed."""

import sys
from collections.abc import Sequence

import numpy as np

from dip_experiments.drawing.curves import add_row
from dip_experiments.drawing.intervals import Interval, mean_interval, paired
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script, waiting
from dip_experiments.drawing.stored import peak_iterations, peaks
from dip_experiments.drawing.table import NONE, NOT_RUN, table_page
from dip_experiments.selection import select
from dip_experiments.store import Run

DEFAULT = "default"
Fits = dict[object, float]
"""A number for each picture and seed."""
NUMBERS = (
    "pairs", "average_peak", "difference", "difference_low", "difference_high", "interval", "average_iteration",
    "average_end", "output_peak", "output_iteration", "seconds_per_iteration",
)  # fmt: skip
LACKING = (NOT_RUN, *[NONE] * (len(NUMBERS) - 1))
TITLES = {
    "change": "change",
    "pairs": "fits",
    "average_peak": "peak",
    "difference": "difference",
    "interval": "95 % interval",
    "average_iteration": "at",
    "average_end": "at the end",
    "seconds_per_iteration": "s/iteration",
}
ABOVE = """\
Denoising at sigma 25 with one thing changed (conf/change). PSNR in dB of the averaged image at its peak, which only
the clean picture tells (the oracle's), mean over pictures and seeds, the median of the iteration of the peak, and the
PSNR at the last iteration. `difference`: to the default's peak of the same picture and seed, with Student's interval
over all pairs. The CSV also has the single output. Seconds of one network, of which three were fitted side by side,
partly beside other work."""


def draw(*selections: Selection) -> Page:
    """Writes tables/ablation_denoising."""
    found = fits_of(selections)
    columns: dict[str, list[str]] = {name: [] for name in ("change", *NUMBERS)}
    for change, runs in found.items():
        add_row(columns, change, *(cells(runs, found.get(DEFAULT, [])) if runs else LACKING))
    runs = [run for some in found.values() for run in some]
    return table_page(columns, TITLES, runs, ABOVE, waiting(*selections))


def fits_of(selections: Sequence[Selection]) -> dict[str, list[Run]]:
    """The runs of each change that was asked for, in the order of the asking."""
    found: dict[str, list[Run]] = {}
    for job in (job for selection in selections for job in selection.jobs):
        found.setdefault(job.words["experiment"]["change"], []).extend([job.run] if job.run else [])
    return found


def by_fit(runs: Sequence[Run], column: str = "psnr_average") -> Fits:
    """The peak of every picture and seed."""
    each = [(run, zip(run.seeds, peaks(run, column), strict=True)) for run in runs]
    return {(run.settings["image"]["name"], seed): float(peak) for run, pairs in each for seed, peak in pairs}


def difference(runs: Sequence[Run], default: Sequence[Run]) -> Interval | None:
    """Of the averages' peaks, change less default, paired by picture and seed; None without a pair."""
    found = paired(by_fit(runs), by_fit(default))
    return mean_interval(found) if found.size else None


def cells(runs: Sequence[Run], default: Sequence[Run]) -> Sequence[str]:
    """The numbers of one change."""
    apart = difference(runs, default)
    known = (f"{apart.value:+.2f}", f"{apart.low:.3f}", f"{apart.high:.3f}", apart.words) if apart else (NONE,) * 4
    end = np.concatenate([[run.summary["final"]["psnr_average"][r] for r in run.replicas] for run in runs])
    seconds = [run.summary["wall_seconds"] / run.summary["iterations"] / len(run.provenance["seeds"]) for run in runs]
    return (
        str(end.size),
        f"{np.mean(list(by_fit(runs).values())):.2f}",
        *known,
        f"{np.median(np.concatenate([peak_iterations(run, 'psnr_average') for run in runs])):.0f}",
        f"{end.mean():.2f}",
        f"{np.mean(list(by_fit(runs, 'psnr_reference').values())):.2f}",
        f"{np.median(np.concatenate([peak_iterations(run, 'psnr_reference') for run in runs])):.0f}",
        f"{np.median(seconds):.3f}",
    )


EXPERIMENTS = (
    "ablation_denoising",
    "ablation_size",
    "ablation_layers",
    "ablation_input",
    "ablation_fit",
    "ablation_lbfgs",
)
ASKED = [[name] for name in EXPERIMENTS]

if __name__ == "__main__":
    sys.exit(run_script("tables/ablation_denoising", draw, select, *ASKED))
