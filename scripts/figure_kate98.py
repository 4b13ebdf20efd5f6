"""The paper's supplement: a face of which 2 % of the pixels are known."""

import sys

from dip_experiments.drawing.page import Page
from dip_experiments.drawing.panels import Panel, row_height, show_row, under_pictures
from dip_experiments.drawing.rivals import inpainter, rival_numbers, rival_picture
from dip_experiments.drawing.script import Selection, run_script
from dip_experiments.drawing.stored import stored
from dip_experiments.drawing.style import sheet
from dip_experiments.drawing.words import described
from dip_experiments.selection import select

CORNER = (0.2, 0.38)
"""Of the enlarged part: the eyes."""


def draw(selection: Selection) -> Page:
    """Draws figures/kate98."""
    run, method = selection.only, inpainter("biharmonic")
    numbers = rival_numbers(method, run, selection.baselines)
    plain = Panel("biharmonic", rival_picture(method, run, selection.baselines), [numbers["psnr"]] if numbers else [])
    panels = [
        Panel("known: 2 %", stored(run, "target")),
        plain,
        Panel("network", stored(run, "unperturbed"), run.scores("unperturbed", "psnr")),
        Panel("original", stored(run, "reference")),
    ]
    figure, (part,) = sheet(row_height(panels))
    show_row(part, panels, CORNER)
    words = described([run], selection.scale, stored(run, "reference"))
    figure.suptitle(
        f"98 % of the pixels missing; of the network, the output for the latent as it is\n{words}", fontsize=9
    )
    return Page(figure, under_pictures("image", "psnr", [("paper/kate", panels)]), [run])


if __name__ == "__main__":
    sys.exit(run_script("figures/kate98", draw, select, ["kate98"]))
