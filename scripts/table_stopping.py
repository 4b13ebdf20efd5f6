"""When to stop: each rule's stop against the oracle's, fit by fit."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from dip_experiments.drawing.curves import add_row
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script, waiting
from dip_experiments.drawing.table import NONE, table_page
from dip_experiments.selection import select
from dip_experiments.stopping import outdated
from dip_experiments.store import Run, stop_image

ORACLES = {"output": "psnr_reference", "average": "psnr_average", "mean": "psnr_mean"}
"""The curve of each kind of image."""
KNOWS = {
    "split": "law of the noise",
    "held_out_pixels": "pixels independent",
    "discrepancy": "sigma, estimated",
    "windowed_variance": "nothing",
    "moving_variance": "nothing",
    "fixed": "the iteration",
}
UNEXPECTED = {"clipped25": "clipped", "grey25": "same in all channels", "blurred25": "shared by neighbours"}
EXPECTED = "as expected"
TITLES = {
    "rule": "rule",
    "knows": "must know",
    "noise": "noise",
    "median": "median gap",
    "ninety": "90 %",
    "worst": "worst",
    "extra": "extra",
    "sure": "sure",
}
ABOVE = """\
Gap in dB between the best PSNR that the averaged image has on its trajectory (the oracle's, which looks at the clean
picture) and its PSNR where a rule stops: median, 90 % and worst over all fits and seeds; no rule ends the fit here.
Noise {expected}: Gaussian of sigma 10, 25 and 50, Poisson, speckle; the other noises are not what the rules take them
for. `extra`: iterations that a rule goes on for before it believes its stop, in the median. `sure`: share of the fits
in which it did so within the iterations there were; in the others its best guess counts. The levels of the noise are
estimated from the picture. Single outputs, means of the replicas and all numbers are in the CSV."""
OLDER = " `{rule}` is of {count} of the {all} fits: in the others it watched by older code, which found other things."


@dataclass(frozen=True)
class Row:
    """One fit and rule and kind of image; a `gap` is in dB, a `stop_iteration` of None says that none was found."""

    rule: str
    image: str
    noise: str
    sigma: str
    seed: str
    output: str
    stop_iteration: int | None
    iterations_spent: int
    oracle_iteration: int
    gap: float
    sure: bool


def rows_of(run: Run, noise: str) -> Iterator[Row]:
    """All rows of a run."""
    words, summary = run.settings, run.summary
    sigma = str(words["task"]["noise"].get("sigma", NONE))
    for rule, found in found_by(run).items():
        patience = words["observe"][rule].get("patience", 0)
        for output in ORACLES:
            for replica in run.replicas[:1] if output == "mean" else run.replicas:
                stop, sure = stop_of(found, output, replica)
                spent = min((stop or 0) + patience, summary["iterations"]) if sure else summary["iterations"]
                seed = "all" if output == "mean" else str(run.provenance["seeds"][replica])
                where = summary["oracle_iteration"][ORACLES[output]][replica]
                gap = summary["oracle_peak"][ORACLES[output]][replica] - at_stop(run, rule, output, replica, stop)
                image = words["image"]["name"]
                yield Row(rule, image, noise, sigma, seed, output, stop, spent, where, gap, sure)


def found_by(run: Run) -> dict[str, Mapping[str, Any]]:
    """What each rule found, without those that would find other things by today's code."""
    older = outdated(run.observer_epochs)
    return {rule: words for rule, words in run.summary["stopping"].items() if rule not in older}


def stop_of(found: Mapping[str, Any], output: str, replica: int) -> tuple[int | None, bool]:
    """Where a rule stops a replica, or the mean of all, and whether it has made sure."""
    if output == "mean":
        return found["joint"], found["joint_final"]
    return found["iteration"][replica], found["final"][replica]


def at_stop(run: Run, rule: str, output: str, replica: int, stop: int | None) -> float:
    """PSNR of the image that the rule gives; of the last one where it stops nowhere."""
    if stop is None:
        return float(run.summary["final"][ORACLES[output]][replica])
    psnr = run.summary["scores"][stop_image(rule, output)]["psnr"]
    return float(psnr[0 if output == "mean" else replica])


def noise_of(words: Mapping[str, Any]) -> str:
    """The noise's name in the experiment."""
    return str(words["experiment"]["noise"])


def draw(study: Selection, others: Selection) -> Page:
    """Writes tables/stopping."""
    runs, waits = [*study.runs, *others.runs], waiting(study, others)
    rows = [row for run in runs for row in rows_of(run, noise_of(run.settings))]
    page = table_page(summed_up(rows), TITLES, runs, ABOVE.format(expected=EXPECTED) + left_out(runs), waits)
    return Page(page.shown, columns_of(rows), runs, waits)


def left_out(runs: Sequence[Run]) -> str:
    """What is to be said of rules that watched some of the fits by older code."""
    counts = Counter(rule for run in runs for rule in run.summary["stopping"].keys() - found_by(run).keys())
    return "".join(OLDER.format(rule=rule, count=len(runs) - n, all=len(runs)) for rule, n in sorted(counts.items()))


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """What the CSV has."""
    words = [asdict(row) | {"gap": f"{row.gap:.4f}", "stop_iteration": row.stop_iteration or ""} for row in rows]
    return {field.name: [row[field.name] for row in words] for field in fields(Row)}


def summed_up(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Per rule and noise, of the averaged image."""
    columns: dict[str, list[str]] = {name: [] for name in TITLES}
    for rule, knows in KNOWS.items():
        for noise in (EXPECTED, *UNEXPECTED.values()):
            some = [row for row in rows if row.rule == rule and row.output == "average" and kind(row.noise) == noise]
            add_row(columns, rule, knows, noise, *statistics(some))
    return columns


def kind(noise: str) -> str:
    """Whether the rules expect it."""
    return UNEXPECTED.get(noise, EXPECTED)


def statistics(rows: Sequence[Row]) -> tuple[str, ...]:
    """Median, 90 % and worst gap, extra iterations, share of the fits in which the rule has made sure."""
    if not rows:
        return ("not run", NONE, NONE, NONE, NONE)
    gaps = np.array([row.gap for row in rows])
    extra = np.median([row.iterations_spent - (row.stop_iteration or row.iterations_spent) for row in rows])
    sure = np.mean([row.sure for row in rows])
    shown = (np.median(gaps), np.quantile(gaps, 0.9), gaps.max())
    return (
        *(f"{round(gap, 3) + 0:.3f}" for gap in shown),
        f"{extra:.0f}",
        f"{100 * sure:.0f} %",
    )


ASKED = (["study_stopping"], ["study_noises"])

if __name__ == "__main__":
    sys.exit(run_script("tables/stopping", draw, select, *ASKED))
