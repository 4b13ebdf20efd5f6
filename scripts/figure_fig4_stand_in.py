"""Figure 4 with the paper's network on a smaller picture, where there is no GPU for the paper's scale."""

import sys

import figure_fig4

from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script
from dip_experiments.selection import select

ASKED = (["fig4_stand_in"], ["fig4_stand_in", "precision=bf16"])
"""In the authors' precision, else in the one that saves a quarter of the time."""


def draw(plain: Selection, lower: Selection) -> Page:
    """Draws figures/fig4_stand_in."""
    return figure_fig4.draw(plain if plain.runs or not lower.runs else lower)


if __name__ == "__main__":
    sys.exit(run_script("figures/fig4_stand_in", draw, select, *ASKED))
