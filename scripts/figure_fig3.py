"""Figure 3 of the paper: a JPEG is restored blindly, and its blocks come back in the end."""

import sys
from pathlib import Path

import numpy as np

from dip_experiments.drawing.figures import (
    BLUE,
    Panel,
    band,
    curves_of,
    described,
    log_points,
    only_run,
    output_at,
    row_height,
    run_script,
    save_figure,
    save_sources,
    sheet,
    show_row,
    stored,
    tabulated,
)
from dip_experiments.store import Run, write_columns

SHOWN = (100, 600, 2400)
"""Iterations whose outputs are shown before the last one's; 2400 is where the authors stop."""
CORNER = (0.55, 0.25)
"""Of the enlarged part: an outline, where the JPEG rings and its blocks show."""


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig3.png, .pdf and .csv, and says in fig3.json from which run."""
    run = only_run(runs)
    psnr = curves_of(run, "psnr_measurement")
    iterations = [n for n in SHOWN if n < psnr.shape[1]] + [psnr.shape[1]]
    # Single outputs fall back now and then; the seed in the middle is no lucky and no unlucky one.
    middle = int(np.argsort(psnr[:, min(SHOWN[-1], psnr.shape[1]) - 1])[len(psnr) // 2])
    outputs = [Panel(f"output, iteration {n}", output_at(run, n, middle), psnr[:, n - 1]) for n in iterations]
    panels = [Panel("the JPEG", stored(run, "target")), *outputs]
    figure, (pictures, plot) = sheet(row_height(panels), 2.2)
    show_row(pictures, panels, CORNER)
    axis = plot.subplots()
    band(axis, psnr, BLUE, "", log_points(psnr.shape[1]))
    axis.plot(iterations, psnr[:, np.array(iterations) - 1].mean(0), "o", color=BLUE)
    axis.set(xscale="log", xlabel="iteration", ylabel="PSNR to the JPEG (dB)")
    figure.suptitle(
        "Figure 3: a JPEG restored; nobody knows the clean picture, the numbers compare with the JPEG\n"
        + described(runs, folder.name, f"the seed that is in the middle at iteration {SHOWN[-1]}"),
        fontsize=9,
    )
    save_figure(figure, folder / "figures", "fig3")
    write_columns(folder / "figures" / "fig3.csv", tabulated({"single output": psnr}, "curve", "psnr_jpeg"))
    save_sources(runs, folder / "figures", "fig3")


if __name__ == "__main__":
    sys.exit(run_script("fig3", draw))
