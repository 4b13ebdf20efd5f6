"""Degrees of freedom: the split's estimate against their definition, and how many a fit has at its best.

Experiments: degrees_of_freedom, degrees_of_freedom_networks.
Writes: figures/degrees_of_freedom, tables/degrees_of_freedom. Command: make reproduce-degrees-of-freedom
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import f_oneway

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.claims import Claim, above, with_interval, within
from dip_experiments.analysis.confidence import Interval, holm, mean_interval, picture_interval
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.run_data import END, Array
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import NONE, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

REQUESTS = (["degrees_of_freedom"], ["degrees_of_freedom_networks"])
DEFAULT = "default"
COLOURS = (BLUE, ORANGE, RED)
DEFINITION, SPLIT = "freedom", "split_freedom"
MARGIN = 0.02
"""Degrees of freedom per value by which the split may be off (ours; a fifth of what it has at its best)."""
LEVEL = 0.05
LAW_TICKS = (0.02, 0.05, 0.1, 0.2, 0.4)
LEAST_SHOWN = 0.003
"""Error bars that reach 0 end here."""
LOSS = 0.1
"""dB that a stop may lose against the oracle before it is no rule (ours)."""
TITLES = {
    "network": "network",
    "picture": "picture",
    "sigma": "sigma",
    "iteration": "iteration",
    "definition": "definition",
    "split": "split",
    "apart": "difference",
    "loss": "loss (dB)",
}
ABOVE = f"""\
Degrees of freedom per value of four fits to one picture that differ in their noise alone (one draw of weights a
picture; the fits see sigma times 1.02, with what the split adds), at the iteration where the mean of their outputs'
PSNR is best (the oracle's; `>`: it still rises). `definition`: covariance of output and measurement over the fits, by
the variance of the noise (Efron 2004). `split`: c_t, which each fit estimates by itself. `difference`: fit by fit. All
with half of Student's 95 % interval over the fits. `loss`: dB that a stop loses from where on the fits' mean c_t is
never below the mean that the other pictures have at their best (same sigma, default network); {LOSS} would make it a
rule."""


@dataclass(frozen=True)
class Best:
    """One picture at the iteration where the mean of its fits' PSNR is best (oracle), and curves to look for a stop.

    `definition` and `split`: of each fit its pseudo-value of the degrees of freedom, and its c_t.
    """

    network: str
    picture: str
    sigma: float
    iteration: int
    rising: bool
    definition: Array
    split: Array
    freedoms: Mapping[str, Array]
    psnr: Array

    @property
    def apart(self) -> Interval:
        """Return the split's estimate less the definition, fit by fit."""
        return mean_interval(self.split - self.definition)

    def loss(self, wanted: float, column: str) -> float:
        """Return the dB that are lost by a stop from where on c is never below `wanted`, or at the end.

        Not where it first reaches it: the estimate is far off in the first iterations, when the residual is large.
        """
        below = np.flatnonzero(self.freedoms[column] < wanted)
        at = min(below[-1] + 1, len(self.psnr) - 1) if len(below) else 0
        return float(self.psnr.max() - self.psnr[at])


def best_of(network: str, run: Run) -> Best:
    """Measure a run."""
    psnr = curve_of(run, "psnr_reference")
    mean = psnr.values.mean(0)
    at = int(mean.argmax())
    freedom, split = (curve_of(run, name).values for name in (DEFINITION, SPLIT))
    return Best(
        network=network,
        picture=picture_name(run.settings),
        sigma=run.settings["task"]["noise"]["sigma"],
        iteration=int(psnr.iterations[at]),
        rising=bool(psnr.iterations[at] > (1 - END) * psnr.iterations[-1]),
        definition=freedom[:, at],
        split=split[:, at],
        freedoms={DEFINITION: freedom.mean(0), SPLIT: split.mean(0)},
        psnr=mean,
    )


def default_fits(fits: Sequence[Best]) -> list[Best]:
    """Return the fits of the paper's network."""
    return [fit for fit in fits if fit.network == DEFAULT]


def losses(fits: Sequence[Best], column: str) -> dict[tuple[str, float], float]:
    """Return what a stop at the other pictures' mean c loses, by picture and sigma; of the default network."""
    found = {}
    for fit in default_fits(fits):
        others = [
            one.definition.mean() for one in default_fits(fits) if one.sigma == fit.sigma and one.picture != fit.picture
        ]
        if others:
            found[fit.picture, fit.sigma] = fit.loss(float(np.mean(others)), column)
    return found


def unequal(fits: Sequence[Best]) -> dict[float, tuple[float, float]]:
    """Return by sigma the largest c by the smallest over the pictures, and the p-value that all are equal.

    By one-way analysis of variance of the fits' pseudo-values, Holm's step-down over the sigmas.
    """
    by_sigma: dict[float, list[Best]] = {}
    for fit in default_fits(fits):
        by_sigma.setdefault(fit.sigma, []).append(fit)
    several = {sigma: some for sigma, some in by_sigma.items() if len(some) > 1}
    p_values = holm([float(f_oneway(*(fit.definition for fit in some)).pvalue) for some in several.values()])
    means = {sigma: [fit.definition.mean() for fit in some] for sigma, some in several.items()}
    return {sigma: (max(values) / min(values), p) for (sigma, values), p in zip(means.items(), p_values, strict=True)}


def by_picture(values: Sequence[tuple[str, float]]) -> dict[str, list[float]]:
    """Return the values of each picture."""
    found: dict[str, list[float]] = {}
    for picture, value in values:
        found.setdefault(picture, []).append(value)
    return found


def interval(values: Sequence[tuple[str, float]]) -> Interval:
    """Return the mean over pictures with its interval."""
    return picture_interval(by_picture(values)) if values else Interval(np.nan, np.nan, np.nan)


def claims(fits: Sequence[Best]) -> list[Claim]:
    """Return the claims and their verdicts."""
    apart = interval([(fit.picture, fit.apart.value) for fit in fits])
    covered = [abs(fit.apart.value) <= (fit.apart.high - fit.apart.low) / 2 for fit in fits]
    ratios = unequal(fits)
    differ = [p < LEVEL for _, p in ratios.values()]
    texts = [f"{ratio:.1f} times at sigma {sigma:g} (p {p:.2g})" for sigma, (ratio, p) in ratios.items()]
    loss, ideal = (
        interval([(name, lost) for (name, _), lost in losses(fits, column).items()]) for column in (SPLIT, DEFINITION)
    )
    law = above(loss, LOSS)
    return [
        Claim(
            "c_t of the split estimates the degrees of freedom of the fit (Stein's identity)",
            f"its mean difference to their definition was more than {MARGIN}",
            f"{with_interval(apart, 4)} per value; 0 is in the interval of {sum(covered)} of {len(covered)} runs",
            within(apart, 0.0, MARGIN),
        ),
        Claim(
            "at its best a fit has the same degrees of freedom on every picture of one sigma (ours)",
            f"they differed between pictures (analysis of variance, p below {LEVEL})",
            f"largest by smallest {', '.join(texts)}" if texts else "not known",
            False if any(differ) else None,
        ),
        Claim(
            "so that they say when to stop (ours)",
            f"a stop where c_t passes the other pictures' mean lost more than {LOSS} dB against the oracle",
            f"{with_interval(loss)} dB in the mean, by the definition, which needs several noisy copies, "
            f"{with_interval(ideal)}",
            None if law is None else not law,
        ),
    ]


def fits_of(*selections: Selection) -> list[Best]:
    """Return the fits that are finished."""
    jobs = [job for selection in selections for job in selection.jobs]
    return [best_of(job.config["experiment"].get("change") or DEFAULT, job.run) for job in jobs if job.run]


def draw_table(default: Selection, networks: Selection) -> Artifact:
    """Draw tables/degrees_of_freedom."""
    fits = fits_of(default, networks)
    runs, waits = [*default.runs, *networks.runs], waiting(default, networks)
    lost = losses(fits, SPLIT)
    rows, numbers = [], []
    for fit in fits:
        loss = lost.get((fit.picture, fit.sigma)) if fit.network == DEFAULT else None
        found = [mean_interval(values) for values in (fit.definition, fit.split)] + [fit.apart]
        name = (fit.network, fit.picture, f"{fit.sigma:g}", f"{'>' if fit.rising else ''}{fit.iteration}")
        texts = [f"{one.value:.3f} +- {(one.high - one.low) / 2:.3f}" for one in found]
        rows.append((*name, *texts, NONE if loss is None else f"{loss:.2f}"))
        ends = [f"{value:.5f}" for one in found for value in (one.value, one.low, one.high)]
        numbers.append((*name, *ends, NONE if loss is None else f"{loss:.3f}"))
    text = " ".join([ABOVE, *(claim.text for claim in claims(fits))])
    page = make_table(table_of(rows, tuple(TITLES)), TITLES, runs, text, waits)
    columns = [f"{what}{end}" for what in ("definition", "split", "apart") for end in ("", "_low", "_high")]
    frame = pd.DataFrame(numbers, columns=["network", "picture", "sigma", "iteration", *columns, "loss"])
    return Artifact(page.shown, frame, runs, waits)


def draw_figure(default: Selection, networks: Selection) -> Artifact:
    """Draw figures/degrees_of_freedom."""
    fits = fits_of(default, networks)
    runs, waits = [*default.runs, *networks.runs], waiting(default, networks)
    if not fits:
        raise ValueError(waits)
    figure, (part,) = sheet(3.8)
    left, right = part.subplots(1, 2)
    colours = dict(zip(sorted({fit.sigma for fit in fits}), COLOURS, strict=False))
    for fit in fits:
        across, up = mean_interval(fit.definition), mean_interval(fit.split)
        left.errorbar(
            across.value, up.value, (up.high - up.low) / 2, (across.high - across.low) / 2,
            marker="o" if fit.network == DEFAULT else "s", markersize=4, color=colours[fit.sigma], elinewidth=0.7,
        )  # fmt: skip
    for sigma, colour in colours.items():
        left.plot([], [], "o", color=colour, label=f"sigma {sigma:g}")
    left.plot([], [], "s", color="0.5", label="other networks")
    span = [0, max(fit.definition.mean() for fit in fits) * 1.1]
    left.plot(span, span, color="0.5", linewidth=0.8)
    left.set(xlabel="degrees of freedom per value, by definition", ylabel="c_t of the split")
    left.legend(fontsize=8)
    draw_law(right, fits)
    figure.suptitle("\n".join(claim.title for claim in claims(fits)), fontsize=8)
    numbers = pd.DataFrame(
        [
            (fit.network, fit.picture, fit.sigma, f"{fit.definition.mean():.5f}", f"{fit.split.mean():.5f}")
            for fit in fits
        ],
        columns=["network", "picture", "sigma", "definition", "split"],
    )
    return Artifact(figure, numbers, runs, waits)


def draw_law(axis: Axes, fits: Sequence[Best]) -> None:
    """Draw the degrees of freedom at the best iteration over sigma, a line for each picture and network."""
    lines: dict[tuple[str, str], list[Best]] = {}
    for fit in sorted(fits, key=lambda fit: fit.sigma):
        lines.setdefault((fit.network, fit.picture), []).append(fit)
    shades = iter([BLUE, ORANGE, GREEN, RED, "0.4", "0.7"])
    for (network, picture), line in lines.items():
        plain = network == DEFAULT
        axis.errorbar(
            [fit.sigma for fit in line],
            [fit.definition.mean() for fit in line],
            [(one.high - one.low) / 2 for one in (mean_interval(fit.definition) for fit in line)],
            color=next(shades, "0.8") if plain else "0.8",
            linestyle="-" if plain else ":",
            marker="o" if plain else "s",
            markersize=4,
            label=picture if plain else f"{picture}, {network.replace('_', ' ')}",
        )
    axis.set(
        xscale="log", yscale="log", xticks=(10, 25, 50), xticklabels=("10", "25", "50"), xlabel="sigma",
        ylabel="the same at the best PSNR (oracle)", yticks=LAW_TICKS, yticklabels=map(str, LAW_TICKS),
    )  # fmt: skip
    axis.set_ylim(bottom=LEAST_SHOWN)
    axis.minorticks_off()
    axis.legend(fontsize=7, ncols=2)


if __name__ == "__main__":
    sys.exit(
        run_script(
            {"figures/degrees_of_freedom": draw_figure, "tables/degrees_of_freedom": draw_table}, select, *REQUESTS
        )
    )
