"""Figure 5 of the paper: super-resolution of the zebra, x4 and x8.

Experiment: fig5. Writes: figures/fig5. Command: make reproduce-fig5
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import baseline_image, baseline_numbers, upsampler
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image, load_output
from dip_experiments.analysis.style import sheet
from dip_experiments.analysis.table import tabulate_panels
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection

CORNER = (0.2, 0.4)
"""Of the enlarged part: stripes, in the full image and in its middle."""
BASELINES = ("nearest", "bicubic")
METRIC = "psnr_y_authors"


def draw(selection: Selection) -> Artifact:
    """Draw figures/fig5."""
    runs = selection.complete_runs
    rows = [(factor(run), panels(run, selection.baselines)) for run in runs]
    figure, parts = sheet(*(row_height(row) for _, row in rows))
    for part, (times, row) in zip(parts, rows, strict=True):
        show_row(part, row, CORNER)
        part.suptitle(f"x{times}", fontsize=9, fontweight="bold")
    title = "Figure 5: super-resolution; PSNR of the brightness as in the authors' tables"
    figure.suptitle(f"{title}\n{describe_fit(runs, selection.scale, load_image(runs[0], 'average'))}", fontsize=9)
    return Artifact(figure, tabulate_panels(rows, "factor", "psnr_y"), runs)


def factor(run: Run) -> int:
    """Return how many times larger a side becomes."""
    return int(run.settings["task"]["factor"])


def panels(run: Run, stored_baselines: Baselines) -> list[Panel]:
    """Return the small picture enlarged by what one would pick otherwise, and by the network; the original."""
    last = run.summary["iterations"]
    return [
        *(baseline(run, name, stored_baselines) for name in BASELINES),
        Panel(f"output, iteration {last}", load_output(run, last), run.scores("output", METRIC)),
        Panel("average of outputs", load_image(run, "average"), run.scores("average", METRIC)),
        Panel("original", load_image(run, "reference")),
    ]


def baseline(run: Run, name: str, stored_baselines: Baselines) -> Panel:
    """Return the panel of a baseline."""
    method = upsampler(name, factor(run))
    numbers = baseline_numbers(method, run, stored_baselines) or {}
    return Panel(name, baseline_image(method, run, stored_baselines), [numbers[METRIC]] if METRIC in numbers else [])


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig5": draw}, select, ["fig5"]))
