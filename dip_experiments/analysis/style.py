"""Style of all figures: colours, sizes, Matplotlib's settings."""

from collections.abc import Mapping

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.transforms import Bbox

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#CC3311"
"""Distinguishable by colour-blind readers too."""
FRAME = "#33BBEE"
"""Colour of the frame around a part that is enlarged elsewhere: one that the pictures hardly have."""
WIDTH, TITLE = 8.4, 0.7
"""Inches: width of the figures, room for their title."""
OFFSETS = [(side * 6, up) for up in (5, -12, 14, -21, 23, -30) for side in (1, -1)]
"""Positions of a label relative to its point, in points of type: above or below it, right or left."""
DOT = 5
"""Pixels around the middle of a point that no name may cover."""


def style() -> None:
    """Apply the settings of every figure; nothing depends on the day: the same runs give the same file."""
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
    """Return a figure with room for a title, and in it parts of these heights in inches, one below the other."""
    figure = plt.figure(figsize=(WIDTH, TITLE + sum(heights)), layout="constrained")
    return figure, [*figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]]


def common_legend(*axes: Axes) -> tuple[list[Artist], list[str]]:
    """Return handles and labels of all axes, each label once."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return [*found.values()], [*found]


def label_points(figure: Figure, axis: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Label points so that no label covers another label or point; to be called when all else is drawn."""
    figure.draw_without_rendering()  # the layout, and with it where points are
    centres = [axis.transData.transform(point) for point in points.values()]
    taken = [Bbox([centre - DOT, centre + DOT]) for centre in centres]
    for name, point in points.items():
        for right, up in OFFSETS:
            side = "left" if right > 0 else "right"
            text = axis.annotate(name, point, (right, up), textcoords="offset points", ha=side, fontsize=8)
            text.set_in_layout(False)
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            raise ValueError(f"{name}: no room for its name; give the figure more")
        taken.append(box)
