"""Write the page and its assets from the store: no server, no external request."""

import base64
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markdown_it import MarkdownIt
from markupsafe import Markup

from dip_experiments.analysis.labels import run_label
from dip_experiments.report.details import details, sections
from dip_experiments.report.drawn import Drawn, all_pages
from dip_experiments.report.gathering import Gathered, gather
from dip_experiments.report.pictures import pictures, thumbnail, thumbnail_parts
from dip_experiments.report.row import COLUMNS, FACETS, began, choices
from dip_experiments.report.settings import Compose, experiment_of, searchable
from dip_experiments.store import Run

HERE = Path(__file__).parent
SCRIPTS = ("address", "elements", "charts", "curves", "table", "pictures", "run", "compare", "page")
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
    gathered, pages, composed = gather(results), all_pages(results, experiments), cache(compose)
    drawn = [one for page in pages for one in page]
    folder, final = results / ".report.part", results / "report"
    shutil.rmtree(folder, ignore_errors=True)
    for run in gathered.runs:
        shown = [one for one in drawn if run.name in one.runs]
        script = f"dipRun({packed(details(run, sections(run, results, shown, composed, environment())))});\n"
        write(folder / "assets" / "runs" / f"{run.name}.js", script.encode())
        for name, path in pictures(run).items():
            write(folder / "assets" / "pictures" / run.name / f"{name}.png", path.read_bytes())
        if thumbnail_parts(run):
            write(folder / "assets" / "thumbnails" / f"{run.name}.png", thumbnail(run))
    for one in drawn:
        if one.picture:
            write(folder / "assets" / f"{one.key}.png", one.picture.read_bytes())
    write(folder / "index.html", index(gathered, pages, composed).encode())
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


def index(gathered: Gathered, pages: Sequence[Sequence[Drawn]], compose: Compose) -> str:
    """Render index.html: own runs before records, the newest first."""
    script = "\n".join([_read("vendor/uPlot.iife.min.js"), *(_read(f"{name}.js") for name in SCRIPTS)])
    style = "\n".join([_read("vendor/uPlot.min.css"), *(_read(f"{name}.css") for name in STYLES)])
    records, own = ([run for run in gathered.runs if run.is_record is kind] for kind in (True, False))
    records.sort(key=lambda run: (experiment_of(run.settings), run_label(run)))
    runs = [*sorted(own, key=began, reverse=True), *records]
    places: dict[str, int] = {}
    rows = [_row(run, pages, compose, places) for run in runs]
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
            settings=list(places),
            rows=rows,
            own=rows[: len(own)],
            pages=pages,
            contents=[(shelf, list(group)) for shelf, group in groupby(pages, key=lambda page: page[0].shelf)],
            numeric=[column.name for column in COLUMNS if column.form],
            left_out=gathered.left_out,
        )
    )


def _row(run: Run, pages: Sequence[Sequence[Drawn]], compose: Compose, places: dict[str, int]) -> dict[str, Any]:
    """Return what the template needs of a run; its settings as places among all that any run has."""
    shown_in = [one.key for page in pages for one in page if run.name in one.runs]
    groups = searchable(run, compose(None, str(run.settings["scale"]["name"])))
    return {
        "run": run.name,
        "own": not run.is_record,
        "facets": {name: values(run) for name, values in FACETS.items()} | {"page": shown_in},
        "cells": {column.name: column.cell(run) for column in COLUMNS},
        "settings": "|".join(" ".join(str(places.setdefault(one, len(places))) for one in group) for group in groups),
        "thumbnail": thumbnail_parts(run),
    }


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
