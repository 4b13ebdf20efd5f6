"""Our numbers beside published ones and other methods': tables that have all their rows, run or not."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dip_experiments.datasets import PICTURES
from dip_experiments.drawing.figures import command_line, save_sources, save_table, stored
from dip_experiments.published import Number, find_one
from dip_experiments.store import Run, Store

Array = NDArray[np.float64]
Numbers = dict[str, Array]
"""Column -> one number per seed, or one where there are no seeds."""
Methods = Mapping[str, Mapping[str, str]]
"""Column -> what tells its published number from the others of the same picture."""
HEAD = ("image", "setting", "metric", "ours", "published", "difference", "seeds", "iterations", "scale", "device")
PIXELS = "pixels_tv"
"""The column of the pixels fitted with total variation."""
FORMATS = {"ssim": ".3f", "minutes": ".1f"}
NONE = "-"
WHOLE = "Published values are for whole pictures: below scale paper a difference is no replication."


@dataclass(frozen=True)
class Mean:
    """A row of means over a data set; its `ours` is the mean of `column`."""

    name: str
    column: str
    methods: Methods


@dataclass(frozen=True)
class Part:
    """The rows of one data set in one setting: its pictures, then their means.

    `where`: what the published numbers of all of them share. `remark` is added to the source of the pictures'.
    """

    dataset: str
    setting: str
    where: Mapping[str, str]
    methods: Methods
    means: Sequence[Mean]
    remark: str = ""


@dataclass(frozen=True)
class Table:
    """What a table is made of: the runs of the experiments table_<name> and, for one column, pixels_<name>.

    `setting` names a run's setting, `measure` gives its numbers by column, `last` that of its last output. `ours` is
    the column that is compared with the published number. `lacking` says why a column is empty.
    """

    name: str
    metric: str
    ours: str
    columns: Sequence[str]
    parts: Sequence[Part]
    setting: Callable[[Run], str]
    measure: Callable[[Run], Numbers]
    last: Callable[[Run], Array]
    above: str
    below: str
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def others(self) -> list[str]:
        """Columns of published numbers besides those of the authors' method."""
        return [name for name in dict.fromkeys(n for part in self.parts for n in part.methods) if name != "published"]

    @property
    def header(self) -> list[str]:
        """All columns in their order."""
        return [*HEAD, "spread", "minutes", *self.columns, PIXELS, *self.others, "source"]


@dataclass(frozen=True)
class Row:
    """One row; `runs` are the fits with the network that it tells of, none where it says `lack` instead."""

    image: str
    setting: str
    ours: str
    published: Mapping[str, Number]
    source: str
    runs: Sequence[Run] = ()
    numbers: Numbers = field(default_factory=dict)
    lack: str = "not run"
    pixels: Run | None = None


def run_table(table: Table, further: Callable[[Store, str], list[Row]] = lambda store, scale: []) -> int:
    """Command line of a table's script: writes tables/<name>.csv, .md and .json, and says how many rows wait.

    `further` gives rows that follow those of the data sets.
    """
    arguments = command_line(f"Writes {table.name}.csv, .md and .json into RESULTS/SCALE/tables, complete or not.")
    store, scale = Store(arguments.results), arguments.scale
    try:
        parts = [(part, picture_rows(table, part, store, scale)) for part in table.parts]
        pictures = [row for _, rows in parts for row in rows]
        rows = [row for part, own in parts for row in (*own, *(mean_row(part, mean, own) for mean in part.means))]
        above = f"{table.above} {heading(pictures, scale)} {WHOLE}"
        save(table, [*rows, *further(store, scale)], scale, above, arguments.results / scale / "tables")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(waiting(table, pictures, scale, arguments.results))
    return 0


def picture_rows(table: Table, part: Part, store: Store, scale: str) -> list[Row]:
    """One row for every picture of the data set."""
    fits, plain = (store.finished(f"{kind}_{table.name}", scale) for kind in ("table", "pixels"))
    return [picture_row(table, part, image, fits, plain) for image in PICTURES if image.startswith(f"{part.dataset}/")]


def picture_row(table: Table, part: Part, image: str, fits: Sequence[Run], plain: Sequence[Run]) -> Row:
    """The row of one picture, whether its runs are there or not."""
    published = look_up(part, image.partition("/")[2], part.methods)
    remark = f", {part.remark}" if part.remark else ""
    row = Row(image, part.setting, table.ours, published, published["published"].source + remark)
    run = one_of(fits, table, row)
    if run is None:
        return row
    pixels = one_of([other for other in plain if other.settings["image"] == run.settings["image"]], table, row)
    return fitted(table, row, run, pixels)


def fitted(table: Table, row: Row, run: Run, pixels: Run | None = None) -> Row:
    """The row with the numbers of its run."""
    numbers = {"minutes": np.array([run.summary["wall_seconds"] / 60])} | table.measure(run)
    if pixels:
        numbers[PIXELS] = table.last(pixels)
    return replace(row, runs=[run], numbers=numbers, pixels=pixels)


def one_of(runs: Sequence[Run], table: Table, row: Row) -> Run | None:
    """The run of a row's picture and setting, if it is there; ValueError if there are several."""
    found = [run for run in runs if (run.settings["image"]["name"], table.setting(run)) == (row.image, row.setting)]
    if len(found) > 1:
        raise ValueError(
            f"{len(found)} runs of image={row.image}, {row.setting}, in the last sweep: a row tells of one; "
            "ask for the experiment again without sweeping over more than it does itself"
        )
    return found[0] if found else None


def mean_row(part: Part, mean: Mean, pictures: Sequence[Row]) -> Row:
    """Means over all pictures, seed by seed; withheld while one of them is missing."""
    published = look_up(part, "mean", mean.methods)
    image = f"mean of {part.dataset}" + (f", {mean.name}" if mean.name else "")
    runs = [run for row in pictures for run in row.runs]
    source = published["published"].source
    if len(runs) < len(pictures):
        lack = f"not run ({len(runs)} of {len(pictures)})"
        return Row(image, part.setting, mean.column, published, source, lack=lack)
    shared = set.intersection(*(set(row.numbers) for row in pictures))
    numbers: Numbers = {name: np.mean([row.numbers[name] for row in pictures], axis=0) for name in shared}
    return Row(image, part.setting, mean.column, published, source, runs, numbers)


def look_up(part: Part, image: str, methods: Methods) -> dict[str, Number]:
    """The published numbers of a picture by column."""
    where = {**part.where, "dataset": part.dataset, "image": image}
    return {column: find_one(**where, **names) for column, names in methods.items()}


def heading(pictures: Sequence[Row], scale: str) -> str:
    """What was run: `Scale laptop: 2 of 18 rows are run, middle 128 x 128, width 32.`"""
    ran = [row for row in pictures if row.runs]
    looks = dict.fromkeys(f", {size_words(run)}" for row in ran for run in row.runs)
    return f"Scale {scale}: {len(ran)} of {len(pictures)} rows are run{' /'.join(looks)}."


def save(table: Table, rows: Sequence[Row], scale: str, above: str, folder: Path) -> None:
    """Writes the table, its notes and its sources."""
    lines = [cells(table, row, scale) for row in rows]
    columns = {name: [line[name] for line in lines] for name in table.header}
    save_table(columns, folder, table.name, above, table.below)
    runs = dict.fromkeys(run for row in rows for run in (*row.runs, row.pixels) if run)
    save_sources(list(runs), folder, table.name)


def cells(table: Table, row: Row, scale: str) -> dict[str, str]:
    """A row in words, by column."""
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
        **facts(row, scale),
    }


def number(values: Array, column: str) -> str:
    """The mean over the seeds, with as many decimals as its column has."""
    return format(values.mean(), FORMATS.get(column, ".2f"))


def facts(row: Row, scale: str) -> dict[str, str]:
    """Seeds, iterations, scale and device of a row's runs, each value once."""
    if not row.runs:
        return {"scale": scale, "device": "waits for a GPU" if scale == "paper" else NONE}
    looks: dict[str, Callable[[Run], object]] = {
        "seeds": lambda run: len(run.provenance["seeds"]),
        "iterations": lambda run: run.summary["iterations"],
        "scale": lambda run: f"{scale}: {size_words(run)}",
        "device": lambda run: run.provenance["device"],
    }
    return {name: " / ".join(dict.fromkeys(str(look(run)) for run in row.runs)) for name, look in looks.items()}


def size_words(run: Run) -> str:
    """What was fitted by what: `middle 128 x 128, width 32`."""
    image, network = run.settings["image"], run.settings["architecture"]
    cut = "middle" if image["fit"] == "crop" else "scaled to"
    part = "whole picture" if image["size"] is None else f"{cut} {image['size']} x {image['size']}"
    return f"{part}, " + (f"width {max(network['down'])}" if network["name"] == "skip" else network["name"])


def waiting(table: Table, pictures: Sequence[Row], scale: str, results: Path) -> str:
    """How many rows wait for which command."""
    fits = sum(not row.runs for row in pictures)
    pixels = sum(row.pixels is None for row in pictures)
    if not fits + pixels:
        return f"{table.name} at scale {scale}: all {len(pictures)} rows are filled"
    where = "" if results == Path("results") else f" RESULTS={results}"
    return (
        f"{table.name} at scale {scale}: {fits} of {len(pictures)} rows wait for their fit, {pixels} for {PIXELS}; "
        f"make them with `make table-{table.name.replace('_', '-')} SCALE={scale}{where}`"
    )


def last_output(run: Run) -> str:
    """The name of the last output's picture."""
    return f"iteration-{run.summary['iterations']:06d}"


def scores(run: Run, name: str, metric: Callable[[Array, Array], float]) -> Array:
    """A metric of the stored pictures `name`, one per seed."""
    replicas = range(len(run.provenance["seeds"]))
    return np.array([metric(stored(run, name, r), stored(run, "reference", r)) for r in replicas])


def final(run: Run, curve: str) -> Array:
    """A curve's value after the last iteration, one per seed."""
    return np.array(run.summary["final"][curve])
