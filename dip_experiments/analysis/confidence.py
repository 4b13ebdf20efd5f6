"""Confidence intervals of means over images and of rank correlations, p-values, Holm's correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from dip_experiments.analysis.run_data import Array

Values: TypeAlias = Sequence[float] | Array | pd.Series
LEVEL = 0.95
DRAWS = 2000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % confidence interval; NaN for too few values."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """Return the interval alone, `-0.31 to -0.05`; `-` for none."""
        return f"{self.low:+.2f} to {self.high:+.2f}" if np.isfinite(self.low) else "-"

    @property
    def plus_minus(self) -> str:
        """Return a number in the middle of its interval with half of that, `0.12 +- 0.05`, or alone without one."""
        half = f" +- {(self.high - self.low) / 2:.2f}" if np.isfinite(self.low) else ""
        return f"{round(self.value, 2) + 0:.2f}{half}" if np.isfinite(self.value) else "-"


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Return the mean with Student's interval for independent, normal values."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Interval(mean, np.nan, np.nan)
    low, high = mean + stats.sem(values) * np.array(stats.t.interval(LEVEL, count - 1))
    return Interval(mean, float(low), float(high))


def picture_interval(values_by_picture: Mapping[str, Values]) -> Interval:
    """Return the mean over the pictures' own means, with Student's interval in which a picture is one observation.

    Seeds and noise draws of one picture are not independent of each other (their correlation in the ablation of
    denoising is 0.6), so that an interval over all values would be too narrow.

    Args:
        values_by_picture: Values of each picture, one or more per picture: one for each of its seeds or draws.

    Returns:
        The interval; its ends are NaN with fewer than two pictures, and so is its value without a picture.
    """
    means = picture_means(values_by_picture)
    return mean_interval(means) if means.size else Interval(np.nan, np.nan, np.nan)


def format_interval(values_by_picture: Mapping[str, Values]) -> str:
    """Return the mean over pictures in dB with its interval: `+0.05 dB (-0.13 to +0.23, 3 pictures)`."""
    found, count = picture_interval(values_by_picture), len(values_by_picture)
    sure = f"{found.text}, {count} pictures" if count > 1 else "1 picture"
    return f"{found.value:+.2f} dB ({sure})"


def mean_over_pictures(frame: pd.DataFrame, number: str) -> str:
    """Return a column's mean over the pictures' own means, `0.12 +- 0.05` with half of its interval."""
    return picture_interval(dict(iter(frame.groupby("image", sort=False)[number]))).plus_minus


def picture_means(values_by_picture: Mapping[str, Values]) -> Array:
    """Return each picture's mean over its seeds and draws, in the order of the pictures."""
    return np.array([np.mean(values) for values in values_by_picture.values()])


def picture_p_value(values_by_picture: Mapping[str, Values]) -> float:
    """Return the two-sided p-value of Student's test that the mean over pictures is 0, a picture being one observation.

    Returns:
        The p-value; NaN with fewer than two pictures, or if all of them are exactly 0.
    """
    means = picture_means(values_by_picture)
    if means.size < 2 or not means.any():
        return np.nan
    return float(stats.ttest_1samp(means, 0).pvalue) if np.ptp(means) else 0.0


def holm(p_values: Sequence[float] | Array) -> Array:
    """Return p-values adjusted for the number of tests by Holm's step-down method.

    The k-th smallest of m is multiplied by m + 1 - k, and none is smaller than one before it. To reject what is below
    0.05 rejects one or more true hypotheses with a probability of 5 % at most, however the tests depend on each other.

    Args:
        p_values: Those of one family of tests; a NaN is of no test, stays NaN and does not count.

    Returns:
        The adjusted p-values in the order given.
    """
    given = np.asarray(p_values, dtype=float)
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted = np.full(given.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted


def rank_correlation(x: Array, y: Array) -> Interval:
    """Return Spearman's coefficient; the interval is that of the percentiles over pairs drawn with replacement.

    Values that were not reached are infinite: the highest rank, shared. NaN below three pairs, and where all of x or
    all of y have the same rank.
    """
    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return Interval(np.nan, np.nan, np.nan)
    draw = np.random.default_rng(0)
    chosen = draw.integers(len(x), size=(DRAWS, len(x)))
    pairs = [(x[some], y[some]) for some in chosen if len(set(x[some])) > 1 and len(set(y[some])) > 1]
    found = [stats.spearmanr(*pair).statistic for pair in pairs]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(stats.spearmanr(x, y).statistic), float(low), float(high))
