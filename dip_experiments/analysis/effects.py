"""Effects of changes of a fit on its best PSNR, picture by picture and seed by seed, with intervals over pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dip_experiments.analysis.confidence import Interval, holm, picture_interval, picture_means, picture_p_value
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.run_data import Array, peak_values
from dip_experiments.store import Run

SIGNIFICANT = 0.05
"""Chance that any change without an effect is marked (ours)."""


@dataclass(frozen=True)
class Effect:
    """Effect of a change on the average's peak: by image, mean with its interval, p before and after Holm."""

    by_picture: Mapping[str, float]
    interval: Interval
    p_value: float
    p_value_holm: float

    @property
    def significant(self) -> bool:
        """Return if the mean differs from 0 by more than chance, corrected for the number of changes."""
        return self.p_value_holm < SIGNIFICANT

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return mean, ends of its interval, interval, both p-values, and the mean with `*` if it is significant."""
        mean, value = self.interval, f"{self.interval.value:+.2f}"
        ends = (f"{mean.low:.3f}", f"{mean.high:.3f}", mean.text)
        p_values = (f"{self.p_value:.4g}", f"{self.p_value_holm:.4g}")
        return (value, *ends, *p_values, f"{value}*" if self.significant else value)


def by_seed(runs: Sequence[Run], measure: Callable[[Run], Array]) -> pd.Series:
    """Return a number by picture and seed; of two runs of the same, those of the last.

    `measure`: one value for each seed of a run.
    """
    each = [pd.Series(measure(run), pd.Index(run.seeds, name="seed")) for run in runs]
    found = pd.concat(each, keys=[picture_name(run.settings) for run in runs], names=["image"])
    return found[~found.index.duplicated(keep="last")]


def over_pictures(runs: Sequence[Run], measure: Callable[[Run], Array]) -> float:
    """Return the mean over pictures of a number's means over the seeds: see `by_seed`."""
    return float(by_seed(runs, measure).groupby("image").mean().mean())


def peaks(runs: Sequence[Run], column: str = "psnr_average") -> pd.Series:
    """Return the peaks by picture and seed."""
    return by_seed(runs, lambda run: peak_values(run, column))


def mean_peak(runs: Sequence[Run], column: str = "psnr_average") -> float:
    """Return the mean over pictures of their peaks' means over the seeds."""
    return over_pictures(runs, lambda run: peak_values(run, column))


def effects_of(found: Mapping[str, Sequence[Run]], plain: str) -> dict[str, Effect]:
    """Return the effects of the changes that have a pair with the plain fit: the same picture, the same seed.

    Args:
        found: The runs of each change.
        plain: The name of the fit in which nothing is changed.
    """
    changed = {change: peaks(runs) for change, runs in found.items() if runs}
    default = changed.pop(plain, None)
    pairs = {} if default is None else {change: (some - default).dropna() for change, some in changed.items()}
    apart = {change: dict(iter(some.groupby("image", sort=False))) for change, some in pairs.items() if some.size}
    p_values = [picture_p_value(pairs) for pairs in apart.values()]
    return {
        change: Effect(
            dict(zip(pairs, map(float, picture_means(pairs)), strict=True)), picture_interval(pairs), p, float(adjusted)
        )
        for (change, pairs), p, adjusted in zip(apart.items(), p_values, holm(p_values), strict=True)
    }


def tested(effects: Mapping[str, Effect]) -> int:
    """Count the changes that have a p-value, for which Holm corrects."""
    return sum(not np.isnan(effect.p_value) for effect in effects.values())
