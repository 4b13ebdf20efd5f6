"""Tables: Markdown for reading, with few columns; the rest is in the CSV."""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import Array, Curve
from dip_experiments.analysis.independence import describe_independence
from dip_experiments.analysis.labels import format_lost_iterations
from dip_experiments.analysis.panels import Panel
from dip_experiments.store import Job, Run

MOST_COLUMNS, WIDEST = 8, 118
"""Of a table in Markdown: columns, and characters in a line."""
NONE, NOT_RUN = "-", "not run"
NUMBER = re.compile(r"[-+>]?\d[\d.]*\*?( \+- [\d.]+)?( \(.*\))?|-|not run.*|waits.*")
"""Cells that are right-aligned."""


def markdown(frame: pd.DataFrame) -> str:
    """Return an aligned table in Markdown, numbers to the right. Raises ValueError if it is too wide for a page."""
    columns = []
    for name, entries in frame.astype(str).items():
        width = max(len(name), 3, *map(len, entries))
        right = all(map(NUMBER.fullmatch, entries))
        rule = "-" * (width - 1) + (":" if right else "-")
        columns.append([text.rjust(width) if right else text.ljust(width) for text in (name, rule, *entries)])
    lines = [f"| {' | '.join(cells)} |" for cells in zip(*columns, strict=True)]
    if len(columns) > MOST_COLUMNS or len(lines[0]) > WIDEST:
        raise ValueError(f"the table {', '.join(frame)} is too wide to read; {MOST_COLUMNS} columns, {WIDEST} signs")
    return "\n".join([*lines, ""])


def wrap(text: str) -> str:
    """Wrap text to the width of a page."""
    return textwrap.fill(text, WIDEST, break_long_words=False, break_on_hyphens=False)


def select_columns(frame: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns that are shown, under their titles."""
    return frame[list(titles)].rename(columns=titles)


def table_of(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of rows, `-` where one ends early."""
    return pd.DataFrame([(*row, *[NONE] * (len(columns) - len(row))) for row in rows], columns=list(columns))


def job_rows(
    jobs: Sequence[Job],
    names: Mapping[str, Callable[[Mapping[str, Any]], str]],
    numbers: Sequence[str],
    measure: Callable[[Run], Sequence[str]],
) -> pd.DataFrame:
    """Return a row for every job of an experiment: its `names` by its settings, and its `numbers` if it was run."""
    looks = names.values()
    rows = [(*(look(job.config) for look in looks), *(measure(job.run) if job.run else [NOT_RUN])) for job in jobs]
    return table_of(rows, [*names, *numbers])


def make_table(
    frame: pd.DataFrame, titles: Mapping[str, str], runs: Sequence[Run], notes: str, waiting: str
) -> Artifact:
    """Return a table of `frame`, whose columns in `titles` are for reading. `waiting`: message on missing rows."""
    above = wrap(f"{notes} {describe_independence(runs)} {format_lost_iterations(runs)}")
    return Artifact(f"{above}\n\n{markdown(select_columns(frame, titles))}", frame, runs, waiting)


def tabulate_curves(curves: Mapping[str, Curve], name: str, quantity: str) -> pd.DataFrame:
    """Return mean, minimum and maximum over the seeds at log-spaced iterations."""
    sparse = ((label, curve.sparse) for label, curve in curves.items())
    rows = ((label, n, values) for label, one in sparse for n, values in zip(one.iterations, one.values.T, strict=True))
    return tabulate(rows, name, "iteration", quantity)


def tabulate_panels(rows: Iterable[tuple[object, Sequence[Panel]]], name: str, quantity: str) -> pd.DataFrame:
    """Return the numbers of rows of images, each row with its entry in the column `name`."""
    panels = ((label, panel.title, panel.decibels) for label, row in rows for panel in row if len(panel.decibels))
    return tabulate(panels, name, "picture", quantity)


def tabulate(
    rows: Iterable[tuple[object, object, Sequence[float] | Array]], name: str, where: str, quantity: str
) -> pd.DataFrame:
    """Return mean, minimum and maximum of values, to six digits, after what they are of and where."""
    cells = [
        (label, at, *(f"{value:.6g}" for value in (np.mean(values), np.min(values), np.max(values))))
        for label, at, values in rows
    ]
    return pd.DataFrame(cells, columns=[name, where, *(f"{quantity}_{what}" for what in ("mean", "min", "max"))])
