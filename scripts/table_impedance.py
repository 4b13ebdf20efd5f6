"""The impedance table: iterations to explain 90 % of each target's variance, and their ratio to the natural image."""

import sys

from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script
from dip_experiments.drawing.stored import impedance
from dip_experiments.drawing.table import job_rows, table_page
from dip_experiments.drawing.words import seed_words
from dip_experiments.selection import select
from dip_experiments.store import Run

NAMES = {
    "architecture": lambda words: words["architecture"]["name"],
    "target": lambda words: words["target"]["name"],
}
NUMBERS = ("seeds", "iterations90_median", "iterations90_min", "iterations90_max", "impedance_ratio")
TITLES = {
    "architecture": "architecture",
    "target": "target",
    "seeds": "seeds",
    "iterations90_median": "median",
    "iterations90_min": "least",
    "iterations90_max": "most",
    "impedance_ratio": "ratio",
}
ABOVE = """\
Iterations until the fit explains 90 % of its target's variance: median, least and most over the seeds, and the ratio
of the medians to that of the natural image, the impedance."""


def draw(selection: Selection) -> Page:
    """Writes tables/impedance."""
    natural = {of(run): run for run in selection.runs if run.settings["target"]["name"] == "natural"}
    columns = job_rows(
        selection.jobs, NAMES, NUMBERS, lambda run: (seed_words(run), *impedance(run, natural.get(of(run))))
    )
    return table_page(columns, TITLES, selection.runs, ABOVE, selection.waiting)


def of(run: Run) -> str:
    """What the targets are fitted by."""
    return str(run.settings["architecture"]["name"])


if __name__ == "__main__":
    sys.exit(run_script("tables/impedance", draw, select, ["fig2"]))
