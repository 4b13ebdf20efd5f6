"""Confidence intervals of standard deviations within groups, such as the replicas of one noise draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dip_experiments.analysis.confidence import LEVEL, Interval
from dip_experiments.analysis.run_data import Array


@dataclass(frozen=True)
class Spread:
    """The variance within groups, mean over pictures, with its 95 % interval and degrees of freedom."""

    variance: Interval
    freedom: float

    @property
    def deviation(self) -> Interval:
        """Return the standard deviation with its interval."""
        return square_root(self.variance)

    def beyond(self, null: "Spread") -> Interval:
        """Return the standard deviation of what is left when the variance of an independent null is subtracted.

        The interval of the difference is made of those of both (MOVER: Zou & Donner, Stat. Med. 27, 2008); what would
        be below 0 is 0.
        """
        ours, theirs = self.variance, null.variance
        apart = ours.value - theirs.value
        low = apart - np.hypot(ours.value - ours.low, theirs.high - theirs.value)
        high = apart + np.hypot(ours.high - ours.value, theirs.value - theirs.low)
        return square_root(Interval(apart, float(low), float(high)))


def pooled_spread(pictures: Mapping[str, Sequence[Array]]) -> Spread:
    """Return the variance within groups, pooled in each picture, mean over the pictures.

    Values are taken as normal, and a picture's groups as equally variable: nu_p s_p^2 / sigma_p^2 is chi-square.
    Pictures may differ: the mean of their variances is distributed as a variance of nu degrees of freedom, about
    (sum s_p^2)^2 / sum (s_p^4 / nu_p) (Satterthwaite 1946). Intervals hold for these pictures, not for others.

    Args:
        pictures: Groups of values of each picture, such as replicas of each draw; groups of one tell nothing.
    """
    pooled = [found for groups in pictures.values() if (found := pooled_variance(groups))[1]]
    if not pooled:
        return Spread(Interval(np.nan, np.nan, np.nan), 0.0)
    each, own = (np.array(column, dtype=float) for column in zip(*pooled, strict=True))
    fourth = np.sum(each**2 / own)
    freedom = float(min(each.sum() ** 2 / fourth, own.sum())) if fourth else float(own.sum())
    mean = float(each.mean())
    high, low = mean * freedom / np.array(stats.chi2.interval(LEVEL, freedom))
    return Spread(Interval(mean, float(low), float(high)), freedom)


def pooled_variance(groups: Sequence[Array]) -> tuple[float, int]:
    """Return the variance about the groups' own means, and its degrees of freedom; 0 and 0 where nothing tells it."""
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum(float(np.square(values - np.mean(values)).sum()) for values in groups)
    return (squares / freedom, freedom) if freedom else (0.0, 0)


def square_root(variance: Interval) -> Interval:
    """Return the square roots of a variance and of the ends of its interval, 0 of what is below 0."""
    value, low, high = (float(np.sqrt(np.maximum(end, 0.0))) for end in (variance.value, variance.low, variance.high))
    return Interval(value, low, high)
