"""The ablation as a ranking: what each change adds to the averaged image's best PSNR, or takes from it."""

import sys

import numpy as np
from matplotlib.axes import Axes
from table_ablation_denoising import (
    ASKED,
    DEFAULT,
    Effect,
    effects_of,
    fits_of,
    pictures_done,
    pictures_of,
    tested,
)

from dip_experiments.analysis.artifact import Page
from dip_experiments.analysis.curves import add_row
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.run_data import rising
from dip_experiments.analysis.style import BLUE, RED, sheet
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Selection, waiting

LEAST = -4.0
"""dB: what lies farther to the left is drawn there, with its number."""
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
"""Behind a number, which a line would cross."""
COLUMNS = ("change", "difference", "low", "high", "p_value_holm", "fits", "rising")


def draw(*selections: Selection) -> Page:
    """Draws figures/ablation_denoising."""
    found, pictures = fits_of(selections), pictures_of(selections)
    effects = effects_of(found)
    if not effects:
        raise ValueError(f"no change has a run beside the default's; {waiting(*selections)}")
    ranked = sorted(effects.items(), key=lambda item: item[1].interval.value)
    figure, (part,) = sheet(0.8 + 0.2 * len(ranked))
    axis = part.subplots()
    columns: dict[str, list[str]] = {name: [] for name in (*COLUMNS, *pictures)}
    labels = []
    for place, (change, effect) in enumerate(ranked):
        draw_effect(axis, place, effect)
        fits, up = sum(len(run.seeds) for run in found[change]), sum(map(rising, found[change]))
        labels.append(change.replace("_", " ") + (f"  \N{UPWARDS ARROW}{up}/{fits}" if up else ""))
        mean, each = effect.interval, (effect.by_picture.get(picture, np.nan) for picture in pictures)
        numbers = (f"{value:.3f}" for value in (mean.value, mean.low, mean.high))
        columns_of_pictures = (f"{value:.3f}" for value in each)
        add_row(columns, change, *numbers, f"{effect.p_value_holm:.4g}", str(fits), str(up), *columns_of_pictures)
    axis.set_yticks(range(len(ranked)), labels, fontsize=8)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set(xlabel="best PSNR of the averaged image (oracle), less the default's (dB)", ylim=(-0.7, len(ranked) - 0.3))
    axis.grid(axis="x", alpha=0.3)
    figure.suptitle(
        f"One change of the default, denoising, sigma 25: {pictures_done(found, pictures)} (circles), their mean and "
        f"its 95 % interval\ncoloured: differs from 0 after Holm's correction for {tested(effects)} changes; "
        "\N{UPWARDS ARROW}: so many fits still rise at the end",
        fontsize=9,
    )
    runs = [run for some in (found.get(DEFAULT, []), *found.values()) for run in some]
    return Page(figure, columns, list(dict.fromkeys(runs)), waiting(*selections))


def draw_effect(axis: Axes, place: int, effect: Effect) -> None:
    """Draw the pictures' points, their mean and its interval; farther left than `LEAST` an arrow, with the mean."""
    mean = effect.interval
    colour = "0.45" if not effect.significant else BLUE if mean.value > 0 else RED
    axis.plot(np.maximum([mean.low, mean.high], LEAST), [place, place], color=colour, linewidth=1.2)
    shown = [value for value in effect.by_picture.values() if value >= LEAST]
    axis.plot(shown, [place] * len(shown), "o", markeredgecolor="0.25", markerfacecolor="white", markersize=4)
    axis.plot(max(mean.value, LEAST), place, "D" if mean.value >= LEAST else "<", color=colour, markersize=5)
    if mean.value < LEAST:
        axis.annotate(f"{mean.value:.1f}", (LEAST, place), (6, -3), textcoords="offset points", fontsize=7, bbox=PLATE)


if __name__ == "__main__":
    sys.exit(run_script("figures/ablation_denoising", draw, select, *ASKED))
