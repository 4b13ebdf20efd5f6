"""curves.csv: one row per replica and iteration, replica after replica; values that all share are stored once."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.store.files import Array, cells, write_columns

Columns = dict[str, Array]

COUNTED = ("replica", "seed", "iteration")
"""Columns of integers."""


def write_curves(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write the curves of a fit, `COUNTED` and what it logged.

    A logged column that is the same for all replicas, such as the PSNR of their mean, has its values in the rows of the
    first one; the cells of the others are empty.
    """
    replicas = len(np.unique(columns["replica"]))
    stored: dict[str, Any] = {name: column.astype(np.int64) for name, column in columns.items() if name in COUNTED}
    for name, column in columns.items():
        if name not in COUNTED:
            first, *others = np.array_split(column, max(replicas, 1))
            shared = others and all(np.array_equal(first, other, equal_nan=True) for other in others)
            stored[name] = [*cells(first), *[""] * (column.size - first.size)] if shared else column
    write_columns(path, stored)


def read_curves(path: Path) -> Columns:
    """Read the columns that `write_curves` wrote."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return {name: np.array(_filled(column), dtype=np.float64) for name, column in zip(header, columns, strict=True)}


def _filled(column: tuple[str, ...]) -> tuple[str, ...]:
    """Repeat the first values where the others are left out."""
    if not column or column[-1]:
        return column
    first = column[: column.index("")]
    return first * (len(column) // len(first))
