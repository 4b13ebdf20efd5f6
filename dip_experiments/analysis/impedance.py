"""Impedance: iterations that a fit takes to explain its target, and their ratio to those of the natural image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.labels import format_seeds
from dip_experiments.analysis.run_data import Array, of_common_seeds
from dip_experiments.analysis.table import job_rows, make_table
from dip_experiments.store import Run, Selection

TITLES = {
    "seeds": "seeds",
    "iterations90_median": "median",
    "iterations90_min": "least",
    "iterations90_max": "most",
}
"""Columns of every table of impedances, before that of the ratio, with their titles."""
Label = Callable[[Mapping[str, Any]], str]


def impedance_table(selection: Selection, names: Mapping[str, Label], alike: Label, ratio: str, notes: str) -> Artifact:
    """Return a table with a row's `names` by its settings, its iterations, and their `ratio` to the natural image's.

    `alike`: what a run shares with the natural image's that it is compared with.
    """
    natural = {alike(run.settings): run for run in selection.runs if run.settings["target"]["name"] == "natural"}
    frame = job_rows(
        selection.jobs,
        names,
        (*TITLES, ratio),
        lambda run: (format_seeds(run), *impedance_cells(run, natural.get(alike(run.settings)))),
    )
    titles = {**{name: name for name in names}, **TITLES, ratio: "ratio"}
    return make_table(frame, titles, selection.runs, notes, selection.waiting)


def iterations_explained(run: Run) -> Array:
    """Return the iterations to 90 % of the target's variance, one per seed; infinite if it was not reached."""
    reached = [run.summary["iterations_explained"][replica] for replica in run.replicas]
    return np.array([np.inf if n is None else n for n in reached], dtype=float)


def impedance_cells(run: Run, natural: Run | None) -> tuple[str, ...]:
    """Return median, minimum and maximum of the iterations over the seeds, and the ratio of medians to `natural`'s.

    `>N` if 90 % was not reached in N iterations, `-` without a natural image.
    """
    limit, ours = run.summary["iterations"], iterations_explained(run)
    counts = [f"{n:g}" if np.isfinite(n) else f">{limit}" for n in (np.median(ours), ours.min(), ours.max())]
    if natural is None:
        return (*counts, "-")
    basis = np.median(iterations_explained(natural))
    if np.isinf(basis):
        return (*counts, "natural not reached")
    return (*counts, f"{np.median(ours) / basis:.2f}" if np.isfinite(np.median(ours)) else f">{limit / basis:.2f}")


@dataclass(frozen=True)
class Impedance:
    """How much longer a network takes to fit the shuffled image, which has the very values of the natural one.

    Attributes:
        iterations: Median iterations to 90 % of each target's variance, infinite if it was not reached.
        limit: Iterations of the fits.
        interval: Ratio of the shuffled image's to the natural one's, geometric mean over the seeds that both fits have,
            with Student's interval of its logarithm; infinite, with ends that are NaN, if a seed missed one of them.
    """

    iterations: Mapping[str, float]
    limit: int
    interval: Interval

    def ratio(self, target: str) -> float:
        """Return iterations over the natural image's; infinite if the target was not reached, NaN if that was not."""
        natural = self.iterations["natural"]
        return self.iterations[target] / natural if np.isfinite(natural) else np.nan

    @property
    def value(self) -> float:
        """The mean over the seeds; where one missed its target, the medians' ratio, which may be infinite."""
        return self.interval.value if np.isfinite(self.interval.value) else self.ratio("shuffled")

    @property
    def bound(self) -> float:
        """A lower bound of the impedance if the shuffled image was not reached."""
        return self.limit / self.iterations["natural"]

    @property
    def fits_natural(self) -> bool:
        """True if the natural image was reached."""
        return bool(np.isfinite(self.iterations["natural"]))


def measure_impedance(fits: Mapping[str, Run]) -> Impedance:
    """Measure the impedance of one network by its fits to several targets, `natural` and `shuffled` among them."""
    explained = {target: iterations_explained(run) for target, run in fits.items()}
    both = np.log(of_common_seeds(*((fits[target], explained[target]) for target in ("shuffled", "natural"))))
    reached = both.size > 0 and np.isfinite(both).all()
    logarithm = mean_interval(both[0] - both[1]) if reached else Interval(np.inf, np.nan, np.nan)
    ratio = Interval(*(float(np.exp(value)) for value in (logarithm.value, logarithm.low, logarithm.high)))
    medians = {target: float(np.median(values)) for target, values in explained.items()}
    return Impedance(medians, fits["natural"].summary["iterations"], ratio)


@runtime_checkable
class HasImpedance(Protocol):
    """A measured network."""

    @property
    def impedance(self) -> Impedance: ...


N = TypeVar("N", bound=HasImpedance)


def with_known_rank(networks: Mapping[str, N]) -> dict[str, N]:
    """Return the networks whose order by impedance is known.

    They fit the natural image, and the shuffled one too or not within a number of iterations that no other needs.
    """
    fitted = {name: one for name, one in networks.items() if one.impedance.fits_natural}
    reached = {name: value for name, one in fitted.items() if np.isfinite(value := one.impedance.value)}
    most = max(reached.values(), default=0.0)
    return {name: one for name, one in fitted.items() if name in reached or one.impedance.bound > most}
