"""Curves over the iterations: loading, plotting with their range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dip_experiments.metrics import curve_points, log_points
from dip_experiments.store import Run

Array = NDArray[np.float64]
Error = TypeVar("Error", float, NDArray[np.float64])
QUALITY = ("psnr_average", "psnr_measurement")
"""Curves that show the quality of a fit, in order of preference; the last one needs no reference."""


@dataclass(frozen=True)
class Curve:
    """A quantity over the iterations: `iterations` "n", `values` "seeds n"."""

    iterations: NDArray[np.int_]
    values: Array

    @property
    def sparse(self) -> "Curve":
        """The same at log-spaced iterations."""
        at = np.isin(self.iterations, log_points(int(self.iterations[-1])))
        return Curve(self.iterations[at], self.values[:, at])


def curve_of(run: Run, column: str) -> Curve:
    """Return a curve of a run at `curve_points`, of a full run and of a record alike."""
    points = curve_points(run.summary["iterations"])
    rows = [curve[column][np.isin(curve["iteration"], points)] for curve in run.curves]
    return Curve(points, np.stack(rows))


def first_curve(run: Run, columns: Sequence[str] = QUALITY) -> tuple[str, Curve]:
    """Return the first of these curves that a run has, finished or not. Raises ValueError if it has none."""
    if not (run.folder / "curves.csv").exists() or not run.curves:
        raise ValueError(f"run {run.name} has no curves yet; they are written when it ends or is interrupted")
    column = next((name for name in columns if name in run.curves[0]), "loss")
    if run.has_summary:
        return column, curve_of(run, column)
    return column, Curve(run.curves[0]["iteration"].astype(int), np.stack([curve[column] for curve in run.curves]))


def value_at(run: Run, column: str, iteration: int) -> Array:
    """Return a curve's value at one iteration, one per seed. Raises ValueError if it is not stored."""
    rows = [curve[column][curve["iteration"] == iteration] for curve in run.curves]
    if not all(row.size for row in rows):
        raise ValueError(f"{run.folder}: curves.csv has no iteration {iteration}; make the run again, or its record")
    return np.concatenate(rows)


def ensemble_error(run: Run, count: int) -> Array:
    """Return the mean squared error of the mean of `count` replicas, expected over all choices of them.

    E_k = E_1 / k + (1 - 1 / k) C, where C is the `shared_error`.

    Returns:
        One value for each of `curve_points`. Where one replica alone has numbers, its own error.
    """
    single = np.asarray((10 ** (-curve_of(run, "psnr_average").values / 10)).mean(0))
    if len(run.seeds) == 1:
        return single
    of_all = 10 ** (-curve_of(run, "psnr_mean").values[0] / 10)
    shared = shared_error(single, of_all, len(run.seeds))
    return np.asarray(single / count + (1 - 1 / count) * shared)


def shared_error(single: Error, of_all: Error, count: int) -> Error:
    """Return the mean product of two replicas' errors, which no mean of replicas is below.

    It follows from the mean squared error of single ones and that of the mean of all `count` of them.
    """
    return (of_all - single / count) / (1 - 1 / count)


def to_decibels(error: float | Array) -> Array:
    """Return the PSNR of a mean squared error of values in [0, 1]."""
    return np.asarray(-10 * np.log10(error))


def plot_band(axis: Axes, curve: Curve, colour: Any, label: str, style: str = "-") -> None:
    """Plot the mean over the seeds as a line and their range as a band."""
    at, values = curve.iterations, curve.values
    axis.plot(at, values.mean(0), color=colour, label=label, linewidth=1.5, linestyle=style)
    axis.fill_between(at, values.min(0), values.max(0), color=colour, alpha=0.25, linewidth=0)
