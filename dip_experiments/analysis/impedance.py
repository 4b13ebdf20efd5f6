"""Impedance: iterations that a fit takes to explain its target, and their ratio to those of the natural image."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.labels import format_seeds
from dip_experiments.analysis.run_data import Array
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
