"""Claims of methods proposed since 2018, each with the measurement that could falsify it, decided before the fits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dip_experiments.analysis.claims import Claim, above, with_interval
from dip_experiments.analysis.confidence import Interval, mean_interval
from dip_experiments.analysis.effects import by_seed, peaks
from dip_experiments.analysis.run_data import final_values, peak_iterations, seconds_per_iteration
from dip_experiments.store import Run

PLAIN = "plain"
FALL = 0.3
"""dB that the average may be below its own peak at the end of a fit that needs no stop (ours)."""
AS_GOOD = 0.5
"""dB that a method may be below another one that it equals (ours)."""
Fits = Mapping[str, Mapping[str, Sequence[Run]]]
"""Problem -> method -> runs."""
Pair = Callable[[Sequence[Run], Sequence[Run]], pd.Series]
"""Runs of a method and of the one that it is compared with -> a number by picture and seed."""


def fall(runs: Sequence[Run]) -> pd.Series:
    """Return by how many dB the average is below its own peak (oracle) at the end, by picture and seed."""
    return peaks(runs) - by_seed(runs, lambda run: final_values(run, "psnr_average"))


def seconds(runs: Sequence[Run]) -> pd.Series:
    """Return the seconds of an iteration, by picture and seed."""
    return by_seed(runs, lambda run: np.full(len(run.seeds), seconds_per_iteration(run)))


def iterations_to_peak(runs: Sequence[Run]) -> pd.Series:
    """Return the iteration of the average's peak (oracle), by picture and seed."""
    return by_seed(runs, lambda run: peak_iterations(run, "psnr_average"))


def end_gain(runs: Sequence[Run], others: Sequence[Run]) -> pd.Series:
    """Return by how many dB the end of the fit is above the peak (oracle) of others, by picture and seed."""
    return by_seed(runs, lambda run: final_values(run, "psnr_average")) - peaks(others)


def speed(runs: Sequence[Run], others: Sequence[Run]) -> pd.Series:
    """Return the logarithm of the seconds that others take to their peak, by one's own, by picture and seed."""
    return np.log(seconds(others) * iterations_to_peak(others)) - np.log(seconds(runs) * iterations_to_peak(runs))


@dataclass(frozen=True)
class Measure:
    """A number of a method: more of it is what is claimed.

    Attributes:
        name: Of what is measured, with its unit.
        falsified_by: The measurement that falsifies the claim, after "if".
        of: The number by picture and seed.
        bound: The value above which the claim holds.
        factor: True if the number is a logarithm, which is written as a factor.
    """

    name: str
    falsified_by: str
    of: Pair
    bound: float = 0.0
    factor: bool = False

    def describe(self, found: Interval) -> str:
        """Return the number with its interval."""
        if not self.factor:
            return with_interval(found)
        value, low, high = np.exp([found.value, found.low, found.high])
        return f"{value:.2f}" + (f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else "")


NO_STOP = Measure(
    "end less the peak (dB)", f"the end is more than {FALL} dB below the peak", lambda runs, _: -fall(runs), -FALL
)
LATER = Measure(
    "fall of the other less its own (dB)",
    "the end is as far below the peak",
    lambda runs, others: fall(others) - fall(runs),
)
MORE = Measure(
    "fall less the other's (dB)", "the end is less far below the peak", lambda runs, others: fall(runs) - fall(others)
)
BETTER = Measure("peak less the other's (dB)", "the peak is lower", lambda runs, others: peaks(runs) - peaks(others))
WORSE = Measure(
    "the other's peak less its own (dB)", "the peak is higher", lambda runs, others: peaks(others) - peaks(runs)
)
EQUAL = Measure(
    "peak less the other's (dB)", f"the peak is more than {AS_GOOD} dB lower",
    lambda runs, others: peaks(runs) - peaks(others), -AS_GOOD,
)  # fmt: skip
END_BETTER = Measure("end less the other's peak (dB)", "the end is below the other's peak", end_gain)
SOONER = Measure(
    "the other's iterations to the peak by its own", "it takes more iterations to the peak",
    lambda runs, others: np.log(iterations_to_peak(others)) - np.log(iterations_to_peak(runs)), factor=True,
)  # fmt: skip
FASTER = Measure("the other's seconds to the peak by its own", "it takes more seconds to the peak", speed, factor=True)

WHITE = ("sigma25", "sigma50")
INVERSE = ("deblurring", "super_resolution", "inpainting")


@dataclass(frozen=True)
class MethodClaim:
    """A claim of the authors of a method, and how it is measured here.

    Attributes:
        method: Its name in conf/method.
        claim: The claim, with its source.
        measure: What decides.
        problems: On which it is measured: the mean of them for each picture.
        than: The method that it is compared with.
    """

    method: str
    claim: str
    measure: Measure
    problems: tuple[str, ...] = WHITE
    than: str = PLAIN

    @property
    def title(self) -> str:
        """Return method, problems and what it is compared with: `l1 on impulses, by plain`."""
        return f"**{self.method}** on {', '.join(self.problems)}, by {self.than}".replace("_", " ")

    def by_picture(self, found: Fits) -> pd.Series:
        """Return the number of each picture that both have on all problems."""
        columns = []
        for problem in self.problems:
            runs, others = (found.get(problem, {}).get(name, ()) for name in (self.method, self.than))
            if not (runs and others):
                return pd.Series(dtype=float)
            columns.append(self.measure.of(runs, others).dropna().groupby("image").mean())
        return pd.concat(columns, axis=1, join="inner").mean(axis=1)

    def judge(self, found: Fits) -> Claim | None:
        """Return the claim with its measurement, None without a picture."""
        values = self.by_picture(found)
        if values.empty:
            return None
        interval = mean_interval(values.to_numpy())
        measured = f"{self.measure.name} {self.measure.describe(interval)}, {len(values)} pictures"
        return Claim(self.claim, self.measure.falsified_by, measured, above(interval, self.measure.bound))


METHOD_CLAIMS = (
    MethodClaim("distributional", "it does not overfit, so that no stop is needed (Webber & Reader 2026)", NO_STOP),
    MethodClaim("aseqdip", "it overfits later (Alkhouri et al. 2024)", LATER),
    MethodClaim("self_guided", "it needs no stop (Liang et al. 2024)", NO_STOP),
    MethodClaim("self_diffusion", "its end is better than DIP (Luo et al. 2025)", END_BETTER, INVERSE),
    MethodClaim("target_moving", "less noise is left to fit, so that it overfits later (ICML 2024)", LATER),
    MethodClaim("sgld", "it does not overfit (Cheng et al. 2019, to 20,000 iterations)", NO_STOP),
    MethodClaim("fourier", "it needs no stop (Cheng et al. 2025; slope ours)", NO_STOP),
    MethodClaim("l1", "outliers pull it less", BETTER, ("impulses",)),
    MethodClaim("huber", "outliers pull it less (Huber 1964)", BETTER, ("impulses",)),
    MethodClaim("tv", "with total variation the result is better (Liu et al. 2019)", BETTER),
    MethodClaim("random_projector", "it is fast (Li et al. 2023)", FASTER),
    MethodClaim("random_projector", "it is as good as DIP (Li et al. 2023)", EQUAL),
    MethodClaim(
        "lowpass20", "it overfits more than with a stop band of -100 dB (Liu et al. 2023)", MORE, ("sigma25",),
        than="lowpass100",
    ),
    MethodClaim("fourier_features", "high frequencies are fitted sooner (Tancik et al. 2020)", SOONER),
    MethodClaim("siren", "it is worse, as convolutions over space are the prior (Ulyanov et al. 2018)", WORSE),
    MethodClaim("deep_decoder", "it has too few weights to fit noise, no stop is needed (Heckel & Hand 2019)", NO_STOP),
)  # fmt: skip
"""In the order of the benchmark; bounds, problems and measures are older than its fits."""


def judge_methods(found: Fits) -> list[tuple[MethodClaim, Claim]]:
    """Return the claims of which both methods were run, with what was measured."""
    return [(one, claim) for one in METHOD_CLAIMS if (claim := one.judge(found))]
