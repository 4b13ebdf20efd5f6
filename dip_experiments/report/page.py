"""Write the page and its assets from the store: no server, no external request."""

import base64
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markdown_it import MarkdownIt
from markupsafe import Markup

from dip_experiments.report.details import details, sections
from dip_experiments.report.drawn import Drawn, all_drawn
from dip_experiments.report.gathering import Gathered, gather
from dip_experiments.report.pictures import pictures
from dip_experiments.report.row import COLUMNS, choices, facets
from dip_experiments.report.settings import Compose
from dip_experiments.store import Run

HERE = Path(__file__).parent
SCRIPTS = ("address", "elements", "charts", "curves", "table", "pictures", "wipe", "run", "compare", "page")
"""In their order in the page, after the plotting library."""
STYLES = ("page", "parts")
PACKED: dict[str, Any] = {"sort_keys": False, "separators": (",", ":"), "allow_nan": False}
"""How data are written into scripts."""


@dataclass(frozen=True)
class Written:
    """The page, the number of runs and drawings that it shows, and the runs left out with the reason."""

    page: Path
    runs: int
    drawings: int
    left_out: Mapping[str, str]


def write_report(results: Path, experiments: Path, compose: Compose) -> Written:
    """Write results/report/index.html and its assets anew; the same results give the same bytes.

    `experiments`: the folder of their YAML files. `compose` gives the settings that a run is compared with.
    """
    if not results.is_dir():
        raise ValueError(f"paths.results={results}: there is no such folder; make a run first, such as make demo")
    gathered, drawn, composed = gather(results), all_drawn(results, experiments), cache(compose)
    folder, final = results / ".report.part", results / "report"
    shutil.rmtree(folder, ignore_errors=True)
    for run in gathered.runs:
        shown = [one for one in drawn if run.name in one.runs]
        script = f"dipRun({packed(details(run, sections(run, results, shown, composed, environment())))});\n"
        write(folder / "assets" / "runs" / f"{run.name}.js", script.encode())
        for name, path in pictures(run).items():
            write(folder / "assets" / "pictures" / run.name / f"{name}.png", path.read_bytes())
    for one in drawn:
        if one.picture:
            write(folder / "assets" / f"{one.key}.png", one.picture.read_bytes())
    write(folder / "index.html", page(gathered, drawn).encode())
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)
    return Written(final / "index.html", len(gathered.runs), len(drawn), gathered.left_out)


def write(path: Path, content: bytes) -> None:
    """Write a file of a folder that is renamed when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@cache
def environment() -> Environment:
    """Return the templates' environment, in which all that users typed is escaped."""
    made = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.policies["json.dumps_kwargs"] = PACKED
    made.filters["markdown"] = markdown
    return made


def packed(value: Any) -> str:
    """Return JSON for a script: what could end it is escaped."""
    return str(htmlsafe_json_dumps(value, **PACKED))


def page(gathered: Gathered, drawn: Sequence[Drawn]) -> str:
    """Render index.html."""
    runs = sorted(gathered.runs, key=lambda run: [column.cell(run)[1] for column in COLUMNS])
    script = "\n".join([_read("vendor/uPlot.iife.min.js"), *(_read(f"{name}.js") for name in SCRIPTS)])
    style = "\n".join([_read("vendor/uPlot.min.css"), *(_read(f"{name}.css") for name in STYLES)])
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            script=Markup(script),
            style=Markup(style),
            script_hash=digest(script),
            style_hash=digest(style),
            columns=COLUMNS,
            filters=choices(runs),
            rows=[_row(run, drawn) for run in runs],
            drawn=drawn,
            left_out=gathered.left_out,
        )
    )


def _row(run: Run, drawn: Sequence[Drawn]) -> dict[str, Any]:
    found = facets(run) | {"page": [one.key for one in drawn if run.name in one.runs]}
    return {"run": run.name, "facets": found, "cells": [column.cell(run) for column in COLUMNS]}


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return a digest as a browser compares it: only scripts and styles with the page's own digests are run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def markdown(text: str) -> Markup:
    """Render a table's text as HTML, without any that stands in it; its headings below the page's own."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table>')
    reader.add_render_rule("table_close", lambda *_: "</table></div>")
    tokens = reader.parse(text)
    for token in tokens:
        if token.tag in ("h1", "h2", "h3"):
            token.tag = "h4"
        if style := token.attrs.pop("style", ""):
            token.attrs["class"] = str(style).removeprefix("text-align:")  # the page's own styles alone are let in
    return Markup(reader.renderer.render(tokens, reader.options, {}))
