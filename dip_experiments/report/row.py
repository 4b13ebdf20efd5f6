"""A run as a row of the page's table: filters, sort keys and cells."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dip_experiments.analysis.labels import picture_name
from dip_experiments.report.numbers import known
from dip_experiments.report.settings import experiment_of, format_architecture, format_task
from dip_experiments.store import Run


@dataclass(frozen=True)
class Column:
    """A column of the table; `value` gives the sort key or None, `form` the format of a number."""

    name: str
    title: str
    value: Callable[[Run], str | int | float | None]
    form: str = ""

    def cell(self, run: Run) -> tuple[str, str]:
        """Return sort key and text."""
        value = self.value(run)
        if value is None:
            return "", ""
        return (str(value), format(value, self.form)) if self.form else (str(value), str(value))


def of_average(run: Run, when: str) -> float | None:
    """Return numbers of the average's PSNR, mean over the seeds: `final`, or `oracle_peak` and `oracle_iteration`.

    The latter two only the clean picture tells.
    """
    values = known(run.summary[when].get("psnr_average"))
    return fmean(values) if values else None


def began(run: Run) -> str:
    """Return the day of its first session."""
    return str(next((session["began"] for session in run.provenance["sittings"] if "began" in session), ""))[:10]


def seeds(run: Run) -> str:
    """Format seeds: `0 to 7`, or one by one where they do not follow each other."""
    values = run.seeds
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))


COLUMNS = (
    Column("experiment", "experiment", lambda run: experiment_of(run.settings)),
    Column("task", "task", lambda run: format_task(run.settings)),
    Column("target", "target", lambda run: str(run.settings["target"]["name"])),
    Column("image", "image", lambda run: picture_name(run.settings)),
    Column("architecture", "architecture", lambda run: format_architecture(run.settings)),
    Column("seed", "seeds", seeds),
    Column("average", "final PSNR", lambda run: of_average(run, "final"), ".2f"),
    Column("best", "oracle PSNR", lambda run: of_average(run, "oracle_peak"), ".2f"),
    Column("at", "oracle at", lambda run: of_average(run, "oracle_iteration"), ".0f"),
    Column("iterations", "iterations", lambda run: run.summary["iterations"], "d"),
    Column("minutes", "minutes", lambda run: run.summary["wall_seconds"] / 60, ".1f"),
    Column("precision", "precision", lambda run: str(run.settings["precision"])),
    Column("scale", "scale", lambda run: str(run.settings["scale"]["name"])),
    Column("began", "day", began),
)
FILTERS = ("experiment", "task", "target", "architecture", "image", "seed", "scale")
"""Facets that can be chosen, in the order of the page."""


def facets(run: Run) -> dict[str, list[str]]:
    """Return the values of the filters: one of each, and every seed."""
    config: Mapping[str, Any] = run.settings
    return {
        "experiment": [experiment_of(config)],
        "task": [str(config["task"]["name"])],
        "target": [str(config["target"]["name"])],
        "architecture": [str(config["architecture"]["name"])],
        "image": [picture_name(config)],
        "seed": [str(seed) for seed in run.seeds],
        "scale": [str(config["scale"]["name"])],
    }


def choices(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return all values of every filter, numbers by size."""
    found = [facets(run) for run in runs]
    return {
        name: sorted(
            {value for one in found for value in one[name]}, key=lambda value: (len(value) * value.isdigit(), value)
        )
        for name in FILTERS
    }
