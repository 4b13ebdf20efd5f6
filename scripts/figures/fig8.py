"""Figure 8 of the paper: large holes filled by networks of different depth and kind, with the error inside the holes.

Experiments: fig8, fig8_others. Writes: figures/fig8. Command: make reproduce-fig8
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image
from dip_experiments.analysis.style import sheet
from dip_experiments.analysis.table import tabulate_panels
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

NAMES = {
    "depth_2": "depth 2", "depth_4": "depth 4", "depth_6": "depth 6", "skip": "depth 6, skips", "unet": "U-Net",
    "resnet": "ResNet",
}  # fmt: skip
"""By the hourglass's own name in fig8, or the architecture's."""
CORNER = (0.15, 0.22)
"""Of the enlarged part: the hole in the shelves."""


def draw(hourglasses: Selection, others: Selection) -> Artifact:
    """Draw figures/fig8."""
    runs = [*hourglasses.complete_runs, *others.complete_runs]
    by_name = {name_of(run): run for run in runs}
    first = runs[0]
    original = load_image(first, "reference")
    holes, reference = Panel("missing: black", load_image(first, "target")), Panel("original", original)
    filled = {name: panel(NAMES[name], by_name[name]) for name in NAMES if name in by_name}
    rows = [
        [holes, *(filled[name] for name in ("depth_2", "depth_4", "depth_6") if name in filled)],
        [*(filled[name] for name in ("skip", "unet", "resnet") if name in filled), reference],
    ]
    figure, parts = sheet(*(row_height(row) for row in rows))
    for part, row in zip(parts, rows, strict=True):
        show_row(part, row, CORNER)
    title = "Figure 8: depth and kind of the network; PSNR inside the holes, output for the latent as it is"
    caption = describe_fit([first], hourglasses.scale, original).split(";")[0]
    seeds = len(first.seeds)
    figure.suptitle(
        f"{title}\n{caption}, {first.summary['iterations']} iterations, {seeds} seeds (mean and range)", fontsize=9
    )
    return Artifact(figure, tabulate_panels(enumerate(rows, 1), "row", "psnr_missing"), runs)


def name_of(run: Run) -> str:
    """Return which of the networks it is."""
    return str(run.settings["experiment"].get("network", run.settings["architecture"]["name"]))


def panel(name: str, run: Run) -> Panel:
    """Return the panel of a network, with the error in the holes."""
    title = f"{name}: {run.summary['parameters'] / 1e6:.2f} M"
    return Panel(title, load_image(run, "unperturbed"), run.scores("unperturbed", "psnr_missing"))


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig8": draw}, select, ["fig8"], ["fig8_others"]))
