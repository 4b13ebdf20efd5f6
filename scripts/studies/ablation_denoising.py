"""Ablation: what one change of the network, its latent or its fit does to denoising, image by image and ranked.

Experiments: ablation_denoising, ablation_size, ablation_layers, ablation_input, ablation_fit, ablation_lbfgs,
ablation_pictures.
Writes: figures/ablation_denoising, tables/ablation_denoising. Command: make ablation-denoising
"""

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.effects import Effect, effects_of, mean_peak, over_pictures, tested
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.run_data import count_rising, final_values, peak_iterations, seconds_per_iteration
from dip_experiments.analysis.style import BLUE, RED, sheet
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

DEFAULT = "default"
NUMBERS = (
    "fits", "average_peak", "difference", "difference_low", "difference_high", "interval", "p_value", "p_value_holm",
    "difference_marked", "by_picture", "average_iteration", "rising", "at", "average_end", "output_peak",
    "output_iteration", "seconds_per_iteration",
)  # fmt: skip
TITLES = {
    "change": "change",
    "average_peak": "peak",
    "difference_marked": "difference",
    "interval": "95 % interval",
    "by_picture": "by picture",
    "at": "at",
}
ABOVE = """\
Denoising at sigma 25 with one thing changed (conf/change), {pictures}. `peak`: PSNR in dB of the averaged image at its
peak, which only the clean picture tells (the oracle's), mean over pictures. `difference`: to the default's peak of the
same picture and seed, mean over seeds, then over pictures, with Student's interval in which a picture is one
observation; `*`: p < 0.05 after Holm's correction for {tested} changes ({significant} of them). `by picture`: the
differences of {names}, in this order. `at`: the median of the peak's iteration, and how many of the fits
still rise at the end, with their peak in the last 2 % of the iterations: the change is then judged at that length. The
CSV has p, the single output, the last iteration and seconds too."""


def draw_table(*selections: Selection) -> Artifact:
    """Draw tables/ablation_denoising."""
    found, pictures = fits_of(selections), pictures_of(selections)
    effects, further = effects_of(found, DEFAULT), [f"difference {picture}" for picture in pictures]
    columns = ("change", *NUMBERS, *further)
    rows = (
        (change, *(cells(runs, effects.get(change), pictures) if runs else [NOT_RUN])) for change, runs in found.items()
    )
    above = ABOVE.format(
        pictures=pictures_done(found, pictures),
        tested=tested(effects),
        significant=sum(effect.significant for effect in effects.values()),
        names=", ".join(pictures),
    )
    runs = [run for some in found.values() for run in some]
    return make_table(table_of(rows, columns), TITLES, runs, above, waiting(*selections))


def fits_of(selections: Sequence[Selection]) -> dict[str, list[Run]]:
    """Return the runs of each change, in the order of the requests."""
    found: dict[str, list[Run]] = {}
    for job in (job for selection in selections for job in selection.jobs):
        found.setdefault(job.config["experiment"]["change"], []).extend([job.run] if job.run else [])
    return found


def pictures_of(selections: Sequence[Selection]) -> list[str]:
    """Return the names of the requested images."""
    return list(dict.fromkeys(picture_name(job.config) for request in selections for job in request.jobs))


def pictures_done(found: Mapping[str, Sequence[Run]], pictures: Sequence[str]) -> str:
    """Say how many of the pictures the changes have runs of: `3 of 6 pictures`, or `3 to 6 of 6` where they differ."""
    counts = [len({picture_name(run.settings) for run in runs}) for runs in found.values() if runs] or [0]
    done = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return f"{done} of {len(pictures)} pictures"


def cells(runs: Sequence[Run], effect: Effect | None, pictures: Sequence[str]) -> Sequence[str]:
    """Return the numbers of one change."""
    peak, output_peak = (f"{mean_peak(runs, name):.2f}" for name in ("psnr_average", "psnr_reference"))
    at, output_at = (medians(runs, name) for name in ("psnr_average", "psnr_reference"))
    end = over_pictures(runs, lambda run: final_values(run, "psnr_average"))
    seconds = [seconds_per_iteration(run) for run in runs]
    known, apart = effect_cells(effect, pictures)
    fits, up = sum(len(run.seeds) for run in runs), sum(map(count_rising, runs))
    return (
        str(fits), peak, *known, at, str(up), f"{at} ({up}/{fits})", f"{end:.2f}", output_peak, output_at,
        f"{np.median(seconds):.3f}", *apart,
    )  # fmt: skip


def effect_cells(effect: Effect | None, pictures: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the numbers of an effect from `difference` to `by_picture`, and the difference of each picture."""
    if effect is None:
        return (NONE,) * 8, (NONE,) * len(pictures)
    each = [effect.by_picture.get(picture) for picture in pictures]
    return (*effect.numbers, " ".join(map(short, each))), [NONE if one is None else f"{one:+.3f}" for one in each]


def short(difference: float | None) -> str:
    """Return a difference in five signs."""
    return NONE if difference is None else f"{difference:+.{2 if abs(difference) < 9.995 else 1}f}"


def medians(runs: Sequence[Run], column: str) -> str:
    """Return the median of the peak's iteration over all fits."""
    return f"{np.median(np.concatenate([peak_iterations(run, column) for run in runs])):.0f}"


EXPERIMENTS = (
    "ablation_denoising",
    "ablation_size",
    "ablation_layers",
    "ablation_input",
    "ablation_fit",
    "ablation_lbfgs",
    "ablation_pictures",
)
REQUESTS = [[name] for name in EXPERIMENTS]

LEAST = -4.0
"""dB: points farther to the left are drawn here, with their number."""
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
"""Behind a number, which a line would cross."""
COLUMNS = ("change", "difference", "low", "high", "p_value_holm", "fits", "rising")


def draw_figure(*selections: Selection) -> Artifact:
    """Draw figures/ablation_denoising."""
    found, pictures = fits_of(selections), pictures_of(selections)
    effects = effects_of(found, DEFAULT)
    if not effects:
        raise ValueError(f"no change has a run beside the default's; {waiting(*selections)}")
    ranked = sorted(effects.items(), key=lambda item: item[1].interval.value)
    figure, (part,) = sheet(0.8 + 0.2 * len(ranked))
    axis = part.subplots()
    rows, labels = [], []
    for place, (change, effect) in enumerate(ranked):
        draw_effect(axis, place, effect)
        fits, up = sum(len(run.seeds) for run in found[change]), sum(map(count_rising, found[change]))
        labels.append(change.replace("_", " ") + (f"  \N{UPWARDS ARROW}{up}/{fits}" if up else ""))
        mean, each = effect.interval, (effect.by_picture.get(picture, np.nan) for picture in pictures)
        numbers = (f"{value:.3f}" for value in (mean.value, mean.low, mean.high))
        columns_of_pictures = (f"{value:.3f}" for value in each)
        rows.append((change, *numbers, f"{effect.p_value_holm:.4g}", fits, up, *columns_of_pictures))
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
    table = pd.DataFrame(rows, columns=[*COLUMNS, *pictures])
    return Artifact(figure, table, list(dict.fromkeys(runs)), waiting(*selections))


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
    sys.exit(
        run_script(
            {"figures/ablation_denoising": draw_figure, "tables/ablation_denoising": draw_table}, select, *REQUESTS
        )
    )
