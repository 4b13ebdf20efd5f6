"""Rows of images with their numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dip_experiments.analysis.style import FRAME, WIDTH

Array = NDArray[np.float64]
LABEL_HEIGHT = 0.85
"""Inches for the text of a row of images."""


class Panel(NamedTuple):
    """One image of a row.

    `picture`: "c h w" in [0, 1]; None leaves the title in its place. `decibels`: its quality, one value per seed.
    """

    title: str
    picture: Array | None
    decibels: Sequence[float] | Array = ()


def row_height(panels: Sequence[Panel]) -> float:
    """Return the height of a row in inches."""
    height, width = next(panel.picture.shape[1:] for panel in panels if panel.picture is not None)
    return 2 * WIDTH / max(len(panels), 4) * height / width + LABEL_HEIGHT


def show_row(figure: Figure | SubFigure, panels: Sequence[Panel], corner: tuple[float, float]) -> None:
    """Show images in a row; below each the part a quarter of its height and width from `corner` (top, left) on.

    The corner is given as shares of the height and width.
    """
    for (overview, enlarged), panel in zip(figure.subplots(2, len(panels)).T, panels, strict=True):
        if panel.picture is None:
            overview.text(0.5, 0.5, panel.title, ha="center", va="center", fontsize=8)
            overview.set_axis_off()
            enlarged.set_axis_off()
            continue
        show(overview, panel.picture, panel.title, format_psnr(panel.decibels))
        height, width = (side // 4 for side in panel.picture.shape[1:])
        top, left = (round(at * side) for at, side in zip(corner, panel.picture.shape[1:], strict=True))
        overview.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=FRAME))
        show(enlarged, panel.picture[:, top : top + height, left : left + width], pixels="nearest")


def show(axis: Axes, picture: Array, title: str = "", format_psnr: str = "", pixels: str = "antialiased") -> None:
    """Show an image "c h w" in [0, 1], grey or RGB, with a line above and one below; `pixels`: the interpolation."""
    axis.imshow(np.moveaxis(np.broadcast_to(picture, (3, *picture.shape[1:])), 0, 2), interpolation=pixels)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=8)
    axis.set_xlabel(format_psnr, fontsize=8)
    axis.spines[:].set_visible(False)


def format_psnr(decibels: Sequence[float] | Array) -> str:
    """Return the mean over the seeds, and their range, as text."""
    if not len(decibels):
        return ""
    mean = f"{np.mean(decibels):.2f} dB"
    return mean if len(decibels) == 1 else f"{mean}\n{np.min(decibels):.2f} to {np.max(decibels):.2f}"
