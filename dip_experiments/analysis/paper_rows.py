"""Rows that set our numbers beside published ones and other methods': of every picture, run or not, and their means."""

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
"""Column -> one number per seed, or one where there are no seeds."""
Methods = Mapping[str, Mapping[str, str]]
"""Column -> what tells its published number from the others of the same picture."""
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
    """What a table is made of.

    `setting` names a run's setting by its words, `measure` gives its numbers by column, `last` that of its last
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
    """One row for every picture of the data set, then their means."""
    images = [image for image in PICTURES if image.startswith(f"{part.dataset}/")]
    pictures = [picture_row(table, part, image, fits, plain) for image in images]
    return [*pictures, *(mean_row(part, mean, pictures) for mean in part.means)]


def picture_row(table: Table, part: Part, image: str, fits: Selection, plain: Selection) -> Row:
    """The row of one picture, whether its runs are there or not."""
    published = look_up(part, image.partition("/")[2], part.methods)
    remark = f", {part.remark}" if part.remark else ""
    row = Row(image, part.setting, table.ours, published, published["published"].source + remark)
    run, pixels = (find_run(selection, table, row) for selection in (fits, plain))
    if run is None:
        return row
    return fill_row(table, row, run, fits.baselines, pixels if pixels and same_picture(run, pixels) else None)


def fill_row(table: Table, row: Row, run: Run, stored_baselines: Baselines, pixels: Run | None = None) -> Row:
    """The row with the numbers of its run."""
    numbers = {"minutes": np.array([run.summary["wall_seconds"] / 60])} | table.measure(run, stored_baselines)
    if pixels:
        numbers[PIXELS] = table.last(pixels)
    return replace(row, runs=[run], numbers=numbers, pixels=pixels)


def same_picture(run: Run, other: Run) -> bool:
    """Whether two runs see the same cut of the same picture."""
    return bool(run.settings["image"] == other.settings["image"])


def find_run(selection: Selection, table: Table, row: Row) -> Run | None:
    """The run of a row's picture and setting, if it is there; ValueError if the words ask for several.

    What the job asks for counts: its run may be another experiment's, of the same picture under another name.
    """
    key, jobs = (row.image, row.setting), [job for job in selection.jobs if job.run]
    found = [job.run for job in jobs if (job.words["image"]["name"], table.setting(job.words)) == key]
    if len(found) > 1:
        raise ValueError(
            f"{len(found)} runs of image={row.image}, {row.setting}: a row tells of one; "
            f"leave out of {' '.join(selection.words)} what sweeps"
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
    numbers: Numbers = {name: mean_of([row.numbers[name] for row in pictures]) for name in shared}
    return Row(image, part.setting, mean.column, published, source, runs, numbers)


def mean_of(rows: Sequence[Array]) -> Array:
    """Mean over pictures, seed by seed; where seeds failed, the mean of the pictures' own means, without a spread."""
    if len({row.size for row in rows}) == 1:
        return np.asarray(np.mean(rows, axis=0))
    return np.array([np.mean([row.mean() for row in rows])])


def look_up(part: Part, image: str, methods: Methods) -> dict[str, Number]:
    """The published numbers of a picture by column."""
    where = {**part.where, "dataset": part.dataset, "image": image}
    return {column: find_one(**where, **names) for column, names in methods.items()}
