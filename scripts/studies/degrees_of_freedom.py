"""Degrees of freedom: the split's estimate against their definition, and how many a fit has at its best.

Experiments: degrees_of_freedom, degrees_of_freedom_networks.
Writes: figures/degrees_of_freedom, tables/degrees_of_freedom. Command: make reproduce-degrees-of-freedom
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.claims import Claim, above, with_interval
from dip_experiments.analysis.confidence import Interval, picture_interval
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.run_data import Array
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import NONE, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

REQUESTS = (["degrees_of_freedom"], ["degrees_of_freedom_networks"])
DEFAULT = "default"
COLOURS = (BLUE, ORANGE, RED)
LOSS = 0.1
"""dB that a stop may lose against the oracle before it is no rule (ours)."""
TITLES = {
    "network": "network",
    "picture": "picture",
    "sigma": "sigma",
    "iteration": "iteration",
    "definition": "definition",
    "split": "split",
    "apart": "apart / SE",
    "loss": "loss (dB)",
}
ABOVE = f"""\
Degrees of freedom per value of four fits that differ in their noise alone, at the iteration where the mean of their
outputs' PSNR is best (the oracle's). `definition`: covariance of output and measurement over the fits, by the
variance of the noise (Efron 2004). `split`: mean of c_t, which each fit estimates by itself. Both with their standard
errors; `apart`: their difference by its standard error. `loss`: what a stop loses against that best iteration, if it
comes where the definition first reaches the mean that the other pictures have at their best (same sigma, default
network); {LOSS} dB would make it a rule."""


@dataclass(frozen=True)
class Best:
    """One fit at the best iteration of its outputs: c by definition and by the split, and curves to look for a stop."""

    network: str
    picture: str
    sigma: float
    iteration: int
    definition: float
    definition_se: float
    split: float
    split_se: float
    freedom: Array
    psnr: Array

    @property
    def apart(self) -> float:
        """Return the split's estimate less the definition."""
        return self.split - self.definition

    @property
    def apart_se(self) -> float:
        """Return the standard error of that."""
        return float(np.hypot(self.split_se, self.definition_se))

    def loss(self, wanted: float) -> float:
        """Return the dB that are lost by a stop where c first reaches `wanted`, or at the end if it never does."""
        reached = np.flatnonzero(self.freedom >= wanted)
        return float(self.psnr.max() - self.psnr[reached[0] if len(reached) else -1])


def best_of(network: str, run: Run) -> Best:
    """Measure a run."""
    psnr = curve_of(run, "psnr_reference")
    mean = psnr.values.mean(0)
    at = int(mean.argmax())
    freedom, error, split = (curve_of(run, name).values for name in ("freedom", "freedom_se", "split_freedom"))
    return Best(
        network=network,
        picture=picture_name(run.settings),
        sigma=run.settings["task"]["noise"]["sigma"],
        iteration=int(psnr.iterations[at]),
        definition=float(freedom[0, at]),
        definition_se=float(error[0, at]),
        split=float(split[:, at].mean()),
        split_se=float(split[:, at].std(ddof=1) / len(split) ** 0.5),
        freedom=freedom[0],
        psnr=mean,
    )


def losses(fits: Sequence[Best]) -> dict[tuple[str, float], float]:
    """Return what a stop at the other pictures' mean c loses, by picture and sigma; of the default network."""
    default = [fit for fit in fits if fit.network == DEFAULT]
    found = {}
    for fit in default:
        others = [one.definition for one in default if one.sigma == fit.sigma and one.picture != fit.picture]
        if others:
            found[fit.picture, fit.sigma] = fit.loss(float(np.mean(others)))
    return found


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
    apart = interval([(fit.picture, fit.apart) for fit in fits])
    near = [abs(fit.apart) <= 2 * fit.apart_se for fit in fits]
    agree = above(apart)
    loss = interval([(picture, value) for (picture, _), value in losses(fits).items()])
    law = above(loss, LOSS)
    return [
        Claim(
            "c_t of the split estimates the degrees of freedom of the fit (Stein's identity)",
            "its mean difference to their definition had an interval without 0",
            f"{with_interval(apart, 4)} per value, within 2 standard errors in "
            f"{sum(near)} of {len(near)} fits",
            None if not np.isfinite(apart.low) else agree is None,
        ),
        Claim(
            "at its best a fit has the same degrees of freedom on every picture of one sigma, so that they say when to "
            "stop (ours)",
            f"a stop at the other pictures' mean lost more than {LOSS} dB against the oracle",
            f"{with_interval(loss)} dB in the mean",
            None if law is None else not law,
        ),
    ]  # fmt: skip


def fits_of(*selections: Selection) -> list[Best]:
    """Return the fits that are finished."""
    jobs = [job for selection in selections for job in selection.jobs]
    return [best_of(job.config["experiment"].get("change") or DEFAULT, job.run) for job in jobs if job.run]


def draw_table(default: Selection, networks: Selection) -> Artifact:
    """Draw tables/degrees_of_freedom."""
    fits = fits_of(default, networks)
    runs, waits = [*default.runs, *networks.runs], waiting(default, networks)
    lost = losses(fits)
    rows, numbers = [], []
    for fit in fits:
        loss = lost.get((fit.picture, fit.sigma)) if fit.network == DEFAULT else None
        name = (fit.network, fit.picture, f"{fit.sigma:g}", f"{fit.iteration}")
        both = ((fit.definition, fit.definition_se), (fit.split, fit.split_se))
        texts = [f"{value:.3f} +- {error:.3f}" for value, error in both]
        rows.append((*name, *texts, f"{fit.apart / fit.apart_se:+.1f}", NONE if loss is None else f"{loss:.2f}"))
        numbers.append(
            (*name, *(f"{value:.5f}" for pair in both for value in pair), NONE if loss is None else f"{loss:.3f}")
        )
    text = " ".join([ABOVE, *(claim.text for claim in claims(fits))])
    page = make_table(table_of(rows, tuple(TITLES)), TITLES, runs, text, waits)
    columns = ["network", "picture", "sigma", "iteration", "definition", "definition_se", "split", "split_se", "loss"]
    return Artifact(page.shown, pd.DataFrame(numbers, columns=columns), runs, waits)


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
        left.errorbar(
            fit.definition, fit.split, 1.96 * fit.split_se, 1.96 * fit.definition_se,
            marker="o" if fit.network == DEFAULT else "s", markersize=4, color=colours[fit.sigma], elinewidth=0.7,
        )  # fmt: skip
    for sigma, colour in colours.items():
        left.plot([], [], "o", color=colour, label=f"sigma {sigma:g}")
    left.plot([], [], "s", color="0.5", label="other networks")
    span = [0, max(fit.definition for fit in fits) * 1.1]
    left.plot(span, span, color="0.5", linewidth=0.8)
    left.set(xlabel="degrees of freedom per value, by definition", ylabel="c_t of the split")
    left.legend(fontsize=8)
    draw_law(right, fits)
    figure.suptitle("\n".join(claim.title for claim in claims(fits)), fontsize=8)
    numbers = pd.DataFrame(
        [(fit.network, fit.picture, fit.sigma, f"{fit.definition:.5f}", f"{fit.split:.5f}") for fit in fits],
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
            [fit.definition for fit in line],
            [1.96 * fit.definition_se for fit in line],
            color=next(shades, "0.8") if plain else "0.8",
            linestyle="-" if plain else ":",
            marker="o" if plain else "s",
            markersize=4,
            label=picture if plain else f"{picture}, {network.replace('_', ' ')}",
        )
    axis.set(
        xscale="log", yscale="log", xticks=(10, 25, 50), xticklabels=("10", "25", "50"), xlabel="sigma",
        ylabel="degrees of freedom per value at the best PSNR (oracle)",
    )  # fmt: skip
    axis.minorticks_off()
    axis.legend(fontsize=7)


if __name__ == "__main__":
    sys.exit(
        max(
            run_script("figures/degrees_of_freedom", draw_figure, select, *REQUESTS),
            run_script("tables/degrees_of_freedom", draw_table, select, *REQUESTS),
        )
    )
