"""Tables that compare our numbers with published ones: all columns in the CSV, few in the Markdown."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import format_interval
from dip_experiments.analysis.independence import describe_independence
from dip_experiments.analysis.labels import format_lost_iterations, format_seeds, format_size
from dip_experiments.analysis.paper_rows import PIXELS, PIXELS_MADE, Array, Row, Table, part_rows
from dip_experiments.analysis.table import NONE, markdown, select_columns, wrap
from dip_experiments.store import Run, Selection

FORMATS = {"ssim": ".3f", "minutes": ".1f"}
WARNING = "Published values are for whole pictures: below scale paper a difference is no replication."
COMMON = ("metric", "seeds", "iterations", "device", "precision")
"""Columns that stand in a line above the rows of their setting instead."""


def paper_table(table: Table, fits: Selection, plain: Selection, further: Sequence[Row] = ()) -> Artifact:
    """Return the table of `fits` of the network and `plain` ones of the pixels; `further` rows are appended."""
    rows = [row for part in table.parts for row in part_rows(table, part, fits, plain)]
    pictures = [row for row in rows if not row.image.startswith("mean of")]
    records = [cells(table, row, fits.scale) for row in (*rows, *further)]
    frame = pd.DataFrame(records, columns=table.header)
    runs = list(dict.fromkeys(run for row in (*rows, *further) for run in (*row.runs, row.pixels) if run))
    counts = f"{describe_independence(runs)} {format_lost_iterations(runs)}"
    above = f"{table.above} {heading(pictures, fits.scale)} {WARNING} {counts}"
    settings = {row.setting for row in pictures}
    comparisons = {setting: describe_baselines(table, setting, pictures) for setting in settings}
    text = "\n".join([f"{wrap(above)}\n", *sections(table, frame, comparisons), table.below, ""])
    return Artifact(text, frame, runs, format_missing(table, pictures, fits, plain))


def describe_baselines(table: Table, setting: str, pictures: Sequence[Row]) -> str:
    """Return by how much ours differs from baselines on the images of a setting that both have; empty without any."""
    gaps: dict[str, dict[str, Array]] = {}
    for row in (row for row in pictures if row.setting == setting and row.ours in row.numbers):
        for name in (name for name in table.baselines if name in row.numbers):
            gaps.setdefault(name, {})[row.image] = row.numbers[row.ours].mean() - row.numbers[name]
    comparisons = "; ".join(f"{name}: {format_interval(gap)}" for name, gap in gaps.items())
    above = "`ours` less other methods, mean over the pictures and 95 % interval"
    return wrap(f"{above}: {comparisons}.") if comparisons else ""


def sections(table: Table, frame: pd.DataFrame, below: Mapping[str, str]) -> list[str]:
    """Return a small table for every setting, after the values that its rows share. `below`: text after it."""
    parts = []
    for setting, rows in frame.groupby("setting", sort=False):
        text = section(table, setting, rows)
        parts.append(f"{text}\n{below[setting]}\n" if below.get(setting) else text)
    return parts


def section(table: Table, setting: str, rows: pd.DataFrame) -> str:
    """Return the table of one setting."""
    titles = {name: name for name in COMMON}
    if PIXELS in table.titles:
        titles[PIXELS_MADE] = table.titles[PIXELS]
    common = {title: rows.loc[rows[name] != NONE, name].unique() for name, title in titles.items()}
    comparisons = "; ".join(f"{title}: {' / '.join(values)}" for title, values in common.items() if len(values))
    return f"### {setting}\n\n{comparisons}\n\n{markdown(select_columns(rows, table.titles))}"


def heading(pictures: Sequence[Row], scale: str) -> str:
    """Return how many rows are run: `Scale laptop: 2 of 18 rows are run, middle 128 x 128, width 32.`"""
    ran = [row for row in pictures if row.runs]
    looks = dict.fromkeys(f", {format_size(run)}" for row in ran for run in row.runs)
    return f"Scale {scale}: {len(ran)} of {len(pictures)} rows are run{' /'.join(looks)}."


def cells(table: Table, row: Row, scale: str) -> dict[str, str]:
    """Return the cells of a row by column."""
    ours, published = row.numbers.get(row.ours), row.published["published"].value
    numbers = {name: number(row.numbers[name], name) for name in row.numbers}
    lacking = table.lacking if row.runs else {}
    return {
        **dict.fromkeys(table.header, NONE),
        **lacking,
        **numbers,
        **{name: f"{found.value:.2f}" for name, found in row.published.items()},
        "image": row.image,
        "setting": row.setting,
        "metric": table.metric,
        "ours": row.lack if not row.runs else NONE if ours is None else number(ours, row.ours),
        "difference": NONE if ours is None else f"{ours.mean() - published:+.2f}",
        "spread": NONE if ours is None or ours.size < 2 else f"{np.ptp(ours):.2f}",
        "source": row.source,
        **run_cells(row, scale),
    }


def number(values: Array, column: str) -> str:
    """Return the mean over the seeds, with as many decimals as its column has."""
    return format(values.mean(), FORMATS.get(column, ".2f"))


def run_cells(row: Row, scale: str) -> dict[str, str]:
    """Return seeds, iterations, scale, device and precision of a row's runs; of the pixels' the last two."""
    if not row.runs:
        return {"scale": scale}
    looks: dict[str, Callable[[Run], object]] = {
        "seeds": format_seeds,
        "iterations": lambda run: run.summary["iterations"],
        "scale": lambda run: f"{scale}: {format_size(run)}",
        "device": lambda run: run.provenance["device"],
        "precision": lambda run: run.settings["precision"],
    }
    found = {name: " / ".join(dict.fromkeys(str(look(run)) for run in row.runs)) for name, look in looks.items()}
    if row.pixels:
        found[PIXELS_MADE] = ", ".join(str(looks[name](row.pixels)) for name in ("device", "precision"))
    return found


def format_missing(table: Table, pictures: Sequence[Row], fits: Selection, plain: Selection) -> str:
    """Return how many rows are missing, and the commands that make them."""
    lacking = sum(not row.runs for row in pictures)
    pixels = sum(row.pixels is None for row in pictures)
    if not lacking + pixels:
        return f"{table.name} at scale {fits.scale}: all {len(pictures)} rows are filled"
    commands = [one.command for one, count in ((fits, lacking), (plain, pixels)) if count]
    return (
        f"{table.name} at scale {fits.scale}: {lacking} of {len(pictures)} rows wait for their fit, {pixels} for "
        f"pixels_tv; make them: {' ; '.join(commands)}"
    )
