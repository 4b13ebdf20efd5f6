"""Tables: Markdown for reading, with few columns; the rest is in the CSV."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import add_row
from dip_experiments.analysis.independence import describe_independence
from dip_experiments.analysis.labels import format_lost_iterations
from dip_experiments.store import Job, Run

MOST_COLUMNS, WIDEST = 8, 118
"""Of a table in Markdown: columns, and characters in a line."""
NONE, NOT_RUN = "-", "not run"
NUMBER = re.compile(r"[-+>]?\d[\d.]*\*?( \+- [\d.]+)?( \(.*\))?|-|not run.*|waits.*")
"""Cells that are right-aligned."""
Cells = Mapping[str, Sequence[str]]


def markdown(columns: Cells) -> str:
    """Return an aligned table in Markdown, numbers to the right. Raises ValueError if it is too wide for a page."""
    widths = {name: max(len(name), 3, *map(len, cells)) for name, cells in columns.items()}
    if len(columns) > MOST_COLUMNS or sum(widths.values()) + 3 * len(widths) + 1 > WIDEST:
        raise ValueError(f"the table {', '.join(columns)} is too wide to read; {MOST_COLUMNS} columns, {WIDEST} signs")
    right = {name for name, cells in columns.items() if all(NUMBER.fullmatch(cell) for cell in cells)}

    def line(entries: Mapping[str, str]) -> str:
        cells = (text.rjust(widths[n]) if n in right else text.ljust(widths[n]) for n, text in entries.items())
        return f"| {' | '.join(cells)} |\n"

    rule = {name: "-" * (widths[name] - 1) + (":" if name in right else "-") for name in columns}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return "".join(map(line, [{name: name for name in columns}, rule, *rows]))


def wrap(text: str) -> str:
    """Wrap text to the width of a page."""
    return textwrap.fill(text, WIDEST, break_long_words=False, break_on_hyphens=False)


def select_columns(columns: Cells, titles: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """Return the columns that are shown, under their titles."""
    return {title: columns[name] for name, title in titles.items()}


def job_rows(
    jobs: Sequence[Job],
    names: Mapping[str, Callable[[Mapping[str, Any]], str]],
    numbers: Sequence[str],
    measure: Callable[[Run], Sequence[str]],
) -> dict[str, list[str]]:
    """Return a row for every job of an experiment: its `names` by its settings, and its `numbers` if it was run."""
    columns: dict[str, list[str]] = {name: [] for name in (*names, *numbers)}
    for job in jobs:
        cells = measure(job.run) if job.run else (NOT_RUN, *[NONE] * (len(numbers) - 1))
        add_row(columns, *(look(job.config) for look in names.values()), *cells)
    return columns


def make_table(columns: Cells, titles: Mapping[str, str], runs: Sequence[Run], notes: str, waiting: str) -> Artifact:
    """Return a table of `columns`, of which those of `titles` are for reading. `waiting`: message on missing rows."""
    above = wrap(f"{notes} {describe_independence(runs)} {format_lost_iterations(runs)}")
    text = f"{above}\n\n{markdown(select_columns(columns, titles))}"
    return Artifact(text, columns, runs, waiting)
