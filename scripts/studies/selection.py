"""Settings per image: which of four the split chooses without the clean image, and which one the oracle chooses.

Experiment: study_selection. Writes: tables/selection. Command: make study-stability
"""

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import picture_interval
from dip_experiments.analysis.curves import add_row
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Job, Run, Selection, stop_image

TITLES = {
    "image": "image",
    "draw": "draw",
    "default": "default",
    "chosen": "the split's choice",
    "chosen_psnr": "PSNR of it",
    "best": "the oracle's choice",
    "best_psnr": "PSNR of that",
    "loss": "lost",
}
ABOVE = """\
Denoising at sigma 25 with four settings of the fit, four replicas each, stopped by the split; PSNR in dB of the
replicas' mean at that stop. `the split's choice`: the setting whose estimated error is the smallest, which needs no
clean picture. `the oracle's choice`: the setting that the clean picture would choose; `lost` is the difference. """
LOST = """\
Lost, mean over pictures, +- half of Student's 95 % interval in which a picture is one observation: {chosen} by the
split, which chose as the oracle {right} of {all} times; by the same setting for all pictures {fixed}."""
Runs = Mapping[str, Run]
"""Those of one noisy picture, by setting."""


def draw(study: Selection) -> Artifact:
    """Draw tables/selection."""
    names = list(dict.fromkeys(str(job.config["experiment"]["setting"]) for job in study.jobs))
    columns: dict[str, list[str]] = {name: [] for name in (*TITLES, "fits", *(f"loss_of_{name}" for name in names))}
    found = noisy_pictures(study.jobs)
    for (picture, number), (runs, count) in found.items():
        add_row(columns, picture, str(number), *row(runs, count, names))
    complete = [(picture, runs) for (picture, _), (runs, count) in found.items() if len(runs) == count]
    return make_table(columns, TITLES, study.runs, ABOVE + (in_the_mean(complete) if complete else ""), study.waiting)


def noisy_pictures(jobs: Sequence[Job]) -> dict[tuple[str, int], tuple[dict[str, Run], int]]:
    """Return the runs of each picture and draw by setting, and how many are requested."""
    found: dict[tuple[str, int], tuple[dict[str, Run], int]] = {}
    for job in jobs:
        key = str(job.config["image"]["name"]), int(job.config["experiment"]["draw"])
        runs, count = found.get(key, ({}, 0))
        found[key] = (runs | ({setting(job.run): job.run} if job.run else {}), count + 1)
    return found


def row(runs: Runs, count: int, names: Sequence[str]) -> Sequence[str]:
    """Return one line of the table; nothing is chosen before all settings were fitted."""
    if len(runs) < count:
        return (NOT_RUN, *[NONE] * 5, f"{len(runs)} of {count}", *[NONE] * len(names))
    chosen, best = choices(runs)
    numbers = {name: f"{psnr(runs[name]):.2f}" for name in runs}
    each = (f"{lost(runs, name):.2f}" for name in names)
    choice = (chosen, numbers[chosen], best, numbers[best], f"{lost(runs, chosen):.2f}")
    return (numbers.get("default", NONE), *choice, str(count), *each)


def choices(runs: Runs) -> tuple[str, str]:
    """Return the split's choice and the oracle's."""
    return min(runs, key=lambda name: estimate(runs[name])), max(runs, key=lambda name: psnr(runs[name]))


def lost(runs: Runs, name: str) -> float:
    """Return by how many dB a setting lies below the oracle's choice."""
    return max(map(psnr, runs.values())) - psnr(runs[name])


def in_the_mean(found: Sequence[tuple[str, Runs]]) -> str:
    """Return what the split's choices lose, and what it would to choose one setting for all pictures."""
    by_split: dict[str, list[float]] = {}
    by_one: dict[str, dict[str, list[float]]] = {}
    for picture, runs in found:
        by_split.setdefault(picture, []).append(lost(runs, choices(runs)[0]))
        for name in runs:
            by_one.setdefault(name, {}).setdefault(picture, []).append(lost(runs, name))
    right = int(np.sum([chosen == best for chosen, best in (choices(runs) for _, runs in found)]))
    fixed = ", ".join(f"{picture_interval(values).plus_minus} ({name})" for name, values in by_one.items())
    return LOST.format(chosen=picture_interval(by_split).plus_minus, right=right, all=len(found), fixed=fixed)


def setting(run: Run) -> str:
    """Return its name in the experiment."""
    return str(run.settings["experiment"]["setting"])


def estimate(run: Run) -> float:
    """Return the mean squared error of the mean image as the split has it."""
    return float(run.summary["stopping"]["split"]["estimate"]["mse"])


def psnr(run: Run) -> float:
    """Return the PSNR of the mean image at the split's stop."""
    return float(run.summary["scores"][stop_image("split", "mean")]["psnr"][0])


if __name__ == "__main__":
    sys.exit(run_script("tables/selection", draw, select, ["study_selection"]))
