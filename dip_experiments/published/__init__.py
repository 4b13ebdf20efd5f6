"""Published numbers for the paper's tables, read from the CSV files of this folder, each with its source."""

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Number:
    """One published number in dB.

    `image` is `mean` for a mean over the data set. `dip` is the authors' method as printed in the paper, `deep_prior`
    the same on their project page (`deep_prior_003`, `deep_prior_005`: its perturbation at x8).
    """

    table: str
    dataset: str
    setting: str
    image: str
    method: str
    metric: str
    value: float
    source: str


CODE_COLUMNS = ("psnr_output", "psnr_average")
COLUMNS = tuple(field.name for field in fields(Number) if field.name != "value")
"""Columns by which a number is looked up."""


def find(**wanted: str) -> list[Number]:
    """Return the numbers with the wanted entries, such as `find(table="denoising", image="f16")`; never none of them.

    Raises ValueError with the close names if a name is unknown among the numbers that fit the names before it.
    """
    numbers = list(_numbers())
    for column, name in wanted.items():
        _check(column, COLUMNS, "columns of the published numbers")
        _check(name, [getattr(number, column) for number in numbers], f"published {column}")
        numbers = [number for number in numbers if getattr(number, column) == name]
    return numbers


@cache
def _numbers() -> tuple[Number, ...]:
    return tuple(Number(value=float(row.pop("value")), **row) for row in _read("results"))


def find_one(**wanted: str) -> Number:
    """Return the number with the wanted entries. Raises ValueError if several fit, with the columns that differ."""
    numbers = find(**wanted)
    if len(numbers) > 1:
        telling = [column for column in COLUMNS if len({getattr(number, column) for number in numbers}) > 1]
        raise ValueError(f"{len(numbers)} published numbers fit {wanted}; say which by {', '.join(telling)}")
    return numbers[0]


def trajectory(image: str) -> tuple[Array, Array]:
    """Return iterations and PSNR in dB of the authors' single iterates while they denoise `image` (PAPER, Fig. 4)."""
    rows = _read("trajectories")
    _check(image, [row["image"] for row in rows], "published trajectory")
    points = [(float(row["iteration"]), float(row["value"])) for row in rows if row["image"] == image]
    iterations, psnr = np.array(points).T
    return iterations, psnr


def code_curves(picture: str) -> dict[str, Array]:
    """Return curves of the authors' public code, run by us with PyTorch 2.13: `iteration` "n", two columns "seeds n".

    `psnr_output` and `psnr_average` in dB; their network and settings on `f16_middle128`, the middle of the noisy F16.
    """
    rows = _read("code_curves")
    _check(picture, [row["picture"] for row in rows], "curves of the authors' code")
    seeds = sorted({row["seed"] for row in rows if row["picture"] == picture})
    each = [[row for row in rows if (row["picture"], row["seed"]) == (picture, seed)] for seed in seeds]
    found = {name: np.array([[float(row[name]) for row in one] for one in each]) for name in CODE_COLUMNS}
    return found | {"iteration": np.array([float(row["iteration"]) for row in each[0]])}


def _read(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _check(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        choices = sorted(set(known))
        close = difflib.get_close_matches(name, choices, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(choices)}"
        raise ValueError(f"{what}: there is no {name}; {hint}")
