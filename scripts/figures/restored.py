"""Two noisy images restored by `dip restore_noisy`, with other methods and the clean images.

Experiment: restored. Writes: figures/restored. Command: make restored EXTRAS=bm3d
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import denoiser_panel
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import format_size, picture_name
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image
from dip_experiments.analysis.style import sheet
from dip_experiments.analysis.table import tabulate_panels
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection, stop_image

SIGMA = 25.0
"""Noise level of the images, which the baselines are given."""
CORNER = (0.3, 0.35)
METHODS = {"nlm": "NLM", "bm3d": "BM3D"}


def draw(selection: Selection) -> Artifact:
    """Draw figures/restored."""
    runs = selection.complete_runs
    rows = [panels(run, selection.baselines) for run in runs]
    figure, parts = sheet(*(row_height(row) for row in rows))
    for part, row in zip(parts, rows, strict=True):
        show_row(part, row, CORNER)
    caption = f"{format_size(runs[0])}, {len(runs[0].seeds)} replicas, scale {selection.scale}"
    figure.suptitle(f"A noisy picture restored from itself, sigma {SIGMA:g}\n{caption}", fontsize=9)
    pictures = [picture_name(run.settings) for run in runs]
    return Artifact(figure, tabulate_panels(zip(pictures, rows, strict=True), "image", "psnr"), runs)


def panels(run: Run, stored_baselines: Baselines) -> list[Panel]:
    """Return a row of pictures."""
    name = stop_image("split", "mixed")
    noisy = Panel("noisy", load_image(run, "target"), run.scores("measurement", "psnr")[:1])
    others = [denoiser_panel(run, method, title, SIGMA, stored_baselines) for method, title in METHODS.items()]
    ours = Panel("restore_noisy", load_image(run, name, 0), run.scores(name, "psnr"))
    return [noisy, *others, ours, Panel("clean", load_image(run, "reference"))]


if __name__ == "__main__":
    sys.exit(run_script({"figures/restored": draw}, select, ["restored"]))
