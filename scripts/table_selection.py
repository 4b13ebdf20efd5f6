"""Settings per picture: which of four the split chooses without the clean picture, and which one that would choose."""

import sys
from collections.abc import Mapping, Sequence

from dip_experiments.drawing.curves import add_row
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script
from dip_experiments.drawing.table import NONE, NOT_RUN, table_page
from dip_experiments.selection import select
from dip_experiments.store import Run, stop_image

TITLES = {
    "image": "image",
    "default": "default",
    "chosen": "the split's choice",
    "chosen_psnr": "its PSNR",
    "best": "the oracle's choice",
    "best_psnr": "its PSNR ",
    "loss": "lost",
    "fits": "fits",
}
ABOVE = """\
Denoising at sigma 25 with four settings of the fit, four replicas each, stopped by the split; PSNR in dB of the
replicas' mean at that stop. `the split's choice`: the setting whose estimated error is the smallest, which needs no
clean picture. `the oracle's choice`: the setting that the clean picture would choose; `lost` is the difference."""


def draw(study: Selection) -> Page:
    """Writes tables/selection."""
    pictures = list(dict.fromkeys(job.words["image"]["name"] for job in study.jobs))
    columns: dict[str, list[str]] = {name: [] for name in TITLES}
    for picture in pictures:
        runs = {setting(run): run for run in study.runs if run.settings["image"]["name"] == picture}
        count = sum(job.words["image"]["name"] == picture for job in study.jobs)
        add_row(columns, *row(picture, runs, count))
    return table_page(columns, TITLES, study.runs, ABOVE, study.waiting)


def row(picture: str, runs: Mapping[str, Run], count: int) -> Sequence[str]:
    """One line of the table; nothing is chosen before all settings were fitted."""
    if len(runs) < count:
        return (picture, NOT_RUN, NONE, NONE, NONE, NONE, NONE, f"{len(runs)} of {count}")
    chosen = min(runs, key=lambda name: estimate(runs[name]))
    best = max(runs, key=lambda name: psnr(runs[name]))
    numbers = {name: f"{psnr(runs[name]):.2f}" for name in runs}
    lost = psnr(runs[best]) - psnr(runs[chosen])
    return (picture, numbers["default"], chosen, numbers[chosen], best, numbers[best], f"{lost:.2f}", str(count))


def setting(run: Run) -> str:
    """Its name in the experiment."""
    return str(run.settings["experiment"]["setting"])


def estimate(run: Run) -> float:
    """Mean squared error of the mean image as the split has it."""
    return float(run.summary["stopping"]["split"]["estimate"]["mse"])


def psnr(run: Run) -> float:
    """Of the mean image at the split's stop."""
    return float(run.summary["scores"][stop_image("split", "mean")]["psnr"][0])


if __name__ == "__main__":
    sys.exit(run_script("tables/selection", draw, select, ["study_selection"]))
