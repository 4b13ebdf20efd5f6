"""The ablation as a ranking: what each change adds to the averaged image's best PSNR, or takes from it."""

import sys

from table_ablation_denoising import ASKED, DEFAULT, difference, fits_of

from dip_experiments.drawing.curves import add_row
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script, waiting
from dip_experiments.drawing.style import BLUE, RED, sheet
from dip_experiments.selection import select

LEAST = -4.0
"""dB: what lies farther to the left is drawn there, with its number."""


def draw(*selections: Selection) -> Page:
    """Draws figures/ablation_denoising."""
    found = fits_of(selections)
    default = found.pop(DEFAULT, [])
    apart = {change: paired for change, runs in found.items() if (paired := difference(runs, default))}
    if not apart:
        raise ValueError(f"no change has a run beside the default's; {waiting(*selections)}")
    ranked = sorted(apart.items(), key=lambda item: item[1].value)
    figure, (part,) = sheet(0.8 + 0.2 * len(ranked))
    axis = part.subplots()
    columns: dict[str, list[str]] = {name: [] for name in ("change", "difference", "low", "high")}
    for place, (change, interval) in enumerate(ranked):
        colour = BLUE if interval.low > 0 else RED if interval.high < 0 else "0.5"
        shown = max(interval.value, LEAST)
        axis.plot([max(interval.low, LEAST), max(interval.high, LEAST)], [place, place], color=colour)
        axis.plot(shown, place, "o" if shown == interval.value else "<", color=colour, markersize=5)
        if shown > interval.value:
            axis.annotate(f"{interval.value:.1f}", (LEAST, place), (6, -3), textcoords="offset points", fontsize=7)
        add_row(columns, change, f"{interval.value:.3f}", f"{interval.low:.3f}", f"{interval.high:.3f}")
    axis.set_yticks(range(len(ranked)), [change.replace("_", " ") for change, _ in ranked], fontsize=8)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set(xlabel="best PSNR of the averaged image (oracle), less the default's (dB)", ylim=(-0.7, len(ranked) - 0.3))
    axis.grid(axis="x", alpha=0.3)
    runs = [run for some in (default, *found.values()) for run in some]
    pictures = len({run.settings["image"]["name"] for run in runs})
    seeds = len({seed for run in default for seed in run.seeds})
    figure.suptitle(
        f"One change of the default, denoising, sigma 25: {pictures} pictures, {seeds} seeds, 95 % intervals",
        fontsize=9,
    )
    return Page(figure, columns, runs, waiting(*selections))


if __name__ == "__main__":
    sys.exit(run_script("figures/ablation_denoising", draw, select, *ASKED))
