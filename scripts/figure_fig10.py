"""Figure 10 of the paper: a dark, noisy picture restored with the help of one in flashlight."""

import sys
from pathlib import Path

from dip_experiments.drawing.figures import (
    BLUE,
    Panel,
    band,
    curves_of,
    described,
    log_points,
    only_run,
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

CORNER = (0.0, 0.5)
"""Of the enlarged part: a jug with its pattern, in the whole picture and in its middle."""


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig10.png, .pdf and .csv, and says in fig10.json from which run."""
    run = only_run(runs)
    loss = curves_of(run, "loss")
    panels = [
        Panel("with flash: the latent", stored(run, "flash")),
        Panel("without flash", stored(run, "target")),
        Panel(f"output for the latent, iteration {loss.shape[1]}", stored(run, "unperturbed")),
    ]
    figure, (pictures, plot) = sheet(row_height(panels), 2.2)
    show_row(pictures, panels, CORNER)
    axis = plot.subplots()
    band(axis, loss, BLUE, "", log_points(loss.shape[1]))
    axis.set(xscale="log", yscale="log", xlabel="iteration", ylabel="MSE to the picture\nwithout flash")
    title = "Figure 10: flash and no flash; nobody knows the clean picture"
    figure.suptitle(f"{title}\n{described(runs, folder.name)}", fontsize=9)
    save_figure(figure, folder / "figures", "fig10")
    write_columns(folder / "figures" / "fig10.csv", tabulated({"single output": loss}, "curve", "loss"))
    save_sources(runs, folder / "figures", "fig10")


if __name__ == "__main__":
    sys.exit(run_script("fig10", draw))
