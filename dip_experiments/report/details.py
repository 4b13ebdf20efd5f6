"""View of one run: the data that the page's scripts draw, and its tables."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from dip_experiments.analysis.labels import picture_name
from dip_experiments.report.curves import ORDER, chart
from dip_experiments.report.drawn import Drawn
from dip_experiments.report.numbers import fact, guard_lines, known, score_table, spread, stop_table
from dip_experiments.report.pictures import described
from dip_experiments.report.row import COLUMNS, seeds
from dip_experiments.report.settings import (
    Compose,
    differing,
    experiment_of,
    format_settings,
    format_task,
)
from dip_experiments.store import Run

NO_EXPERIMENT = "single"
"""Experiment name of runs without one."""
ON_OWN_LINES = ("versions", "command")
"""Entries of a session that have lines of their own."""


def details(run: Run, html: str) -> dict[str, Any]:
    """Return the data of the scripts: curves, stops, pictures, settings and numbers by title, and `html`."""
    return {
        "run": run.name,
        "title": title(run),
        "seeds": run.seeds,
        "iterations": run.summary["iterations"],
        "chart": chart(run),
        "marked": list(ORDER),
        "stops": {name: stops(run, rule) for name, rule in run.summary.get("stopping", {}).items()},
        "pictures": described(run),
        "settings": format_settings(run.settings),
        "numbers": {**facts(run), **best_scores(run)},
        "html": html,
    }


def stops(run: Run, rule: Mapping[str, Any]) -> list[int | None]:
    """Return the iterations at which a rule stops, one per successful seed."""
    return [rule["iteration"][replica] for replica in run.replicas]


def title(run: Run) -> str:
    """Format a run's title: `cset9/f16, denoising, noisy25`; `astronaut, reconstruction of shuffled`."""
    config = run.settings
    of = f" of {config['target']['name']}" if config["task"]["name"] == "reconstruction" else ""
    return f"{picture_name(config)}, {format_task(config)}{of}"


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
        explained=spread(known(run.summary["iterations_explained"]), 0),
        guard=guard_lines(run),
        differing=differing(run.settings, compose(experiment, scale), plain),
        settings=format_settings(run.settings),
        sittings=[session_rows(session) for session in run.provenance["sittings"]],
    )


def session_rows(session: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return code, versions, machine and command of a session, a line each."""
    rows = [(key.replace("_", " "), fact(value)) for key, value in session.items() if key not in ON_OWN_LINES]
    versions = ", ".join(f"{package} {version}" for package, version in session.get("versions", {}).items())
    rest = [("versions", versions), ("command", shlex.join(map(str, session.get("command", []))))]
    return [(key, value) for key, value in [*rows, *rest] if value]
