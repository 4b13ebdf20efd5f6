"""A claim of the literature, and the measurement that could have falsified it."""

import textwrap
from dataclasses import dataclass

import numpy as np

from dip_experiments.analysis.confidence import Interval

PAGE = 112
"""Characters in a line of a figure's text."""


@dataclass(frozen=True)
class Claim:
    """A claim and the verdict on it.

    Attributes:
        claim: The claim, with its source.
        falsified_by: The measurement that would have falsified it, after "if".
        measured: What was measured, with its interval.
        holds: Whether the measurement is as claimed; None where it decides nothing.
    """

    claim: str
    falsified_by: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """Return the verdict: holds, falsified or open."""
        return "open" if self.holds is None else "holds" if self.holds else "falsified"

    @property
    def text(self) -> str:
        """Return claim, test, measurement and verdict in one paragraph."""
        return (
            f"Claim: {self.claim}. It would be falsified if {self.falsified_by}. "
            f"Measured: {self.measured}. Verdict: {self.verdict}."
        )

    @property
    def title(self) -> str:
        """Return the paragraph in lines, for a figure."""
        return textwrap.fill(self.text, PAGE, break_long_words=False, break_on_hyphens=False)


def with_interval(number: Interval, digits: int = 2) -> str:
    """Return a number with its interval, `+0.50 (+0.42 to +0.57)`; alone where it has none, `not known` without it."""
    if not np.isfinite(number.value):
        return "not known"
    ends = f" ({number.low:+.{digits}f} to {number.high:+.{digits}f})" if np.isfinite(number.low) else ""
    return f"{number.value:+.{digits}f}{ends}"


def within(interval: Interval, centre: float, margin: float) -> bool | None:
    """Return True if all of a 95 % interval is within a margin around a value, False if none of it is, else None."""
    if not np.isfinite([interval.low, interval.high]).all():
        return None
    low, high = centre - margin, centre + margin
    return (
        True
        if low <= interval.low and interval.high <= high
        else False
        if interval.low > high or interval.high < low
        else None
    )


def above(interval: Interval, bound: float = 0.0) -> bool | None:
    """Return True if a number is above a bound with all of its 95 % interval, False if below, None if it is open."""
    if not np.isfinite([interval.low, interval.high]).all():
        return None
    return True if interval.low > bound else False if interval.high < bound else None
