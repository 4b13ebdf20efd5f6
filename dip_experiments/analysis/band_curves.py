"""Curves of the energy that is explained in frequency bands: how much at the peak, and how soon each is fitted."""

import numpy as np

from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.curves import curve_of
from dip_experiments.analysis.run_data import Array, peak_iterations
from dip_experiments.store import Run

BANDS = 5
ENERGIES, AMPLITUDES = (tuple(f"{name}_{band + 1}" for band in range(BANDS)) for name in ("band_energy", "band"))
"""Columns of the observer `bands`, from the lowest band to the highest."""
HALF = 0.5


def at_peak(run: Run, column: str) -> Array:
    """Return a curve where the output's PSNR is best (oracle), or at the stored iteration next to it, per seed."""
    curve, peaks = curve_of(run, column), peak_iterations(run, "psnr_reference")
    at = np.abs(np.log(curve.iterations)[None] - np.log(peaks)[:, None]).argmin(1)
    return np.asarray(curve.values[np.arange(len(peaks)), at])


def half_explained(run: Run, column: str) -> Array:
    """Return the first stored iteration at which half of a band is explained, per seed; infinite if none."""
    curve = curve_of(run, column)
    reached = curve.values >= HALF
    return np.where(reached.any(1), curve.iterations[reached.argmax(1)], np.inf)


def band_lag(run: Run) -> Interval:
    """Return how many times more iterations half of the highest band takes than half of the lowest.

    Geometric mean over the seeds with Student's interval of the logarithm. Where a seed never reaches half of the
    highest band, all its iterations count in place: then it is a lower bound, with ends that are NaN and infinite. NaN
    if the lowest is not reached.
    """
    low, high = (half_explained(run, column) for column in (ENERGIES[0], ENERGIES[-1]))
    if not np.isfinite(low).all():
        return Interval(np.nan, np.nan, np.nan)
    found = mean_interval(np.log(np.minimum(high, run.summary["iterations"])) - np.log(low))
    value, *ends = (float(np.exp(number)) for number in (found.value, found.low, found.high))
    return Interval(value, *ends) if np.isfinite(high).all() else Interval(value, np.nan, np.inf)
