"""Figure 4 of the paper: blind denoising of F16 over the iterations, with methods that know the noise level.

Experiment: fig4. Writes: figures/fig4. Command: make reproduce-fig4 EXTRAS=bm3d
"""

import sys

import pandas as pd
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import SIGMA, denoiser_panel
from dip_experiments.analysis.curves import Curve, curve_of, plot_band, value_at
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image, load_output
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import tabulate, tabulate_curves
from dip_experiments.published import trajectory
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, average_at

SHOWN = 1800
"""The iteration at which the paper stops."""
CORNER = (0.25, 0.35)
"""Of the enlarged part: the letters on the fuselage, in the full image and in its middle."""
BASELINES = {"nlm": "NLM", "bm3d": "BM3D"}
LEVELS = {"noisy": ("grey", ":"), "NLM": (ORANGE, "--"), "BM3D": (RED, "-.")}
"""Colour and line of what has no iterations."""
AUTHORS = "authors, 512 x 512, single output"


def draw(selection: Selection) -> Artifact:
    """Draw figures/fig4."""
    run = selection.only
    curves = {"single output": curve_of(run, "psnr_reference"), "average": curve_of(run, "psnr_average")}
    clean = load_image(run, "reference")
    noisy = Panel("noisy", load_image(run, "target"), run.scores("measurement", "psnr")[:1])
    others = [denoiser_panel(run, name, title, SIGMA, selection.baselines) for name, title in BASELINES.items()]
    levels = {panel.title: panel.decibels[0] for panel in (noisy, *others) if len(panel.decibels)}
    panels = [noisy, *ours(run), *others, Panel("clean", clean)]
    figure, (pictures, plot) = sheet(row_height(panels), 3.2)
    show_row(pictures, panels, CORNER)
    draw_curves(plot.subplots(), curves, levels)
    caption = describe_fit([run], selection.scale, clean)
    figure.suptitle(f"Figure 4: denoising, sigma {SIGMA:g}\n{caption}", fontsize=9)
    return Artifact(figure, drawn_numbers(curves, levels), [run])


def ours(run: Run) -> list[Panel]:
    """Return the panels of one output and of the average of all, with the curves' values at that iteration."""
    last = run.summary["iterations"]
    at = min(SHOWN, last)
    average = load_image(run, average_at(at) if at in run.settings["fit"]["keep"] else "average")
    return [
        Panel(f"output,\niteration {at}", load_output(run, at), value_at(run, "psnr_reference", at)),
        Panel(f"average of outputs,\niteration {at}", average, value_at(run, "psnr_average", at)),
    ]


def draw_curves(axis: Axes, curves: dict[str, Curve], levels: dict[str, float]) -> None:
    """Draw PSNR to the clean picture over the iterations, from the noisy picture's upwards; linear, so falls show."""
    for (label, curve), colour in zip(curves.items(), (BLUE, GREEN), strict=True):
        plot_band(axis, curve, colour, label)
    axis.plot(*trajectory("f16"), color="black", linewidth=1, label=AUTHORS)
    for label, level in levels.items():
        colour, line = LEVELS[label]
        axis.axhline(level, color=colour, linestyle=line, linewidth=1.2, label=label)
    lowest = min(levels["noisy"], *(curve.values[:, -1].min() for curve in curves.values()))
    axis.set_ylim(bottom=lowest - 0.5)
    axis.set_xlim(left=0)
    axis.set(xlabel="iteration", ylabel="PSNR to the clean picture (dB)")
    axis.legend(loc="lower right", ncols=2, fontsize=8)


def drawn_numbers(curves: dict[str, Curve], levels: dict[str, float]) -> pd.DataFrame:
    """Return the numbers behind the curves and lines; what has no iterations stands without one."""
    theirs = [(AUTHORS, int(iteration), [value]) for iteration, value in zip(*trajectory("f16"), strict=True)]
    others = [*theirs, *((label, "", [level]) for label, level in levels.items())]
    return pd.concat([tabulate_curves(curves, "curve", "psnr"), tabulate(others, "curve", "iteration", "psnr")])


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig4": draw}, select, ["fig4"]))
