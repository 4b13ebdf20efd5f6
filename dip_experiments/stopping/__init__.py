"""Early-stopping criteria. All monitor one optimisation run, at most one may end it; none sees the reference."""

from collections.abc import Mapping

from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.fixed import Fixed
from dip_experiments.stopping.held_out_pixels import HeldOutPixels
from dip_experiments.stopping.monitor import RuleMonitor, Stop
from dip_experiments.stopping.moving_variance import MovingVariance
from dip_experiments.stopping.none import NoStopping
from dip_experiments.stopping.observer import FitStart, Observer
from dip_experiments.stopping.rule import FitContext, FitInput, HeldOut, Observation, Stopping, StoppingRule
from dip_experiments.stopping.split import Split
from dip_experiments.stopping.sure import Sure
from dip_experiments.stopping.windowed_variance import WindowedVariance


def outdated(epochs: Mapping[str, int]) -> set[str]:
    """Return the names of the rules that find other things today than at these epochs, 1 where none is recorded."""
    return {name for name, rule in StoppingRule.registered().items() if epochs.get(name, 1) < rule.epoch}


def hold_out(
    rules: Mapping[str, StoppingRule], given: FitInput, seeds: list[int]
) -> tuple[FitInput, dict[str, FitInput]]:
    """Return the input of the fit after all rules held out their data, and by rule what each of them held out.

    Noise is split before pixels are hidden, and before the other rules estimate it.
    """
    inputs = {}
    for name in sorted(rules, key=lambda name: (name == "held_out_pixels", name != "split")):
        given = inputs[name] = rules[name].hold_out(given, seeds)
    return given, inputs


__all__ = [
    "Discrepancy",
    "FitContext",
    "FitInput",
    "FitStart",
    "Fixed",
    "HeldOut",
    "HeldOutPixels",
    "MovingVariance",
    "NoStopping",
    "Observation",
    "Observer",
    "RuleMonitor",
    "Split",
    "Stop",
    "Stopping",
    "StoppingRule",
    "Sure",
    "WindowedVariance",
    "hold_out",
    "outdated",
]  # fmt: skip
