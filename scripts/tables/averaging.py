"""Averaging runs: what the mean of 2, 4, 8 runs of one noisy picture gains, and how many the authors may have averaged.

Experiments: table_denoising. Writes: tables/averaging. Command: make table-denoising
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.curves import shared_error, to_decibels
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
from dip_experiments.published import find, find_one
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

PUBLISHED = {"table": "denoising", "setting": "sigma25"}
COUNTS = (2, 4, 8, np.inf)
"""Numbers of runs whose mean is computed; the last one: of any number."""
PICTURES, ROUNDING, DRAWS = 9, 0.005, 10_000
"""Of the paper's means: pictures, dB by which a printed number may be rounded, draws of what it may have been."""
TITLES = {
    "image": "image",
    "seeds": "seeds",
    "one": "one run",
    "two_measured": "two, measured",
    "two": "two",
    "four": "four",
    "eight": "eight",
    "any": "any number",
}
ABOVE = """\
Averages of denoising runs at sigma 25 with the authors' noisy pictures, which all seeds see: PSNR in dB of the running
average of one run after the last iteration, mean over the seeds, and what the mean of several runs' averages adds.
The mean of k runs has the mean squared error b + v / k, as seeds are independent of each other; b and v follow from the
error of single runs and that of the mean of all. `two, measured` is the mean of the first two."""


@dataclass(frozen=True)
class Errors:
    """Mean squared error b + v / k of the mean of k runs: what all share, and what is each one's own."""

    shared: float
    own: float

    @classmethod
    def of(cls, one: float, several: float, count: int) -> "Errors":
        """Return those by the PSNR of single runs and that of the mean of `count` of them."""
        shared = shared_error(_error(one), _error(several), count)
        return cls(shared, _error(one) - shared)

    def psnr(self, count: float) -> float:
        """Return the PSNR of the mean of so many runs."""
        return float(to_decibels(self.shared + self.own / count))

    def gain(self, count: float) -> float:
        """Return by how much that is above a single run, in dB."""
        return self.psnr(count) - self.psnr(1)

    def count(self, psnr: float) -> float:
        """Return of how many runs the mean has that PSNR; infinity if none has."""
        left = _error(psnr) - self.shared
        return self.own / left if left > 0 else np.inf


def _error(psnr: float) -> float:
    return float(10 ** (-psnr / 10))


def measured(run: Run) -> tuple[Errors, float]:
    """Return the errors of a run's seeds, and the measured gain of the mean of the first two."""
    singles = 10 ** (-run.scores("average", "psnr") / 10)
    one, first_two = (float(to_decibels(some.mean())) for some in (singles, singles[:2]))
    several = run.summary["scores"]["mean"]["psnr"][0]
    return Errors.of(one, several, len(singles)), run.summary["scores"]["mean_of_2"]["psnr"][0] - first_two


def row(name: str, seeds: str, one: float, gains: Sequence[float]) -> tuple[str, ...]:
    """Return the cells of a picture, or of the means."""
    return name, seeds, f"{one:.2f}", *(f"{gain:+.2f}" for gain in gains)


def draw(study: Selection) -> Artifact:
    """Draw tables/averaging. Raises ValueError if no picture has two seeds."""
    found = {picture_name(run.settings): measured(run) for run in study.runs if len(run.seeds) > 1}
    if not found:
        raise ValueError(f"no picture has two seeds to be averaged; {study.waiting or 'ask for replicas=2'}")
    gains = {name: [two, *(errors.gain(count) for count in COUNTS)] for name, (errors, two) in found.items()}
    singles = {name: errors.psnr(1) for name, (errors, _) in found.items()}
    seeds = {picture_name(run.settings): str(len(run.seeds)) for run in study.runs}
    rows = [row(name, seeds[name], singles[name], some) for name, some in gains.items()]
    rows += [(name, count, NOT_RUN) for name, count in seeds.items() if name not in found]
    rows += [(picture_name(config), NONE, NOT_RUN) for config in study.missing]
    means = np.mean([*gains.values()], axis=0)
    rows.append(row(f"mean of {len(found)}", NONE, fmean(singles.values()), means))
    limit = mean_interval(np.array([some[-1] for some in gains.values()]))
    frame = table_of(rows, (*TITLES,))
    runs = [run for run in study.runs if picture_name(run.settings) in found]
    return make_table(frame, TITLES, runs, f"{ABOVE} {verdict(limit, deviation(runs))}", study.waiting)


def deviation(runs: Sequence[Run]) -> float:
    """Return by how many dB the mean of the paper's pictures, one run of each, varies with the seeds."""
    variances = [run.scores("average", "psnr").var(ddof=1) for run in runs]
    return float((fmean(variances) / PICTURES) ** 0.5)


def counts(one: float, two: float, page: float, varies: float) -> tuple[float, float]:
    """Return between which numbers of runs the page's may be, in 95 of 100 draws of seeds and rounding."""
    draw = np.random.default_rng(0)
    drawn = np.array([one, two, page]) + draw.uniform(-ROUNDING, ROUNDING, (DRAWS, 3))
    drawn += varies * draw.standard_normal((DRAWS, 3)) / np.sqrt([1, 2, Errors.of(one, two, 2).count(page)])
    found = [Errors.of(first, both, 2).count(mean) if both > first else np.inf for first, both, mean in drawn.tolist()]
    low, high = np.sort(found)[[int(0.025 * DRAWS), int(0.975 * DRAWS)]]
    return float(low), float(high)


def verdict(limit: Interval, varies: float) -> str:
    """Say what the paper's numbers make of its page's results; `limit`: our gain of any number of runs."""
    one, two = (find_one(**PUBLISHED, image="mean", method=name).value for name in ("dip_ema", "dip_ema_two_runs"))
    page = fmean(number.value for number in find(**PUBLISHED, method="deep_prior"))
    theirs = Errors.of(one, two, 2)
    low, high = counts(one, two, page, varies)
    return (
        f"The paper prints {one:.2f} dB for one run and {two:.2f} for two: by the same formula {theirs.psnr(4):.2f} "
        f"for four and {theirs.psnr(np.inf):.2f} for any number. The results on the authors' page average {page:.2f} "
        f"dB: that of {theirs.count(page):.1f} runs, of {low:.1f} to {high:.1f} if the paper's means vary with seeds "
        f"as ours, by {varies:.2f} dB. Of ours any number gains {limit.value:.2f} dB ({limit.text})."
    )


if __name__ == "__main__":
    sys.exit(run_script({"tables/averaging": draw}, select, ["table_denoising", "task/noise=noisy25"]))
