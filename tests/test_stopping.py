"""What stopping rules promise, each on measurements of which everything is known."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dip, fresh
from test_speed import TO_THE_HOST, Operations
from test_splitting import SIGMA, WAITS, noisy, observation, smooth, split

from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput, Observation, RuleMonitor, StoppingRule
from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.fixed import Fixed
from dip_experiments.stopping.held_out_pixels import HeldOutPixels
from dip_experiments.stopping.moving_variance import MovingVariance
from dip_experiments.stopping.rule import HeldOut, MinimumRule, State, Statistic
from dip_experiments.stopping.sure import Sure
from dip_experiments.stopping.windowed_variance import REWOUND, WindowedVariance


@pytest.mark.parametrize("window", [2, 7, 30])
def test_the_sliding_variance_is_that_of_the_last_outputs(window: int) -> None:
    rule = WindowedVariance(name="windowed_variance", window=window, **WAITS)
    draws = torch.Generator().manual_seed(0)
    outputs = 0.5 + 1e-3 * torch.randn(3 * (window + REWOUND), 2, 3, 8, 8, generator=draws).cumsum(0)
    state = rule.initial_state(outputs[0], {})
    for n, output in enumerate(outputs, 1):
        found = rule.observe(observation(output, n), state, {}).value
        if n < window:
            assert found.isnan().all()
        else:
            expected = outputs[n - window : n].double().var(0, unbiased=False).flatten(1).mean(1)
            torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)


def test_the_moving_variance_weighs_outputs_exponentially() -> None:
    rule = MovingVariance(name="moving_variance", alpha=0.1, **WAITS)
    outputs = torch.rand(60, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = rule.initial_state(outputs[0], {})
    for n, output in enumerate(outputs, 1):
        found = rule.observe(observation(output, n), state, {}).value
        weights = torch.tensor([0.9 ** (n - 1), *(0.1 * 0.9 ** (n - k) for k in range(2, n + 1))], dtype=torch.float64)
        mean = torch.einsum("n,nrchw->rchw", weights, outputs[:n])
        expected = torch.einsum("n,nrchw->rchw", weights, (outputs[:n] - mean).square()).flatten(1).mean(1)
        if n > 1:
            torch.testing.assert_close(found, expected)


def test_pixels_held_out_are_hidden_from_the_fit_in_all_channels_and_watched() -> None:
    rule = HeldOutPixels(name="held_out_pixels", fraction=0.1, **WAITS)
    y = noisy("gaussian", smooth(), 0).expand(2, -1, -1, -1)
    part = rule.hold_out(FitInput(y, Identity()), [0, 1])
    hidden = part.held_out["hidden"]
    assert hidden.double().mean() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(hidden[:, 0], hidden[:, 2])
    assert not torch.equal(hidden[0], hidden[1])
    assert torch.equal(part.operator(y), part.measurement)
    assert not part.measurement[hidden.expand_as(y)].any()
    image = torch.where(hidden, y + 0.1, torch.rand_like(y))  # what is not hidden plays no part
    assert rule.observe(observation(image), {}, part.held_out).value.tolist() == pytest.approx([0.01, 0.01])


class Planted(MinimumRule):
    """A rule whose statistic is the energy."""

    def observe(self, seen: Observation, state: State, held_out: HeldOut) -> Statistic:
        return Statistic(seen.energy, seen.energy.mean(), {})


def watched(curve: list[float], **words: Any) -> RuleMonitor:
    """A watch that has seen a planted curve; the image of iteration n has the value n."""
    images = torch.zeros(1, 1, 2, 2)
    watch = RuleMonitor(Planted(name="planted", **(WAITS | words)), images, FitInput(images, Identity()), ends=True)
    for n, value in enumerate(curve, 1):
        watch.observe(observation(torch.full((1, 1, 2, 2), float(n)), n, value))
    return watch


def stop_of(watch: RuleMonitor) -> tuple[int | None, bool]:
    (stop,), joint = watch.stops()
    assert stop == joint
    return stop.iteration, stop.final


def test_a_planted_minimum_is_found_and_its_image_is_kept() -> None:
    watch = watched([9, 8, 7, 3, 4, 5, 6, 7, 8, 9])
    assert stop_of(watch) == (4, True)
    assert watch.over
    assert watch.output.unique().item() == watch.average.unique().item() == watch.mean.unique().item() == 4


def test_a_false_early_minimum_is_passed_over_by_patience_or_by_warm_up() -> None:
    early = [9, 4, 5, 6, 5, 4.5, 3, 2, 2.5, 3, 3, 3, 3]
    assert stop_of(watched(early)) == (8, True)
    assert stop_of(watched(early, patience=3)) == (2, True)
    assert stop_of(watched(early, patience=3, warm_up=3)) == (8, True)
    assert stop_of(watched([2, 5, 4.9, 4.8, 4.7, 5, 5, 5, 5, 5], warm_up=1)) == (5, True)


def test_the_first_minimum_that_was_believed_stays() -> None:
    watch = watched([9, 4, 5, 6, 7, 8, 9, 1, 1, 1])
    assert stop_of(watch) == (2, True)
    assert watch.output.unique().item() == 2


def test_a_minimum_that_is_hardly_lower_does_not_count() -> None:
    creeping = [10 - 0.01 * n for n in range(30)]
    assert stop_of(watched(creeping)) == (30, False)
    assert stop_of(watched(creeping, accept=0.98)) == (1, True)


def test_what_a_watch_remembers_can_be_taken_back() -> None:
    straight, rewound = watched([9, 8, 7]), watched([9, 8, 7])
    kept = {name: value.clone() for name, value in rewound.small_state().items()}
    rewound.observe(observation(torch.full((1, 1, 2, 2), 4.0), 4, 0.1))
    rewound.restore(kept)
    for watch in (straight, rewound):
        watch.observe(observation(torch.full((1, 1, 2, 2), 4.0), 4, 5.0))
    for name, value in straight.small_state().items():
        assert torch.equal(value, rewound.small_state()[name])


def test_a_window_survives_that_its_newest_outputs_are_taken_back() -> None:
    rule = WindowedVariance(name="windowed_variance", window=10, **WAITS)
    outputs = torch.rand(200, 1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    straight, rewound = (
        RuleMonitor(rule, outputs[0], FitInput(outputs[0], Identity()), ends=False) for _ in range(2)
    )  # fmt: skip
    for n in range(1, 121):
        straight.observe(observation(outputs[n], n))
        rewound.observe(observation(outputs[n], n))
        if n == 70:
            kept = {name: value.clone() for name, value in rewound.small_state().items()}
            for wrong in range(71, 71 + REWOUND):
                rewound.observe(observation(torch.rand(1, 1, 4, 4), wrong))
            rewound.restore(kept)
    assert torch.equal(straight.state["squares"], rewound.state["squares"])
    assert straight.stops() == rewound.stops()


def test_a_rule_has_no_way_to_see_the_clean_image() -> None:
    names = {field.name for field in dataclasses.fields(Observation)}
    assert names == {"iteration", "output", "average", "operator", "energy", "divergence"}
    assert {field.name for field in dataclasses.fields(FitInput)} == {
        "measurement", "operator", "held_out", "facts", "growth",
    }  # fmt: skip


@pytest.mark.parametrize("fraction", [0.3, 0.6])
def test_the_residual_that_is_compared_with_the_noise_is_that_of_the_pixels_that_are_fitted(
    fraction: float, dip: Dip, tmp_path: Path
) -> None:
    rules = ["observe=[discrepancy,held_out_pixels]", "observe.discrepancy.sigma=25"]
    words = ["replicas=2", "observe.held_out_pixels.patience=10", f"observe.held_out_pixels.fraction={fraction}"]
    run = fresh(tmp_path, dip, "task=denoising", "task.noise.clip=false", *rules, *words)
    hiding = HeldOutPixels(name="held_out_pixels", fraction=fraction, patience=10, warm_up=0, accept=1)
    hidden = hiding.hold_out(FitInput(torch.zeros(2, 3, 32, 32), Identity()), [0, 1]).held_out["hidden"]
    for replica, curve in enumerate(run.curves):
        everywhere = 10 ** (-curve["psnr_measurement"] / 10)
        fitted = 1 - float(hidden[replica].double().mean())
        np.testing.assert_allclose(curve["discrepancy"] + (25 / 255) ** 2, everywhere / fitted, rtol=1e-5)


RULES: list[StoppingRule] = [
    Fixed(name="fixed", iteration=2),
    split("gaussian"),
    WindowedVariance(name="windowed_variance", window=3, **WAITS),
    MovingVariance(name="moving_variance", alpha=0.1, **WAITS),
    HeldOutPixels(name="held_out_pixels", fraction=0.1, **WAITS),
    Discrepancy(name="discrepancy", sigma=SIGMA, tau=1.0),
    Sure(name="sure", sigma=SIGMA, **WAITS),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_look_is_always_the_same_operations_so_that_a_recorded_one_can_be_replayed(rule: StoppingRule) -> None:
    images = torch.rand(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    watch = RuleMonitor(rule, images.float(), rule.hold_out(FitInput(images, Identity()), [0, 1]), ends=True)
    seen = []
    for n in range(1, 7):
        shown = dataclasses.replace(observation(images.float(), n), divergence=torch.ones(2))
        with Operations() as operations:
            watch.observe(shown)
        seen.append(operations.seen)
    assert all(look == seen[0] for look in seen)
    assert not [name for name, _ in seen[0] if any(word in name for word in TO_THE_HOST)]
