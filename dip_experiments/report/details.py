"""View of one run: the data that the page's scripts draw, and its tables."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from dip_experiments.analysis.labels import run_label, unquoted
from dip_experiments.report.curves import ORDER, chart
from dip_experiments.report.drawn import Drawn
from dip_experiments.report.numbers import fact, guard_lines, integer_spread, known, score_table, stop_table
from dip_experiments.report.pictures import described
from dip_experiments.report.row import COLUMNS, seeds
from dip_experiments.report.settings import (
    Compose,
    differing,
    experiment_of,
    format_settings,
)
from dip_experiments.schema import NO_EXPERIMENT, READ, WRITTEN
from dip_experiments.store import Run

ON_OWN_LINES = ("versions", "command", "swept")
"""Entries of a session that are not shown as they are."""
NAMES_A_FILE = (*READ, *WRITTEN)
"""Settings whose value `dip` puts into quotes."""


def details(run: Run, html: str) -> dict[str, Any]:
    """Return the data of the scripts: curves, stops, pictures, settings, numbers by title, `html`."""
    return {
        "run": run.name,
        "title": run_label(run),
        "seeds": run.seeds,
        "iterations": run.summary["iterations"],
        "chart": chart(run),
        "marked": list(ORDER),
        "stops": {
            name: [rule["iteration"][replica] for replica in run.replicas]
            for name, rule in run.summary.get("stopping", {}).items()
        },
        "pictures": described(run),
        "settings": format_settings(run.settings),
        "numbers": {**facts(run), **best_scores(run)},
        "html": html,
    }


def facts(run: Run) -> dict[str, str]:
    """Return the columns of the table of runs, and the size of the network."""
    shown = {column.title: column.cell(run)[1] for column in COLUMNS}
    shown["device"] = str(run.provenance["device"])
    if parameters := run.summary.get("parameters"):
        shown["parameters"] = f"{parameters:,}"
    return {name: value for name, value in shown.items() if value}


def best_scores(run: Run) -> dict[str, str]:
    """Return scores by picture and metric, for a comparison."""
    head, rows = score_table(run)
    return {
        f"{row[0]}: {metric}": value for row in rows for metric, value in zip(head[1:], row[1:], strict=True) if value
    }


def sections(run: Run, results: Path, drawn: Sequence[Drawn], compose: Compose, templates: Environment) -> str:
    """Render the part below a run's curves and images: scores, stops, settings, provenance."""
    scale, experiment = str(run.settings["scale"]["name"]), experiment_of(run.settings)
    plain = compose(None, scale)
    return templates.get_template("run.html.j2").render(
        run=run.name,
        seeds=seeds(run),
        facts=facts(run),
        experiment="" if experiment == NO_EXPERIMENT else experiment,
        scale=scale,
        folder=run.folder.relative_to(results).as_posix(),
        is_record=run.is_record,
        drawn=drawn,
        scores=score_table(run),
        stops=stop_table(run),
        ended_by=run.summary.get("ended_by"),
        explained=integer_spread(known(run.summary["iterations_explained"])),
        guard=guard_lines(run),
        differing=differing(run.settings, compose(experiment, scale), plain),
        settings=format_settings(run.settings),
        sittings=[session_rows(session) for session in run.provenance["sittings"]],
    )


def session_rows(session: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return code, versions, machine and command of a session, a line each."""
    rows = [(key.replace("_", " "), fact(value)) for key, value in session.items() if key not in ON_OWN_LINES]
    versions = ", ".join(f"{package} {version}" for package, version in session.get("versions", {}).items())
    rest = [("versions", versions), ("command", format_command(session.get("command", [])))]
    return [(key, value) for key, value in [*rows, *rest] if value]


def format_command(command: Sequence[str]) -> str:
    """Format a command for a shell: names of files without Hydra's quotes, which `dip` sets again."""
    return " ".join(map(_shell_quoted, map(_as_typed, command)))


def _as_typed(argument: str) -> str:
    key, equals, value = argument.partition("=")
    return f"{key}={unquoted(value)}" if equals and key.lstrip("+") in NAMES_A_FILE else argument


def _shell_quoted(argument: str) -> str:
    """Quote an argument for a shell, one with single quotes in double ones if these change nothing in it."""
    return f'"{argument}"' if "'" in argument and not set(argument) & set('"\\$`!') else shlex.quote(argument)
