"""Figure 4 of the paper: blind denoising of F16 over the iterations, beside methods that know the noise."""

import sys
from pathlib import Path

from matplotlib.axes import Axes

from dip_experiments.baselines import DENOISERS
from dip_experiments.drawing.figures import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Array,
    Panel,
    add_row,
    band,
    curves_of,
    described,
    only_run,
    output_at,
    row_height,
    run_script,
    save_figure,
    save_sources,
    sheet,
    show_row,
    statistics,
    stored,
    tabulated,
)
from dip_experiments.metrics import psnr
from dip_experiments.published import trajectory
from dip_experiments.store import Run, write_columns

SIGMA = 25.0
"""Of the authors' noisy pictures `noisy25`, which the baselines are told."""
SHOWN = 1800
"""The iteration at which the paper stops."""
CORNER = (0.25, 0.35)
"""Of the enlarged part: the letters on the fuselage, in the whole picture and in its middle."""
BASELINES = {"nlm": "NLM", "bm3d": "BM3D"}
LEVELS = {"noisy": ("grey", ":"), "NLM": (ORANGE, "--"), "BM3D": (RED, "-.")}
"""Colour and line of what has no iterations."""
AUTHORS = "authors, 512 x 512, single output"


def draw(runs: list[Run], folder: Path, name: str = "fig4") -> None:
    """Draws fig4.png, .pdf and .csv, and says in fig4.json from which run."""
    run = only_run(runs)
    curves = {"single output": curves_of(run, "psnr_reference"), "average": curves_of(run, "psnr_average")}
    noisy, *others = rivals(run)
    levels = {panel.title: panel.decibels[0] for panel in (noisy, *others) if len(panel.decibels)}
    panels = [noisy, *ours(run, curves), *others]
    figure, (pictures, plot) = sheet(row_height(panels), 3.2)
    show_row(pictures, panels, CORNER)
    draw_curves(plot.subplots(), curves, levels)
    figure.suptitle(f"Figure 4: denoising, sigma {SIGMA:g}\n{described(runs, folder.name)}", fontsize=9)
    save_figure(figure, folder / "figures", name)
    write_columns(folder / "figures" / f"{name}.csv", drawn_numbers(curves, levels))
    save_sources(runs, folder / "figures", name)


def ours(run: Run, curves: dict[str, Array]) -> list[Panel]:
    """One output of the network and the average of all, with the curves' values there."""
    last = run.summary["iterations"]
    at = min(SHOWN, last)
    average = stored(run, f"average-{at:06d}" if at in run.settings["fit"]["keep"] else "average")
    return [
        Panel(f"output,\niteration {at}", output_at(run, at), curves["single output"][:, at - 1]),
        Panel(f"average of outputs,\niteration {at}", average, curves["average"][:, at - 1]),
    ]


def rivals(run: Run) -> list[Panel]:
    """The noisy picture, what the baselines make of it, and the clean one."""
    noisy, clean = stored(run, "target"), stored(run, "reference")
    panels = [Panel("noisy", noisy, [psnr(noisy, clean)])]
    for name, title in BASELINES.items():
        if name in DENOISERS:
            denoised = DENOISERS[name](noisy, SIGMA)
            panels.append(Panel(title, denoised, [psnr(denoised, clean)]))
        else:
            panels.append(Panel(f"{title} is not\ninstalled:\nmake setup\nEXTRAS={name}", None))
    return [*panels, Panel("clean", clean)]


def draw_curves(axis: Axes, curves: dict[str, Array], levels: dict[str, float]) -> None:
    """PSNR to the clean picture over the iterations, from the noisy picture's upwards; linear, so that falls show."""
    for (label, values), colour in zip(curves.items(), (BLUE, GREEN), strict=True):
        band(axis, values, colour, label)
    axis.plot(*trajectory("f16"), color="black", linewidth=1, label=AUTHORS)
    for label, level in levels.items():
        colour, line = LEVELS[label]
        axis.axhline(level, color=colour, linestyle=line, linewidth=1.2, label=label)
    lowest = min(levels["noisy"], *(values[:, -1].min() for values in curves.values()))
    axis.set_ylim(bottom=lowest - 0.5)
    axis.set_xlim(left=0)
    axis.set(xlabel="iteration", ylabel="PSNR to the clean picture (dB)")
    axis.legend(loc="lower right", ncols=2, fontsize=8)


def drawn_numbers(curves: dict[str, Array], levels: dict[str, float]) -> dict[str, list[object]]:
    """The numbers behind the curves and lines; what has no iterations stands without one."""
    columns = tabulated(curves, "curve", "psnr")
    for iteration, value in zip(*trajectory("f16"), strict=True):
        add_row(columns, AUTHORS, int(iteration), *statistics([value]))
    for label, level in levels.items():
        add_row(columns, label, "", *statistics([level]))
    return columns


if __name__ == "__main__":
    sys.exit(run_script("fig4", draw))
