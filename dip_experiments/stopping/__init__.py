"""Rules that watch one trajectory, of which one may end it. They see a measurement, never a clean image."""

from collections.abc import Iterator, Mapping
from typing import Annotated, get_args

from pydantic import Field

from dip_experiments.schema import Group, Neutral, NoEffect
from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.fixed import Fixed
from dip_experiments.stopping.held_out_pixels import HeldOutPixels
from dip_experiments.stopping.monitor import Stop, Watch
from dip_experiments.stopping.moving_variance import MovingVariance
from dip_experiments.stopping.none import NoStopping
from dip_experiments.stopping.rule import WHOLE, Evidence, Observation, Prepared, StoppingRule
from dip_experiments.stopping.split import Split
from dip_experiments.stopping.sure import Sure
from dip_experiments.stopping.windowed_variance import WindowedVariance

Rule = Fixed | Split | WindowedVariance | MovingVariance | HeldOutPixels | Discrepancy | Sure
Stopping = Annotated[NoStopping | Rule, Field(discriminator="name")]
"""The rule that may end the loop, told apart by `name`."""


class Observers(Group):
    """Rules that watch and never end the loop. Those that change what is fitted count in a run's name."""

    fixed: Annotated[Fixed | None, NoEffect()] = None
    split: Annotated[Split | None, Neutral(None)] = None
    windowed_variance: Annotated[WindowedVariance | None, NoEffect()] = None
    moving_variance: Annotated[MovingVariance | None, NoEffect()] = None
    held_out_pixels: Annotated[HeldOutPixels | None, Neutral(None)] = None
    discrepancy: Annotated[Discrepancy | None, NoEffect()] = None
    sure: Annotated[Sure | None, NoEffect()] = None

    def rules(self) -> Iterator[tuple[str, StoppingRule]]:
        """Those asked for, by name."""
        for name in type(self).model_fields:
            if (rule := getattr(self, name)) is not None:
                yield name, rule


def outdated(epochs: Mapping[str, int]) -> set[str]:
    """Return the names of the rules that find other things today than when they had these epochs, 1 if none is said."""
    rules = {name: rule for rule in get_args(Rule) for name in get_args(rule.model_fields["name"].annotation)}
    return {name for name, rule in rules.items() if epochs.get(name, 1) < rule.epoch}


def prepared(rules: dict[str, StoppingRule], given: Prepared, seeds: list[int]) -> tuple[Prepared, dict[str, Prepared]]:
    """What is fitted after all rules took their part of what is given, and what each of them put aside.

    Noise is split before pixels are hidden, and before the others estimate it.
    """
    kept = {}
    for name in sorted(rules, key=lambda name: (name == "held_out_pixels", name != "split")):
        given = kept[name] = rules[name].prepare(given, seeds)
    return given, kept


__all__ = [
    "WHOLE", "Evidence", "NoStopping", "Observation", "Observers", "Prepared", "Rule",
    "Split", "Stop", "Stopping", "StoppingRule", "Watch",
    "outdated", "prepared",
]  # fmt: skip
