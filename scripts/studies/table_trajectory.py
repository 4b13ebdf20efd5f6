"""The table of the trajectory: how fast each setting denoises, beside what the authors showed and their code does."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from trajectory import ASKED, F16, WORDS, Row, Theirs, rows_of, still_waiting, theirs

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.curves import add_row, value_at
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import seed_words, size_words
from dip_experiments.analysis.run_data import Array, peak_iterations, peaks
from dip_experiments.analysis.table import NONE, NOT_RUN, table_page
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

TITLES = {
    "picture": "picture",
    "setting": "gamma",
    "output_early": "early",
    "output_late": "late",
    "average_late": "averaged",
    "oracle_peak_output": "peak",
    "oracle_peak_at": "at",
}
COLUMNS = (
    *TITLES,
    "image",
    "seeds",
    "size",
    "unperturbed_last",
    "iterations",
    "device",
    "precision",
    "seconds_per_iteration_and_seed",
)
ABOVE = """\
Denoising of the authors' noisy pictures at sigma 25 (Figure 4) with what changed between the PyTorch of 2018 and
today's; `gamma` says how the norms start; `aligned`: corners, when upsampling, as before PyTorch 0.4; `p 1/50`: a
perturbation of the latent of that sigma_p instead of 1/30. PSNR in dB of single outputs, mean over the seeds (half
their range), early at iteration {early} and late at {late}; `averaged` is of the average, late; peaks are the oracle's,
of single outputs. The authors' own numbers are of F16: {source}."""
SOURCES = {
    True: "computed from the pictures on their project page, 512 x 512, one run",
    False: "their public code as we ran it, with their network and settings, on the middle 128 x 128",
}


def draw(grid: Selection, by_seed: Selection, both: Selection) -> Page:
    """Writes tables/trajectory."""
    common = [job.words for job in both.jobs]
    rest = replace(grid, jobs=tuple(job for job in grid.jobs if job.words not in common))
    scale, rows = grid.scale, sorted(rows_of(rest, by_seed) + rows_of(both, by_seed), key=place)
    early, late = next((row.words["fit"]["keep"] for row in rows), (0, 0))
    columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for row in rows:
        add_row(columns, *(cells(row, early, late) if row.runs else not_run(row)))
    if late:
        add_row(columns, *their_cells(theirs(scale), early, late))
    above = ABOVE.format(early=early, late=late, source=SOURCES[scale == "paper"])
    runs = [run for row in rows for run in row.runs]
    note = "\n".join(filter(None, [still_waiting(rest, by_seed), still_waiting(both, by_seed)]))
    return table_page(columns, TITLES, runs, above, note)


def place(row: Row) -> tuple[str, int]:
    """By picture, then by what it tries."""
    return row.words["image"]["name"], list(WORDS).index(row.words["experiment"]["setting"])


def not_run(row: Row) -> tuple[str, ...]:
    """The row of settings that were not run yet."""
    rest = len(TITLES) - 3, len(COLUMNS) - len(TITLES) - 1
    return (named(row), row.said, NOT_RUN, *[NONE] * rest[0], row.words["image"]["name"], *[NONE] * rest[1])


def named(row: Row) -> str:
    """A picture without its set: all are of the nine with the authors' noise."""
    return str(row.words["image"]["name"]).split("/")[-1]


def cells(row: Row, early: int, late: int) -> tuple[str, ...]:
    """The row of a job's runs."""
    runs, first = row.runs, row.runs[0]

    def each(of: Callable[[Run], Array], form: str = ".2f") -> str:
        return spread(np.concatenate([of(run) for run in runs]), form)

    iterations = sum(run.summary["iterations"] * len(run.provenance["seeds"]) for run in runs)
    return (
        named(row),
        row.said,
        each(lambda run: value_at(run, "psnr_reference", early)),
        each(lambda run: value_at(run, "psnr_reference", late)),
        each(lambda run: value_at(run, "psnr_average", late)),
        each(lambda run: peaks(run, "psnr_reference")),
        each(lambda run: peak_iterations(run, "psnr_reference"), ".0f"),
        row.words["image"]["name"],
        " + ".join(map(seed_words, runs)),
        size_words(first),
        each(lambda run: run.scores("unperturbed", "psnr")),
        str(first.summary["iterations"]),
        ", ".join(dict.fromkeys(run.provenance["device"] for run in runs)),
        ", ".join(dict.fromkeys(run.settings["precision"] for run in runs)),
        f"{sum(run.summary['wall_seconds'] for run in runs) / iterations:.3f}",
    )


def their_cells(curves: Theirs, early: int, late: int) -> tuple[str, ...]:
    """The row of the authors: what is not known of it is left out."""
    at = [curves.output[:, curves.iteration == n][:, 0] for n in (early, late)]
    average = NONE if curves.average is None else spread(curves.average[:, curves.iteration == late][:, 0])
    ended = curves.iteration[-1] < 1000
    peak, where = curves.output.max(1), curves.iteration[curves.output.argmax(1)]
    peaked = (NONE, NONE) if ended else (spread(peak), spread(where, ".0f"))
    known = (F16.split("/")[-1], curves.name, *map(spread, at), average, *peaked, F16, str(len(curves.output)))
    return known + (NONE,) * (len(COLUMNS) - len(known))


def spread(values: Sequence[float] | Array, form: str = ".2f") -> str:
    """Mean, and half the range where there are several."""
    mean, half = (format(float(value), form) for value in (np.mean(values), np.ptp(values) / 2))
    return mean if len(values) == 1 else f"{mean} ({half})"


if __name__ == "__main__":
    sys.exit(run_script("tables/trajectory", draw, select, *ASKED))
