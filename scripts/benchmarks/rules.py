"""Time that a stopping rule adds to an iteration.

Writes: bench/<device>-rules. Command: make bench
"""

import statistics
import sys
from typing import Any

import pandas as pd
import torch
from iterations import CASES, SMOKE, Case, seconds, started_fit
from start import command_line, save

from dip_experiments.devices import find_device
from dip_experiments.fitting.memory import keep_freed_memory
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput, Observation, RuleMonitor, StoppingRule
from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.held_out_pixels import HeldOutPixels
from dip_experiments.stopping.moving_variance import MovingVariance
from dip_experiments.stopping.noise_models import GaussianNoiseModel
from dip_experiments.stopping.split import Split
from dip_experiments.stopping.windowed_variance import WindowedVariance

WAITS: dict[str, Any] = {"patience": 1000, "warm_up": 0, "accept": 1.0}
RULES: list[StoppingRule] = [
    Split(name="split", a=0.2, law=GaussianNoiseModel(name="gaussian", sigma=25.0), mix=[], **WAITS),
    WindowedVariance(name="windowed_variance", window=100, **WAITS),
    MovingVariance(name="moving_variance", alpha=0.1, **WAITS),
    HeldOutPixels(name="held_out_pixels", fraction=0.05, **WAITS),
    Discrepancy(name="discrepancy", sigma=25.0, tau=1.0),
]
ROUNDS = 10


def measure(case: Case, device: torch.device) -> list[dict[str, str]]:
    """Measure a row for each rule: by turns an iteration without any, and the rule's look at what it gave."""
    fit = started_fit(case, device)
    monitors = [monitor_of(rule, fit.average) for rule in RULES]
    iterations: list[float] = []
    looks: dict[str, list[float]] = {watch.rule.name: [] for watch in monitors}
    fit.iterate()
    for _ in range(ROUNDS):
        iterations.append(seconds(fit.iterate, device))
        energy = fit.average.new_ones(len(fit.average))
        seen = Observation(fit.row + 1, fit.output, fit.average, Identity(), energy)
        for watch, times in zip(monitors, looks.values(), strict=True):
            times.append(seconds(lambda: watch.observe(seen), device))  # noqa: B023
    iteration = statistics.median(iterations)
    return [
        {
            "network": case.network,
            "size": str(case.size),
            "replicas": str(case.replicas),
            "iteration_s": f"{iteration:.3g}",
            "rule": name,
            "rule_s": f"{statistics.median(times):.3g}",
            "share": f"{statistics.median(times) / iteration:.2%}",
        }
        for name, times in looks.items()
    ]


def monitor_of(rule: StoppingRule, images: torch.Tensor) -> RuleMonitor:
    """Return a rule at work on a picture of noise."""
    given = FitInput(torch.rand(images.shape, dtype=torch.float64), Identity())
    return RuleMonitor(rule, torch.zeros_like(images), rule.hold_out(given, list(range(len(images)))), ends=False)


def main() -> int:
    """Write results/bench/<device>-rules.csv, .md and .json; times are seconds per iteration of all replicas."""
    arguments = command_line(main.__doc__)
    device = find_device(arguments.device)
    keep_freed_memory()
    cases = SMOKE if arguments.smoke else [case for case in CASES if case.size in (128, 512)]
    rows = [row for case in cases for row in measure(case, device)]
    for row in rows:
        print("  ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    save(pd.DataFrame(rows), arguments, device, "-rules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
