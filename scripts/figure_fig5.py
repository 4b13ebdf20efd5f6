"""Figure 5 of the paper: super-resolution of the zebra, x4 and x8."""

import sys
from pathlib import Path

from dip_experiments.baselines import UPSAMPLERS
from dip_experiments.drawing.figures import (
    Array,
    Panel,
    described,
    output_at,
    row_height,
    run_script,
    save_figure,
    save_sources,
    sheet,
    show_row,
    stored,
    under_pictures,
)
from dip_experiments.metrics import psnr_y_authors
from dip_experiments.store import Run, write_columns

CORNER = (0.2, 0.4)
"""Of the enlarged part: stripes, in the whole picture and in its middle."""
BASELINES = ("nearest", "bicubic")


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig5.png, .pdf and .csv, and says in fig5.json from which runs."""
    rows = [panels(run) for run in runs]
    figure, parts = sheet(*map(row_height, rows))
    for part, run, row in zip(parts, runs, rows, strict=True):
        show_row(part, row, CORNER)
        part.suptitle(f"x{run.settings['task']['factor']}", fontsize=9, fontweight="bold")
    title = "Figure 5: super-resolution; PSNR of the brightness as in the authors' tables"
    figure.suptitle(f"{title}\n{described(runs, folder.name)}", fontsize=9)
    save_figure(figure, folder / "figures", "fig5")
    write_columns(
        folder / "figures" / "fig5.csv",
        under_pictures(
            "factor", "psnr_y", [(run.settings["task"]["factor"], row) for run, row in zip(runs, rows, strict=True)]
        ),
    )
    save_sources(runs, folder / "figures", "fig5")


def panels(run: Run) -> list[Panel]:
    """The small picture enlarged by what one would pick otherwise, and by the network; the original."""
    small, original = stored(run, "target"), stored(run, "reference")
    enlarged = {name: UPSAMPLERS[name](small, run.settings["task"]["factor"]) for name in BASELINES}
    last = run.summary["iterations"]
    replicas = range(len(run.provenance["seeds"]))
    outputs = [output_at(run, last, replica) for replica in replicas]
    averages = [stored(run, "average", replica) for replica in replicas]

    def panel(title: str, pictures: list[Array]) -> Panel:
        return Panel(title, pictures[0], [psnr_y_authors(picture, original) for picture in pictures])

    return [
        *(panel(name, [picture]) for name, picture in enlarged.items()),
        panel(f"output, iteration {last}", outputs),
        panel("average of outputs", averages),
        Panel("original", original),
    ]


if __name__ == "__main__":
    sys.exit(run_script("fig5", draw))
