"""Rows of the paper's tables: our numbers, published ones and baselines, for every image and their means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.data.datasets import PICTURES
from dip_experiments.published import Number, find_one
from dip_experiments.store import Baselines, Run, Selection

Array = NDArray[np.float64]
Numbers = dict[str, Array]
"""Column -> one number per seed, or a single one."""
Methods = Mapping[str, Mapping[str, str]]
"""Column -> entries that identify its published number among those of the same image."""
PIXELS = "pixels_tv"
"""The column of the pixels fitted with total variation."""
PIXELS_MADE = "pixels_made"
"""The column of the device and precision of these fits."""
HEAD = (
    "image",
    "setting",
    "metric",
    "ours",
    "published",
    "difference",
    "seeds",
    "iterations",
    "scale",
    "device",
    "precision",
)


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
    """Definition of a table.

    `setting` names a run's setting by its config, `measure` gives its numbers by column, `last` that of its last
    output. `ours` is the column that is compared with the published number and, on the same pictures, with the other
    methods in the columns `baselines`. `lacking` says why a column is empty.
    `titles`: the columns for reading, with the title of each.
    """

    name: str
    metric: str
    ours: str
    columns: Sequence[str]
    baselines: Sequence[str]
    parts: Sequence[Part]
    setting: Callable[[Mapping[str, Any]], str]
    measure: Callable[[Run, Baselines], Numbers]
    last: Callable[[Run], Array]
    titles: Mapping[str, str]
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
        return [*HEAD, "spread", "minutes", *self.columns, PIXELS, PIXELS_MADE, *self.others, "source"]


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


def part_rows(table: Table, part: Part, fits: Selection, plain: Selection) -> list[Row]:
    """Return one row for every image of the data set, then their means."""
    images = [image for image in PICTURES if image.startswith(f"{part.dataset}/")]
    pictures = [picture_row(table, part, image, fits, plain) for image in images]
    return [*pictures, *(mean_row(part, mean, pictures) for mean in part.means)]


def picture_row(table: Table, part: Part, image: str, fits: Selection, plain: Selection) -> Row:
    """Return the row of one image, run or not."""
    published = look_up(part, image.partition("/")[2], part.methods)
    remark = f", {part.remark}" if part.remark else ""
    row = Row(image, part.setting, table.ours, published, published["published"].source + remark)
    run, pixels = (find_run(selection, table, row) for selection in (fits, plain))
    if run is None:
        return row
    return fill_row(table, row, run, fits.baselines, pixels if pixels and same_picture(run, pixels) else None)


def fill_row(table: Table, row: Row, run: Run, stored_baselines: Baselines, pixels: Run | None = None) -> Row:
    """Return the row with the numbers of its run."""
    numbers = {"minutes": np.array([run.summary["wall_seconds"] / 60])} | table.measure(run, stored_baselines)
    if pixels:
        numbers[PIXELS] = table.last(pixels)
    return replace(row, runs=[run], numbers=numbers, pixels=pixels)


def same_picture(run: Run, other: Run) -> bool:
    """Return if two runs have the same crop of the same image; settings that an older record lacks are None today."""
    some, more = (
        {key: value for key, value in one.settings["image"].items() if value is not None} for one in (run, other)
    )
    return some == more


def find_run(selection: Selection, table: Table, row: Row) -> Run | None:
    """Return the run of a row's image and setting, or None. Raises ValueError if the request has several.

    The job's config decides: its run may be another experiment's, of the same image under another name.
    """
    key, jobs = (row.image, row.setting), [job for job in selection.jobs if job.run]
    found = [job.run for job in jobs if (job.config["image"]["name"], table.setting(job.config)) == key]
    if len(found) > 1:
        raise ValueError(
            f"{len(found)} runs of image={row.image}, {row.setting}: a row tells of one; "
            f"leave out of {' '.join(selection.overrides)} what sweeps"
        )
    return found[0] if found else None


def mean_row(part: Part, mean: Mean, pictures: Sequence[Row]) -> Row:
    """Return the means over all images, seed by seed; none if one is missing."""
    published = look_up(part, "mean", mean.methods)
    image = f"mean of {part.dataset}" + (f", {mean.name}" if mean.name else "")
    runs = [run for row in pictures for run in row.runs]
    source = published["published"].source
    if len(runs) < len(pictures):
        lack = f"not run ({len(runs)} of {len(pictures)})"
        return Row(image, part.setting, mean.column, published, source, lack=lack)
    shared = set.intersection(*(set(row.numbers) for row in pictures))
    numbers: Numbers = {name: mean_of([row.numbers[name] for row in pictures]) for name in shared}
    return Row(image, part.setting, mean.column, published, source, runs, numbers)


def mean_of(rows: Sequence[Array]) -> Array:
    """Return the mean over images, seed by seed; if seeds failed, the mean of the images' means, without a spread."""
    if len({row.size for row in rows}) == 1:
        return np.asarray(np.mean(rows, axis=0))
    return np.array([np.mean([row.mean() for row in rows])])


def look_up(part: Part, image: str, methods: Methods) -> dict[str, Number]:
    """Return the published numbers of an image by column."""
    where = {**part.where, "dataset": part.dataset, "image": image}
    return {column: find_one(**where, **names) for column, names in methods.items()}
