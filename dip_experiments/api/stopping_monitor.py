"""Stopping rules by name, and early stopping in an optimisation loop of one's own."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from dip_experiments.config.defaults import option_settings
from dip_experiments.metrics import psnr_of_estimate
from dip_experiments.operators import check_operator
from dip_experiments.schema import make_part
from dip_experiments.stopping import FitContext, FitInput, Observation, Observer, RuleMonitor, StoppingRule
from dip_experiments.tasks import Task
from dip_experiments.tasks.given import Picture, given_task, read_measurement
from dip_experiments.tensors import mean_squared_error


def read_rule(name: str, settings: Mapping[str, Any] | None = None, group: str = "stopping") -> StoppingRule:
    """Return a rule, with its default settings but for those given. Raises ValueError for an unknown one."""
    values = option_settings(group, name, settings or {})
    return cast(StoppingRule, make_part(StoppingRule, values))


class StoppingMonitor:
    """Early stopping for an optimisation loop of one's own.

        monitor = StoppingMonitor("split", y)
        for iteration in range(5000):
            output = ...          # one step of fitting monitor.measurement
            if monitor.step(output):
                break

    Attributes:
        measurement: What is to be fitted, a tensor (c, h, w), or (replicas, c, h, w) for several replicas: y with a
            little more noise for `split`, with hidden values for `held_out_pixels`, else y itself.
        operator: What it is to be fitted through, on tensors (n, c, h, w).

    Args:
        rule: Name of a stopping rule, or an instance.
        measurement: y, as of `reconstruct`; `operator`, `image_shape`: likewise.
        replicas, seed: How many images are fitted side by side, and the seed of what is held out.
        settings: Settings of the rule by name, such as {"patience": 100, "law.sigma": 25.0}.
        average_decay: x_bar <- decay x_bar + (1 - decay) x_hat (PAPER detail 5).
    """

    def __init__(
        self,
        rule: str | StoppingRule,
        measurement: Picture,
        operator: Any = None,
        *,
        replicas: int = 1,
        seed: int = 0,
        image_shape: tuple[int, int, int] | None = None,
        settings: Mapping[str, Any] | None = None,
        average_decay: float = 0.99,
    ) -> None:
        y, self._layout = read_measurement(measurement, operator)
        self._task = given_task(y, operator, image_shape, None, replicas)
        check_operator(self._task.operator, self._task.measurement)
        chosen = read_rule(rule, settings) if isinstance(rule, str) else rule
        if isinstance(chosen, Observer):
            raise ValueError(f"rule={chosen.name}: it measures a fit and never stops it; give a stopping rule")
        if chosen.needs_divergence:
            raise ValueError(f"rule={chosen.name}: needs the divergence of a network, which a loop does not have")
        identity = self._task.operator.is_identity
        if reasons := list(chosen.config_errors(FitContext("inverse", identity, identity, "noise", block=1))):
            raise ValueError(reasons[0])
        given = FitInput(self._task.measurement, self._task.operator)
        fit_input = chosen.hold_out(given, [seed + replica for replica in range(replicas)])
        self._monitor = RuleMonitor(chosen, torch.zeros(self._task.shape), fit_input, ends=True)
        self._fitted = Task(fit_input.measurement, fit_input.operator).to(torch.device("cpu"), torch.float32)
        self._original = self._task.to(torch.device("cpu"), torch.float32).operator
        self._share = fit_input.share().float()
        self._decay, self._average, self._iteration = average_decay, torch.zeros(self._task.shape), 0
        self.operator = self._fitted.operator
        self.measurement = self._fitted.measurement if replicas > 1 else self._fitted.measurement[0]

    @torch.no_grad()
    def step(self, output: torch.Tensor) -> bool:
        """Take the output of one iteration, (c, h, w) or (replicas, c, h, w); return True if the loop is to end.

        Raises:
            ValueError: For an output of another shape.
        """
        image = output.detach().float().cpu()
        image = image if image.ndim == 4 else image.unsqueeze(0)
        if image.shape != self._average.shape:
            raise ValueError(f"an output of shape {tuple(output.shape)}; the image has {tuple(self._average.shape)}")
        self._average.lerp_(image, 1 - self._decay * (self._iteration > 0))
        self._iteration += 1
        error = mean_squared_error(self.operator(image), self._fitted.measurement) / self._share
        iteration = torch.tensor([self._iteration])
        self._monitor.observe(Observation(iteration, image, self._average, self._original, error))
        return self._monitor.over

    @property
    def stopped_at(self) -> int | None:
        """The best iteration so far, from 1 on, which is the stop once `step` returned True; None without one."""
        return self._monitor.stops()[1].iteration

    @property
    def image(self) -> NDArray[np.float64] | None:
        """The mean of the replicas' running averages at `stopped_at`, in the layout of the measurement.

        Where the noise was clipped, without the bias of that.
        """
        if self.stopped_at is None:
            return None
        image = self._monitor.rule.unbiased(self._monitor.mean, self._monitor.held_out)
        return self._layout(image.double().numpy())

    @property
    def estimated_psnr(self) -> float | None:
        """PSNR of `image` in dB as the rule estimates it; None where it estimates none, or A is not the identity."""
        if self.stopped_at is None or not self._original.is_identity:
            return None
        estimate = self._monitor.rule.estimate(self._monitor.ensemble_average, self._monitor.held_out)
        return None if estimate is None else psnr_of_estimate(**estimate)
