"""The curves of a run as a chart takes them: thinned to what a screen can show, numbers of five digits."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.metrics import curve_points
from dip_experiments.store import Run
from dip_experiments.store.curves import COUNTED

QUANTITIES = {"psnr": "PSNR, dB", "loss": "loss"}
"""By the beginning of a column's name: curves that are drawn together. Any other column is drawn alone."""
TITLES = {
    "psnr_reference": "single output",
    "psnr_average": "average of outputs",
    "psnr_mean": "mean of the seeds' averages",
    "psnr_measurement": "output, to what it saw",
    "loss": "loss",
}
ORDER = ("psnr_average", "psnr_reference", "psnr_mean", "psnr_measurement", "loss")
"""The first of these is the one on which stops are marked."""
DIGITS = 5


def chart(run: Run) -> dict[str, Any]:
    """Return the chart of a run: `iteration` "n", and of every column `name`, `title`, `quantity` and `values`.

    `values` are one list a seed; a column that is the same for all seeds has one list.
    """
    at = np.isin(run.curves[0]["iteration"], _shown(run))
    names = [name for name in run.curves[0] if name not in COUNTED]
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return {
        "iteration": [int(n) for n in run.curves[0]["iteration"][at]],
        "columns": [
            {
                "name": name,
                "title": TITLES.get(name, name.replace("_", " ")),
                "quantity": QUANTITIES.get(name.split("_")[0], name.replace("_", " ")),
                "values": _different([_digits(curve[name][at]) for curve in run.curves]),
            }
            for name in names
        ],
    }


def _shown(run: Run) -> list[int]:
    """Return the iterations of the chart: those of a record, and those at which a rule stops."""
    stops = (rule["iteration"] for rule in run.summary.get("stopping", {}).values())
    return [*map(int, curve_points(run.summary["iterations"])), *(n for stop in stops for n in stop if n)]


def _digits(values: NDArray[np.float64]) -> list[float | None]:
    """Return None for NaN and infinity, which JSON does not have."""
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


def _different(values: list[list[float | None]]) -> list[list[float | None]]:
    return values[:1] if all(other == values[0] for other in values) else values
