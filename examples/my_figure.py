"""PSNR of the average over the iterations, a curve for each loss of conf/experiment/my_sweep.yaml.

Command: python my_figure.py --config-dir conf --scale smoke
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.style import BLUE, ORANGE, sheet
from dip_experiments.analysis.table import tabulate_curves
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection


def draw(selection: Selection) -> Artifact:
    """Draw figures/my_sweep."""
    runs = selection.complete_runs
    curves = {run.settings["loss"]["name"]: curve_of(run, "psnr_average") for run in runs}
    figure, (part,) = sheet(3.0)
    axis = part.subplots()
    for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE), strict=True):
        plot_band(axis, curve, colour, name)
    axis.set(xlabel="iteration", ylabel="PSNR of the average (dB)")
    axis.legend()
    return Artifact(figure, tabulate_curves(curves, "loss", "psnr_average"), runs)


if __name__ == "__main__":
    sys.exit(run_script({"figures/my_sweep": draw}, select, ["my_sweep"]))
