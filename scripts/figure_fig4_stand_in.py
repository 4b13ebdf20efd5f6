"""Figure 4 with the paper's network on a smaller picture, where there is no GPU for the paper's scale."""

import sys
from pathlib import Path

import figure_fig4

from dip_experiments.drawing.figures import run_script
from dip_experiments.store import Run


def draw(runs: list[Run], folder: Path) -> None:
    """Draws fig4_stand_in.png, .pdf and .csv, and says in fig4_stand_in.json from which run."""
    figure_fig4.draw(runs, folder, "fig4_stand_in")


if __name__ == "__main__":
    sys.exit(run_script("fig4_stand_in", draw))
