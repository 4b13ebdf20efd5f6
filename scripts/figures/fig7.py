"""Figure 7 of the paper: inpainting of an image under letters, and of one with half of its pixels missing.

Experiments: fig7_text, fig7_missing. Writes: figures/fig7. Command: make reproduce-fig7
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import baseline_image, baseline_numbers, inpainter
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit, picture_name
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image
from dip_experiments.analysis.style import sheet
from dip_experiments.analysis.table import tabulate_panels
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection

CORNERS = {"paper/kate": (0.2, 0.38), "standard11/barbara": (0.75, 0.5)}
"""Of the enlarged parts: the face and a pattern of stripes, in the full images and in their middles."""
MIDDLE = (0.375, 0.375)
SUBTITLE = 0.25
"""Inches."""
BASELINES = ("nearest", "biharmonic")


def draw(text: Selection, missing: Selection) -> Artifact:
    """Draw figures/fig7."""
    runs = [*text.complete_runs, *missing.complete_runs]
    rows = [(picture_name(run.settings), panels(run, text.baselines)) for run in runs]
    figure, parts = sheet(*(row_height(row) + SUBTITLE for _, row in rows))
    for part, run, (name, row) in zip(parts, runs, rows, strict=True):
        show_row(part, row, CORNERS.get(name, MIDDLE))
        part.suptitle(describe_fit([run], text.scale, load_image(run, "reference")), fontsize=8)
    figure.suptitle("Figure 7: inpainting; of the network, the output for the latent as it is", fontsize=9)
    return Artifact(figure, tabulate_panels(rows, "image", "psnr"), runs)


def panels(run: Run, stored_baselines: Baselines) -> list[Panel]:
    """Return the holes, filled by what one would pick otherwise and by the network; the picture itself."""
    title = f"network, iteration {run.summary['iterations']}"
    return [
        Panel("missing: black", load_image(run, "target"), run.scores("measurement", "psnr")[:1]),
        *(baseline(run, name, stored_baselines) for name in BASELINES),
        Panel(title, load_image(run, "unperturbed"), run.scores("unperturbed", "psnr")),
        Panel("original", load_image(run, "reference")),
    ]


def baseline(run: Run, name: str, stored_baselines: Baselines) -> Panel:
    """Return the panel of a baseline."""
    method = inpainter(name)
    numbers = baseline_numbers(method, run, stored_baselines)
    return Panel(name, baseline_image(method, run, stored_baselines), [numbers["psnr"]] if numbers else [])


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig7": draw}, select, ["fig7_text"], ["fig7_missing"]))
