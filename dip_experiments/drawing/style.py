"""How every figure looks: colours, sizes, Matplotlib's settings."""

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.figure import Figure, SubFigure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#CC3311"
"""Told apart by colour-blind readers too."""
FRAME = "#33BBEE"
"""Colour of the frame around a part that is enlarged elsewhere: one that the pictures hardly have."""
WIDTH, TITLE = 8.4, 0.7
"""Inches: width of the figures, room for their title."""


def style() -> None:
    """Settings of every figure; nothing in them depends on the day, so that the same runs give the same file."""
    matplotlib.use("Agg")
    plt.rcParams.update(
        {
            "figure.dpi": 90,
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "pdf.compression": 9,
        }
    )


def sheet(*heights: float) -> tuple[Figure, list[SubFigure]]:
    """A figure with room for a title, and in it parts of these heights in inches, one below the other."""
    figure = plt.figure(figsize=(WIDTH, TITLE + sum(heights)), layout="constrained")
    return figure, [*figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]]
