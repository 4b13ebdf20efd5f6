"""Ours and every number that the paper prints, at its own size: within 0.3 dB or not, and why not.

Experiments: table_denoising, table_super_resolution, table_inpainting, fig4, trajectory.
Writes: tables/fidelity. Command: make table-fidelity
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from denoising import TABLE as DENOISING
from inpainting import TABLE as INPAINTING
from scipy import stats
from super_resolution import TABLE as SUPER_RESOLUTION

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.independence import describe_independence
from dip_experiments.analysis.labels import format_lost_iterations
from dip_experiments.analysis.paper_rows import Array, Row, Table, part_rows
from dip_experiments.analysis.paper_table import run_cells
from dip_experiments.analysis.run_data import peak_values
from dip_experiments.analysis.table import NONE, NOT_RUN, markdown, select_columns, wrap
from dip_experiments.published import trajectory
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

CLOSE = 0.3
"""dB within which a number counts as the paper's (ours)."""
LAST, PICTURES = 1800, 9
"""Iterations of denoising, and pictures of CSet9."""
TITLES = {
    "of": "of",
    "image": "picture",
    "published": "theirs",
    "ours": "ours",
    "difference": "difference",
    "within": "close",
    "seeds": "seeds",
    "why": "note",
}
COLUMNS = (*TITLES, "setting", "metric", "iterations", "device", "precision", "source")
NOTES = {
    "a": "the number is computed from the results on the authors' page, which average 31.29 dB, above every mean that "
    "the paper prints for CSet9; how many runs they average is not said. The means are what the paper prints.",
    "b": "a single output after 1800 iterations. House is past its peak by then, less so with gamma one "
    "(tables/trajectory).",
    "c": "the peak of single outputs over the iterations; theirs is that of the pictures on their page.",
    "d": "as theirs; what bfloat16 costs, where it is used, is in tables/precision of scale laptop.",
    "e": "the output for the latent without noise on it after 1800 iterations, against the number of the row above: "
    "the paper does not say which of the two outputs it is of.",
}
NOTE_OF = {"raw": "b", "unperturbed": "e"}
"""The note of a mean of denoising by what it is the mean of."""
ABOVE = """\
Ours against the paper's numbers in dB, whole pictures, the paper's network and settings (norms start as U(0, 1), as in
the PyTorch of its time: README). A row is there for every mean that the paper prints, and for the pictures that were
run. `close`: whether the difference is at most 0.3 dB. Device, precision, iterations and the source of their number
are in the CSV. The notes are below."""


def draw(*selections: Selection) -> Artifact:
    """Draw tables/fidelity, at scale paper only."""
    *tables, fig4, trajectories = selections
    if fig4.scale != "paper":
        raise ValueError("tables/fidelity compares with the paper at its own size: add --scale paper")
    three = zip((DENOISING, SUPER_RESOLUTION, INPAINTING), tables, strict=True)
    rows = [(table, row) for table, fits in three for row in rows_of(table, fits)]
    peak = [peak_cells(fig4.only)] if fig4.runs else []
    frame = pd.DataFrame([*(cells(*row) for row in rows), *peak], columns=list(COLUMNS))
    found = frame.loc[frame["within"] != NONE, "within"]
    counted = f"{sum(found == 'yes')} of {len(found)} numbers are within {CLOSE} dB."
    notes = "\n".join(wrap(f"{letter}: {NOTES[letter]}") + "\n" for letter in sorted({*frame["why"]} - {NONE}))
    unique = list(dict.fromkeys([*fig4.runs, *(run for _, row in rows for run in row.runs)]))
    behind = f"{describe_independence(unique)} {format_lost_iterations(unique)}"
    above = wrap(f"{ABOVE} {counted} {describe_seeds(trajectories)} {behind}")
    text = f"{above}\n\n{markdown(select_columns(frame, TITLES))}\n{notes}"
    return Artifact(text, frame, unique, waiting(*selections))


def describe_seeds(trajectories: Selection) -> str:
    """Say how far means over CSet9 of two fits of each picture are apart by their seeds, by the trajectories' seeds."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for job in trajectories.jobs:
        if not job.run:
            continue
        shown = (job.config["experiment"]["setting"], job.config["image"]["name"], job.config["precision"])
        curve = curve_of(job.run, "psnr_reference")
        at = int(np.abs(curve.iterations - LAST).argmin())
        groups.setdefault(shown, []).extend(curve.values[:, at])
    several = [np.array(values) for values in groups.values() if len(values) > 1]
    if not several:
        return ""
    freedom = sum(len(values) - 1 for values in several)
    deviation = (sum(((values - values.mean()) ** 2).sum() for values in several) / freedom) ** 0.5
    apart = stats.t.ppf(0.975, freedom) * deviation * (2 / PICTURES) ** 0.5
    return (
        f"At iteration {LAST} seeds of one picture differ by {deviation:.2f} dB (standard deviation of "
        f"{freedom + len(several)} trajectories of {len(several)} settings): two means of {PICTURES} pictures, one fit "
        f"of each, differ by more than {apart:.2f} dB by chance in one of twenty cases."
    )


def rows_of(table: Table, fits: Selection) -> list[Row]:
    """Return means, run or not, and the pictures that were run."""
    nothing = replace(fits, jobs=())
    rows = [row for part in table.parts for row in part_rows(table, part, fits, nothing)]
    return [row for row in rows if row.runs or is_mean(row)]


def is_mean(row: Row) -> bool:
    """Return if the row is a mean over a data set."""
    return row.image.startswith("mean of")


def cells(table: Table, row: Row) -> tuple[str, ...]:
    """Return the cells of a row."""
    of, published = f"{table.name.replace('_', '-')}, {row.setting}", row.published["published"]
    facts = run_cells(row, "paper")
    note = "d" if table is not DENOISING else NOTE_OF.get(row.ours, "d") if is_mean(row) else "a"
    return format_row(of, row.image, published.value, row.numbers.get(row.ours), note, facts, table.metric, row.source)


def peak_cells(run: Run) -> tuple[str, ...]:
    """Return the peak of Figure 4's single outputs."""
    facts = run_cells(Row("", "", "", {}, "", [run]), "paper")
    source = "computed from the pictures of their project page"
    theirs = float(trajectory("f16")[1].max())
    return format_row(
        "Figure 4", "cset9/f16, peak", theirs, peak_values(run, "psnr_reference"), "c", facts, "psnr_rgb", source
    )


def format_row(
    of: str,
    image: str,
    theirs: float,
    ours: Array | None,
    note: str,
    facts: dict[str, str],
    metric: str,
    source: str,
) -> tuple[str, ...]:
    """Return the cells in the order of COLUMNS."""
    difference = None if ours is None else float(np.mean(ours)) - theirs
    compared: Sequence[str] = (
        (NOT_RUN, NONE, NONE)
        if ours is None or difference is None
        else (f"{np.mean(ours):.2f}", f"{difference:+.2f}", "yes" if abs(difference) <= CLOSE else "no")
    )
    seeds, *rest = (facts.get(name, NONE) for name in ("seeds", "iterations", "device", "precision"))
    return (of, image, f"{theirs:.2f}", *compared, seeds, NONE if ours is None else note, of, metric, *rest, source)


REQUESTS = (["table_denoising"], ["table_super_resolution"], ["table_inpainting"], ["fig4"], ["trajectory"])

if __name__ == "__main__":
    sys.exit(run_script({"tables/fidelity": draw}, select, *REQUESTS))
