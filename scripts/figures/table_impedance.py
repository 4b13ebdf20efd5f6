"""The impedance table: iterations to explain 90 % of each target's variance, and their ratio to the natural image."""

import sys

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.impedance import impedance_page
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection

NAMES = {
    "architecture": lambda words: str(words["architecture"]["name"]),
    "target": lambda words: str(words["target"]["name"]),
}
ABOVE = """\
Iterations until the fit explains 90 % of its target's variance: median, least and most over the seeds, and the ratio
of the medians to that of the natural image, the impedance."""


def draw(selection: Selection) -> Page:
    """Writes tables/impedance."""
    return impedance_page(selection, NAMES, NAMES["architecture"], "impedance_ratio", ABOVE)


if __name__ == "__main__":
    sys.exit(run_script("tables/impedance", draw, select, ["fig2"]))
