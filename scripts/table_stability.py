"""How much results vary: best iteration and PSNR over pictures, noises and seeds, and what the variance comes from."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.drawing.curves import Curve, curve_of
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script, waiting
from dip_experiments.drawing.stored import peak_iterations, peaks
from dip_experiments.drawing.table import NONE, job_rows, table_page
from dip_experiments.selection import select
from dip_experiments.store import Run, stop_image

PLATEAU = 0.2
"""dB below the best: as far as the plateau goes (ours)."""
COUNTS = (1, 2, 4, 8)
"""Replicas of which the mean is taken."""
SOURCES = {
    "init": "weights at the start",
    "latent": "latent z",
    "perturbation": "perturbations of z",
    "task": "noise in the picture",
}
NUMBERS = (
    "best_iteration", "best_iteration_sd", "best_psnr", "best_psnr_sd", "fixed_psnr", "plateau",
    "output_best_psnr", *(f"mean_of_{count}" for count in COUNTS),
)  # fmt: skip
TITLES = {
    "image": "image",
    "varies": "noise, or what varies",
    "best_iteration": "best iteration",
    "best_iteration_sd": "+-",
    "best_psnr": "best PSNR",
    "best_psnr_sd": "+- ",
    "fixed_psnr": "at the fixed one",
    "plateau": "plateau",
}
ABOVE = f"""\
The averaged image of eight replicas: the iteration at which it is best (the oracle's, which looks at the clean
picture), its PSNR in dB there and at a fixed iteration (1800, or the last one), mean and standard deviation over the
replicas. `plateau`: iterations within {PLATEAU} dB of the best. In the first rows all replicas see the same noisy
picture; in those that begin with `only` they differ in one thing alone, at sigma 25. The CSV also has single outputs
and the best mean of 1, 2, 4 and 8 replicas, expected over all choices of so many."""


def draw(noises: Selection, sources: Selection) -> Page:
    """Writes tables/stability."""
    jobs = [*noises.jobs, *sources.jobs]
    names = {"image": lambda words: str(words["image"]["name"]), "varies": varies}
    columns = job_rows(jobs, names, NUMBERS, cells)
    return table_page(columns, TITLES, [job.run for job in jobs if job.run], ABOVE, waiting(noises, sources))


def varies(words: Mapping[str, Any]) -> str:
    """The noise of a study's job, or the one source that its replicas do not share."""
    experiment: Mapping[str, Any] = words["experiment"]
    return str(experiment["noise"]) if "noise" in experiment else f"only {SOURCES[experiment['varies']]}"


def cells(run: Run) -> Sequence[str]:
    """The numbers of one line."""
    at, best, curve = peak_iterations(run, "psnr_average"), peaks(run, "psnr_average"), curve_of(run, "psnr_average")
    means = [f"{decibels(mean_error(run, count)).max():.2f}" if has_mean(run) else NONE for count in COUNTS]
    return (
        f"{at.mean():.0f}",
        f"{at.std(ddof=1):.0f}",
        f"{best.mean():.2f}",
        f"{best.std(ddof=1):.2f}",
        f"{fixed(run).mean():.2f}",
        f"{plateau(curve).mean():.0f}",
        f"{peaks(run, 'psnr_reference').mean():.2f}",
        *means,
    )


def fixed(run: Run) -> NDArray[np.float64]:
    """PSNR at the fixed iteration if a rule watched that, else at the last one."""
    if "fixed" in run.summary.get("stopping", {}):
        return run.scores(stop_image("fixed", "average"), "psnr")
    return np.array([run.summary["final"]["psnr_average"][replica] for replica in run.replicas])


def plateau(curve: Curve) -> NDArray[np.float64]:
    """Iterations within PLATEAU of the best, of each seed, from the points that records keep."""
    inside = curve.values >= curve.values.max(1, keepdims=True) - PLATEAU
    return (inside * np.gradient(curve.iterations.astype(float))).sum(1)


def has_mean(run: Run) -> bool:
    """Whether the PSNR of the replicas' mean was recorded."""
    return "psnr_mean" in run.summary["final"]


def mean_error(run: Run, count: int) -> NDArray[np.float64]:
    """Mean squared error of the mean of `count` replicas, expected over all choices of them, at `curve_points`.

    E_k = E_1 / k + (1 - 1 / k) C, with C the mean product of two replicas' errors, which E_1 and E_R tell.
    """
    one = (10 ** (-curve_of(run, "psnr_average").values / 10)).mean(0)
    everyone = 10 ** (-curve_of(run, "psnr_mean").values[0] / 10)
    replicas = len(run.seeds)
    shared = (everyone - one / replicas) / (1 - 1 / replicas)
    return np.asarray(one / count + (1 - 1 / count) * shared)


def decibels(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """PSNR."""
    return np.asarray(-10 * np.log10(error))


ASKED = (["study_stopping"], ["study_stability"])

if __name__ == "__main__":
    sys.exit(run_script("tables/stability", draw, select, *ASKED))
