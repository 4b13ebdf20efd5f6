"""A run as a row of the page's table: filters, sort keys and cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from dip_experiments.analysis.labels import format_swept, picture_name, run_label, swept_settings
from dip_experiments.report.numbers import known, score
from dip_experiments.report.settings import experiment_of, format_architecture, format_task
from dip_experiments.store import Run


@dataclass(frozen=True)
class Column:
    """A column of the table; `value` gives the sort key or None, `form` the text of a number."""

    name: str
    title: str
    value: Callable[[Run], str | int | float | None]
    form: Callable[[float], str] | None = None

    def cell(self, run: Run) -> tuple[str, str]:
        """Return sort key and text."""
        value = self.value(run)
        if value is None:
            return "", ""
        return str(value), self.form(float(value)) if self.form else str(value)


def of_average(run: Run, when: str) -> float | None:
    """Return numbers of the average's PSNR, mean over the seeds: `final`, or `oracle_peak` and `oracle_iteration`.

    The latter two only the clean picture tells.
    """
    values = known(run.summary[when].get("psnr_average"))
    return fmean(values) if values else None


def began(run: Run) -> str:
    """Return day and time of its first session, in UTC."""
    first = next((session["began"] for session in run.provenance["sittings"] if "began" in session), "")
    return str(first)[:19].replace("T", " ")


def seeds(run: Run) -> str:
    """Format seeds: `0 to 7`, or one by one where they do not follow each other."""
    values = run.seeds
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))


COLUMNS = (
    Column("run", "run", run_label),
    Column("began", "began, UTC", began),
    Column("average", "final PSNR", lambda run: of_average(run, "final"), score),
    Column("best", "oracle PSNR", lambda run: of_average(run, "oracle_peak"), score),
    Column("experiment", "experiment", lambda run: experiment_of(run.settings)),
    Column("task", "task", lambda run: format_task(run.settings)),
    Column("image", "image", lambda run: picture_name(run.settings)),
    Column("architecture", "architecture", lambda run: format_architecture(run.settings)),
    Column("seed", "seeds", seeds),
    Column("scale", "scale", lambda run: str(run.settings["scale"]["name"])),
    Column("at", "oracle at", lambda run: of_average(run, "oracle_iteration"), "{:.0f}".format),
    Column("iterations", "iterations", lambda run: run.summary["iterations"], "{:.0f}".format),
    Column("minutes", "minutes", lambda run: run.summary["wall_seconds"] / 60, "{:.1f}".format),
    Column("precision", "precision", lambda run: str(run.settings["precision"])),
)
FACETS: dict[str, Callable[[Run], list[str]]] = {
    "runs": lambda run: ["records" if run.is_record else "own"],
    "experiment": lambda run: [experiment_of(run.settings)],
    "task": lambda run: [str(run.settings["task"]["name"])],
    "target": lambda run: [str(run.settings["target"]["name"])],
    "architecture": lambda run: [str(run.settings["architecture"]["name"])],
    "image": lambda run: [picture_name(run.settings)],
    "setting": lambda run: swept_here(run),
    "seed": lambda run: [str(seed) for seed in run.seeds],
    "scale": lambda run: [str(run.settings["scale"]["name"])],
}
"""Filter, in the order of the page -> a run's values: one of most, all seeds, all settings that were swept."""


def swept_here(run: Run) -> list[str]:
    """Return what was swept as in the run's label, but for what has a filter of its own."""
    return [
        text for key, text in format_swept(run.settings, swept_settings(run)).items() if key.split(".")[0] not in FACETS
    ]


def choices(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return all values of every filter, numbers by size."""
    found = {name: {value for run in runs for value in values(run)} for name, values in FACETS.items()}
    return {name: sorted(values, key=lambda one: (len(one) * one.isdigit(), one)) for name, values in found.items()}
