"""When to stop: each rule's stop against the oracle of the plain fit of the same seed, fit by fit."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.confidence import picture_interval
from dip_experiments.analysis.curves import add_row
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.independence import counted
from dip_experiments.analysis.run_data import rising
from dip_experiments.analysis.table import NONE, NOT_RUN, table_page
from dip_experiments.runner.select_runs import select
from dip_experiments.stopping import outdated
from dip_experiments.store import Run, Selection, stop_image, waiting

ORACLES = {"output": "psnr_reference", "average": "psnr_average", "mean": "psnr_mean"}
"""The curve of each kind of image."""
PLAIN = "plain"
"""The kind of fit that no rule changes."""
RULES = {
    "split": "split",
    "held_out_pixels": "held_out",
    "discrepancy": PLAIN,
    "windowed_variance": PLAIN,
    "moving_variance": PLAIN,
    "fixed": PLAIN,
}
"""The kind of fit that each rule watches."""
NOISES = {
    "gaussian25": "sigma 25",
    "gaussian50": "sigma 50",
    "gaussian10": "sigma 10",
    "poisson": "Poisson",
    "gamma": "speckle",
    "clipped25": "clipped",
    "grey25": "same in channels",
    "blurred25": "neighbours share",
}
TITLES = {
    "noise": "noise",
    "rule": "rule",
    "gap": "mean gap",
    "median": "median",
    "worst": "worst",
    "ensemble": "of ensemble",
    "cost": "cost of fit",
    "sure": "sure",
}
ABOVE = """\
`gap`: by how many dB the averaged image of a fit that is stopped by a rule lies below the oracle, the best averaged
image of the plain fit of the same seed, which looks at the clean picture. The split fits the picture with more noise
and held-out pixels hide some, so each has a fit of its own: `cost of fit` is the part of the gap that this alone
costs, from the oracle of its own fit to that of the plain one. `of ensemble`: the gap of the mean of the replicas of
one noisy picture, at their joint stop, to the best such mean of the plain fit. Means are over the pictures' own
means, +- half of Student's 95 % interval in which a picture is one observation; median and worst are over all fits.
`sure`: share of the fits in which a rule believed its stop within the iterations there were; in the others its best
guess counts, and the last image where it has none. The last three noises are not what the rules take them for. The
split must know the noise's law, held-out pixels that it is independent from pixel to pixel, the discrepancy its
strength, which is estimated; windowed and moving variance nothing. The CSV has every fit. {behind}"""
OLDER = " `{rule}` is of {count} of the {all} fits: in the others it watched by older code, which found other things."


@dataclass(frozen=True)
class Row:
    """One fit, rule and kind of image; a `stop_iteration` of None says that none was found.

    `oracle` and `oracle_iteration` are of the plain fit; `gap` is from `psnr`, at the stop, to `oracle`, `fit_cost`
    from the oracle of the rule's own fit to it, in dB.
    """

    rule: str
    image: str
    noise: str
    sigma: str
    draw: int
    seed: str
    output: str
    stop_iteration: int | None
    iterations_spent: int
    oracle_iteration: int
    oracle: float
    psnr: float
    gap: float
    fit_cost: float
    sure: bool


def rows_of(runs: Sequence[Run]) -> Iterator[Row]:
    """Yield the rows of all runs beside which the plain one of the same picture, noise and seeds was made."""
    plain = {noisy_picture(run): run for run in runs if kind_of(run) == PLAIN}
    for run in runs:
        if reference := plain.get(noisy_picture(run)):
            for rule, found in found_by(run).items():
                for output in ORACLES:
                    yield from rows_of_rule(run, reference, rule, found, output)


def rows_of_rule(run: Run, plain: Run, rule: str, found: Mapping[str, Any], output: str) -> Iterator[Row]:
    """Yield one rule's rows of one kind of image, of the replicas that have numbers in both fits."""
    words, last = run.settings, int(run.summary["iterations"])
    patience = words["observe"][rule].get("patience", 0)
    both = [replica for replica in run.replicas if replica in plain.replicas]
    for replica in both[:1] if output == "mean" else both:
        stop, sure = stop_of(found, output, replica)
        oracle, own = (float(one.summary["oracle_peak"][ORACLES[output]][replica]) for one in (plain, run))
        psnr = at_stop(run, rule, output, replica, stop)
        yield Row(
            rule=rule,
            image=words["image"]["name"],
            noise=noise_of(words),
            sigma=str(words["task"]["noise"].get("sigma", NONE)),
            draw=words["experiment"]["draw"],
            seed="all" if output == "mean" else str(run.provenance["seeds"][replica]),
            output=output,
            stop_iteration=stop,
            iterations_spent=min((stop or 0) + patience, last) if sure else last,
            oracle_iteration=plain.summary["oracle_iteration"][ORACLES[output]][replica],
            oracle=oracle,
            psnr=psnr,
            gap=oracle - psnr,
            fit_cost=oracle - own,
            sure=sure,
        )


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


def kind_of(run: Run) -> str:
    """Return what was fitted: plain, split or held_out."""
    return str(run.settings["experiment"]["kind"])


def noisy_picture(run: Run) -> tuple[Any, ...]:
    """Return what runs of different kinds have in common where they began with the same noisy picture."""
    image = run.settings["image"]
    return image["name"], image["path"], noise_of(run.settings), run.settings["seed"]


def draw(study: Selection, others: Selection) -> Page:
    """Writes tables/stopping."""
    runs, waits = [*study.runs, *others.runs], waiting(study, others)
    rows, asked = list(rows_of(runs)), {noise_of(job.words) for job in (*study.jobs, *others.jobs)}
    shown = summed_up(rows, [noise for noise in NOISES if noise in asked])
    above = ABOVE.format(behind=behind(rows)) + still_rising(runs) + left_out(runs)
    page = table_page(shown, TITLES, runs, above, waits)
    return Page(page.shown, columns_of(rows), runs, waits)


def behind(rows: Sequence[Row]) -> str:
    """Return of how many draws and pictures the lines of each noise are."""
    draws: dict[str, set[tuple[str, int]]] = {}
    for row in rows:
        draws.setdefault(NOISES[row.noise], set()).add((row.image, row.draw))
    found = (f"{n}, {counted(len(d), 'draw')} of {counted(len(dict(d)), 'picture')}" for n, d in draws.items())
    return f"Noise drawn: {'; '.join(found)}." if draws else ""


def still_rising(runs: Sequence[Run]) -> str:
    """Return how many fits of each kind end while their averaged image still rises, and their oracle would too."""
    up: Counter[str] = Counter()
    for run in runs:
        up[kind_of(run)] += rising(run)
    told = (f"{n} of the {sum(len(r.seeds) for r in runs if kind_of(r) == kind)} {kind}" for kind, n in up.items() if n)
    found = ", ".join(told).replace("_", " ")
    return f" The averaged image still rises at the last iteration of {found} fits." if found else ""


def left_out(runs: Sequence[Run]) -> str:
    """What is to be said of rules that watched some of the fits by older code."""
    counts = Counter(rule for run in runs for rule in run.summary["stopping"].keys() - found_by(run).keys())
    return "".join(OLDER.format(rule=rule, count=len(runs) - n, all=len(runs)) for rule, n in sorted(counts.items()))


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """What the CSV has."""
    in_db = ("oracle", "psnr", "gap", "fit_cost")
    words = [asdict(row) | {name: f"{getattr(row, name):.4f}" for name in in_db} for row in rows]
    return {field.name: ["" if row[field.name] is None else row[field.name] for row in words] for field in fields(Row)}


def summed_up(rows: Sequence[Row], noises: Sequence[str]) -> dict[str, list[str]]:
    """Per noise and rule: gap of the averaged image and of the ensemble, and what the rule's fit costs."""
    columns: dict[str, list[str]] = {name: [] for name in TITLES}
    for noise in noises:
        for rule in RULES:
            some = [row for row in rows if row.rule == rule and row.noise == noise]
            add_row(columns, NOISES[noise], rule, *statistics(some, changed=RULES[rule] != PLAIN))
    return columns


def statistics(rows: Sequence[Row], changed: bool) -> tuple[str, ...]:
    """Mean, median and worst gap, that of the ensemble, the fit's cost if the rule has `changed` it, share of sure."""
    single = [row for row in rows if row.output == "average"]
    if not single:
        return (NOT_RUN, NONE, NONE, NONE, NONE, NONE)
    gaps = np.array([row.gap for row in single])
    return (
        mean_over_pictures(single, "gap"),
        f"{np.median(gaps):.2f}",
        f"{gaps.max():.2f}",
        mean_over_pictures([row for row in rows if row.output == "mean"], "gap"),
        mean_over_pictures(single, "fit_cost") if changed else NONE,
        f"{100 * np.mean([row.sure for row in single]):.0f} %",
    )


def mean_over_pictures(rows: Sequence[Row], number: str) -> str:
    """Return the mean over pictures, `0.12 +- 0.05` with half of its 95 % interval; without where there is one."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.image, []).append(getattr(row, number))
    return picture_interval(values).plus_minus


ASKED = (["study_stopping"], ["study_noises"])

if __name__ == "__main__":
    sys.exit(run_script("tables/stopping", draw, select, *ASKED))
