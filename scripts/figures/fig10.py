"""Figure 10 of the paper: a dark, noisy image restored with the help of a flash image.

Experiment: fig10. Writes: figures/fig10. Command: make reproduce-fig10
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image
from dip_experiments.analysis.style import BLUE, sheet
from dip_experiments.analysis.table import tabulate_curves
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection

CORNER = (0.0, 0.5)
"""Of the enlarged part: a jug with its pattern, in the full image and in its middle."""


def draw(selection: Selection) -> Artifact:
    """Draw figures/fig10."""
    run = selection.only
    loss, output = curve_of(run, "loss"), load_image(run, "unperturbed")
    panels = [
        Panel("with flash: the latent", load_image(run, "flash", 0)),
        Panel("without flash", load_image(run, "target")),
        Panel(f"output for the latent, iteration {run.summary['iterations']}", output),
    ]
    figure, (pictures, plot) = sheet(row_height(panels), 2.2)
    show_row(pictures, panels, CORNER)
    axis = plot.subplots()
    plot_band(axis, loss.sparse, BLUE, "")
    axis.set(xscale="log", yscale="log", xlabel="iteration", ylabel="MSE to the picture\nwithout flash")
    title = "Figure 10: flash and no flash; nobody knows the clean picture"
    figure.suptitle(f"{title}\n{describe_fit([run], selection.scale, output)}", fontsize=9)
    return Artifact(figure, tabulate_curves({"single output": loss}, "curve", "loss"), [run])


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig10": draw}, select, ["fig10"]))
