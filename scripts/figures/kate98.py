"""The paper's supplement: inpainting of a face of which 2 % of the pixels are known.

Experiment: kate98. Writes: figures/kate98. Command: make reproduce-kate98
"""

import sys

from fig7 import CORNERS, MIDDLE, baseline

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit, picture_name
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image
from dip_experiments.analysis.style import sheet
from dip_experiments.analysis.table import tabulate_panels
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection


def draw(selection: Selection) -> Artifact:
    """Draw figures/kate98."""
    run = selection.only
    picture = picture_name(run.settings)
    panels = [
        Panel("known: 2 %", load_image(run, "target")),
        baseline(run, "biharmonic", selection.baselines),
        Panel("network", load_image(run, "unperturbed"), run.scores("unperturbed", "psnr")),
        Panel("original", load_image(run, "reference")),
    ]
    figure, (part,) = sheet(row_height(panels))
    show_row(part, panels, CORNERS.get(picture, MIDDLE))
    caption = describe_fit([run], selection.scale, load_image(run, "reference"))
    figure.suptitle(
        f"98 % of the pixels missing; of the network, the output for the latent as it is\n{caption}", fontsize=9
    )
    return Artifact(figure, tabulate_panels([(picture, panels)], "image", "psnr"), [run])


if __name__ == "__main__":
    sys.exit(run_script({"figures/kate98": draw}, select, ["kate98"]))
