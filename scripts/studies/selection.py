"""Settings per image: which of four the split chooses without the clean image, and which one the oracle chooses.

Experiment: study_selection. Writes: tables/selection. Command: make study-stability
"""

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import mean_over_pictures
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
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


def draw(study: Selection) -> Artifact:
    """Draw tables/selection."""
    fits = fits_of(study.jobs)
    names, draws = fits["setting"].unique(), fits.groupby(["image", "draw"], sort=False)
    rows = [(picture, number, *row(some.set_index("setting"), names)) for (picture, number), some in draws]
    frame = table_of(rows, (*TITLES, "fits", *(f"loss_of_{name}" for name in names)))
    complete = fits[draws["psnr"].transform("count") == draws["psnr"].transform("size")]
    above = ABOVE if complete.empty else ABOVE + in_the_mean(complete)
    return make_table(frame, TITLES, study.runs, above, study.waiting)


def fits_of(jobs: Sequence[Job]) -> pd.DataFrame:
    """Return a row for each job: picture, draw and setting, PSNR and what the split estimates; NaN if not run."""
    rows = [
        (
            picture_name(job.config),
            job.config["experiment"]["draw"],
            job.config["experiment"]["setting"],
            *((psnr(job.run), estimate(job.run)) if job.run else (np.nan, np.nan)),
        )
        for job in jobs
    ]
    return pd.DataFrame(rows, columns=["image", "draw", "setting", "psnr", "estimate"])


def row(fits: pd.DataFrame, names: Sequence[str]) -> Sequence[str]:
    """Return one line of the table; nothing is chosen before all settings were fitted."""
    if (count := fits["psnr"].count()) < len(fits):
        return (NOT_RUN, *[NONE] * 5, f"{count} of {len(fits)}")
    chosen, best = fits["estimate"].idxmin(), fits["psnr"].idxmax()
    reached, lost = (values.map("{:.2f}".format) for values in (fits["psnr"], fits["psnr"].max() - fits["psnr"]))
    choice = (chosen, reached[chosen], best, reached[best], lost[chosen])
    return (reached.get("default", NONE), *choice, str(len(fits)), *lost.reindex(names, fill_value=NONE))


def in_the_mean(fits: pd.DataFrame) -> str:
    """Return what the split's choices lose, and what it would to choose one setting for all pictures."""
    draws = fits.groupby(["image", "draw"], sort=False)
    fits = fits.assign(lost=draws["psnr"].transform("max") - fits["psnr"])
    chosen, best = draws["estimate"].idxmin(), draws["psnr"].idxmax()
    fixed = (f"{mean_over_pictures(some, 'lost')} ({name})" for name, some in fits.groupby("setting", sort=False))
    by_split, right = mean_over_pictures(fits.loc[chosen], "lost"), (chosen == best).sum()
    return LOST.format(chosen=by_split, right=right, all=len(chosen), fixed=", ".join(fixed))


def estimate(run: Run) -> float:
    """Return the mean squared error of the mean image as the split has it."""
    return float(run.summary["stopping"]["split"]["estimate"]["mse"])


def psnr(run: Run) -> float:
    """Return the PSNR of the mean image at the split's stop."""
    return float(run.summary["scores"][stop_image("split", "mean")]["psnr"][0])


if __name__ == "__main__":
    sys.exit(run_script({"tables/selection": draw}, select, ["study_selection"]))
