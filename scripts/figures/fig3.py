"""Figure 3 of the paper: a JPEG is restored blindly, and its blocks come back in the end.

Experiment: fig3. Writes: figures/fig3. Command: make reproduce-fig3
"""

import sys

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import curve_of, plot_band, value_at
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image, load_output
from dip_experiments.analysis.style import BLUE, sheet
from dip_experiments.analysis.table import tabulate_curves
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

SHOWN = (100, 600, 2400)
"""Iterations whose outputs are shown before the last one's; 2400 is where the authors stop."""
CORNER = (0.55, 0.25)
"""Of the enlarged part: an outline, where the JPEG rings and its blocks show."""


def draw(selection: Selection) -> Artifact:
    """Draw figures/fig3."""
    run = selection.only
    psnr, last = curve_of(run, "psnr_measurement"), run.summary["iterations"]
    values = {n: value_at(run, "psnr_measurement", n) for n in (*(n for n in SHOWN if n < last), last)}
    replica = middle(run, values[min(SHOWN[-1], last)])
    outputs = [Panel(f"output, iteration {n}", load_output(run, n, replica), values[n]) for n in values]
    panels = [Panel("the JPEG", load_image(run, "target")), *outputs]
    figure, (pictures, plot) = sheet(row_height(panels), 2.2)
    show_row(pictures, panels, CORNER)
    axis = plot.subplots()
    plot_band(axis, psnr.sparse, BLUE, "")
    axis.plot(list(values), [value.mean() for value in values.values()], "o", color=BLUE)
    axis.set(xscale="log", xlabel="iteration", ylabel="PSNR to the JPEG (dB)")
    shown = f"the seed that is in the middle at iteration {SHOWN[-1]}"
    title = "Figure 3: a JPEG restored; nobody knows the clean picture, the numbers compare with the JPEG"
    caption = describe_fit([run], selection.scale, load_output(run, last, replica), shown)
    figure.suptitle(f"{title}\n{caption}", fontsize=9)
    return Artifact(figure, tabulate_curves({"single output": psnr}, "curve", "psnr_jpeg"), [run])


def middle(run: Run, values: np.ndarray) -> int:
    """Return the replica in the middle: single outputs fall back now and then, it is no lucky and no unlucky one."""
    return run.replicas[int(np.argsort(values)[len(values) // 2])]


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig3": draw}, select, ["fig3"]))
