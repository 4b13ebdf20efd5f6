"""The table of the trajectory: how fast each setting denoises, beside what the authors showed and their code does."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from trajectory import ASKED, F16, Theirs, setting_words, theirs

from dip_experiments.drawing.curves import add_row, value_at
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Job, Selection, run_script, waiting
from dip_experiments.drawing.stored import Array, peak_iterations, peaks
from dip_experiments.drawing.table import NONE, NOT_RUN, table_page
from dip_experiments.drawing.words import seed_words, size_words
from dip_experiments.selection import select
from dip_experiments.store import Run

TITLES = {
    "image": "picture",
    "setting": "gamma",
    "output_early": "early",
    "output_late": "late",
    "average_late": "average, late",
    "oracle_peak_output": "peak",
    "oracle_peak_at": "at",
}
COLUMNS = (*TITLES, "seeds", "size", "unperturbed_last", "iterations", "device", "precision", "seconds_per_iteration")
ABOVE = """\
Denoising of the authors' noisy pictures at sigma 25 (Figure 4) with what changed between the PyTorch of 2018 and
today's; `gamma` says how the norms start. PSNR in dB of single outputs and of the average, mean over the seeds (half
their range), early at iteration {early} and late at {late}; peaks are the oracle's, of single outputs. The authors' own
numbers are of F16: {source}."""
SOURCES = {
    True: "computed from the pictures on their project page, 512 x 512, one run",
    False: "their public code as we ran it, with their network and settings, on the middle 128 x 128",
}


def draw(selection: Selection, both: Selection) -> Page:
    """Writes tables/trajectory."""
    scale, jobs = selection.scale, [*selection.jobs, *(job for job in both.jobs if is_new(job, selection))]
    early, late = next((job.words["fit"]["keep"] for job in jobs), (0, 0))
    columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for job in sorted(jobs, key=lambda job: str(job.words["image"]["name"])):
        add_row(columns, *(cells(job.words, job.run, early, late) if job.run else not_run(job.words)))
    if late:
        add_row(columns, *their_cells(theirs(scale), early, late))
    above = ABOVE.format(early=early, late=late, source=SOURCES[scale == "paper"])
    runs = [job.run for job in jobs if job.run]
    return table_page(columns, TITLES, runs, above, waiting(selection, both))


def is_new(job: Job, selection: Selection) -> bool:
    """Whether a job is none of the grid's, whose run may stand in from another precision."""
    return all(job.words != other.words and (job.run is None or job.run != other.run) for other in selection.jobs)


def not_run(words: Mapping[str, Any]) -> tuple[str, ...]:
    """The row of settings that were not run yet."""
    return (words["image"]["name"], setting_words(words, words["precision"]), NOT_RUN) + (NONE,) * (len(COLUMNS) - 3)


def cells(words: Mapping[str, Any], run: Run, early: int, late: int) -> tuple[str, ...]:
    """The row of a job's run."""
    return (
        words["image"]["name"],
        setting_words(words, run.settings["precision"]),
        spread(value_at(run, "psnr_reference", early)),
        spread(value_at(run, "psnr_reference", late)),
        spread(value_at(run, "psnr_average", late)),
        spread(peaks(run, "psnr_reference")),
        spread(peak_iterations(run, "psnr_reference"), ".0f"),
        seed_words(run),
        size_words(run),
        spread(run.scores("unperturbed", "psnr")),
        str(run.summary["iterations"]),
        run.provenance["device"],
        run.settings["precision"],
        f"{run.summary['wall_seconds'] / run.summary['iterations']:.3f}",
    )


def their_cells(curves: Theirs, early: int, late: int) -> tuple[str, ...]:
    """The row of the authors: what is not known of it is left out."""
    at = [curves.output[:, curves.iteration == n][:, 0] for n in (early, late)]
    average = NONE if curves.average is None else spread(curves.average[:, curves.iteration == late][:, 0])
    ended = curves.iteration[-1] < 1000
    peak, where = curves.output.max(1), curves.iteration[curves.output.argmax(1)]
    peaked = (NONE, NONE) if ended else (spread(peak), spread(where, ".0f"))
    known = (F16, curves.name, *map(spread, at), average, *peaked, str(len(curves.output)))
    return known + (NONE,) * (len(COLUMNS) - len(known))


def spread(values: Sequence[float] | Array, form: str = ".2f") -> str:
    """Mean, and half the range where there are several."""
    mean, half = (format(float(value), form) for value in (np.mean(values), np.ptp(values) / 2))
    return mean if len(values) == 1 else f"{mean} ({half})"


if __name__ == "__main__":
    sys.exit(run_script("tables/trajectory", draw, select, *ASKED))
