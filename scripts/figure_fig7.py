"""Figure 7 of the paper: a picture under letters, and one of which half of the pixels are missing."""

import sys
from pathlib import Path

import numpy as np

from dip_experiments.baselines import INPAINTERS
from dip_experiments.drawing.figures import (
    Array,
    Panel,
    described,
    missing,
    row_height,
    run_script,
    save_figure,
    save_sources,
    sheet,
    show_row,
    stored,
    under_pictures,
)
from dip_experiments.metrics import psnr
from dip_experiments.store import Run, write_columns

CORNERS = {"paper/kate": (0.2, 0.38), "standard11/barbara": (0.75, 0.5)}
"""Of the enlarged parts: the face and a pattern of stripes, in the whole pictures and in their middles."""
MIDDLE = (0.375, 0.375)
SUBTITLE = 0.25
"""Inches."""
BASELINES = ("nearest", "biharmonic")


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig7.png, .pdf and .csv, and says in fig7.json from which runs."""
    rows = [panels(run) for run in runs]
    figure, parts = sheet(*(row_height(row) + SUBTITLE for row in rows))
    for part, run, row in zip(parts, runs, rows, strict=True):
        show_row(part, row, CORNERS.get(run.settings["image"]["name"], MIDDLE))
        part.suptitle(described([run], folder.name), fontsize=8)
    figure.suptitle("Figure 7: inpainting; of the network, the output for the latent as it is", fontsize=9)
    save_figure(figure, folder / "figures", "fig7")
    write_columns(
        folder / "figures" / "fig7.csv",
        under_pictures(
            "image", "psnr", [(run.settings["image"]["name"], row) for run, row in zip(runs, rows, strict=True)]
        ),
    )
    save_sources(runs, folder / "figures", "fig7")


def panels(run: Run) -> list[Panel]:
    """The holes, filled by what one would pick otherwise and by the network; the picture itself."""
    holes, reference = stored(run, "target"), stored(run, "reference")
    known = np.broadcast_to(~missing(run), holes.shape)
    ours = [stored(run, "unperturbed", replica) for replica in range(len(run.provenance["seeds"]))]

    def panel(title: str, pictures: list[Array]) -> Panel:
        return Panel(title, pictures[0], [psnr(picture, reference) for picture in pictures])

    return [
        panel("missing: black", [holes]),
        *(panel(name, [INPAINTERS[name](holes, known)]) for name in BASELINES),
        panel(f"network, iteration {run.summary['iterations']}", ours),
        Panel("original", reference),
    ]


if __name__ == "__main__":
    sys.exit(run_script("fig7_text", draw, "fig7_missing"))
