"""How sure a number is: the mean of paired differences, and a rank correlation, with their 95 % intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dip_experiments.drawing.stored import Array

LEVEL = 0.95
DRAWS = 2000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % interval; NaN where too few values tell of it."""

    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The interval alone, `-0.31 to -0.05`; `-` where there is none."""
        return f"{self.low:+.2f} to {self.high:+.2f}" if np.isfinite(self.low) else "-"


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """The mean, with Student's interval for values that are independent and normal."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Interval(mean, np.nan, np.nan)
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.std(values, ddof=1) / count**0.5)
    return Interval(mean, mean - half, mean + half)


def paired(some: Mapping[object, float], others: Mapping[object, float]) -> Array:
    """Differences of what two have in common, in the order of the first."""
    return np.array([value - others[key] for key, value in some.items() if key in others])


def rank_correlation(x: Array, y: Array) -> Interval:
    """Spearman's coefficient; the interval is that of the percentiles over pairs drawn with replacement.

    Values that were not reached are infinite: the highest rank, shared.
    """
    if len(x) < 3:
        return Interval(np.nan, np.nan, np.nan)
    draw = np.random.default_rng(0)
    chosen = draw.integers(len(x), size=(DRAWS, len(x)))
    found = [spearman(x[some], y[some]) for some in chosen if len(set(x[some])) > 1 and len(set(y[some])) > 1]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(spearman(x, y), float(low), float(high))


def spearman(x: Array, y: Array) -> float:
    """The correlation of ranks, ties sharing theirs."""
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])
