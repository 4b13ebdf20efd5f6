"""Moments of samples are those of all samples at once, and the right spread covers what a Gaussian's does."""

import math

import numpy as np
import pytest
import torch

from dip_experiments.theory.posterior import (
    ONE_SIGMA,
    Moments,
    calibrating_factor,
    coverage,
    initial_moments,
    pooled_spread,
    spread,
    update,
)

SHAPE = (2, 3, 8, 8)
TRUE, FALSE = torch.tensor(True), torch.tensor(False)


def drawn(count: int, seed: int = 0) -> torch.Tensor:
    """Samples far from zero, each value with a mean and a spread of its own."""
    draw = torch.Generator().manual_seed(seed)
    mean, width = (torch.rand(SHAPE, generator=draw, dtype=torch.float64) for _ in range(2))
    return 100 + mean + 0.1 * width * torch.randn((count, *SHAPE), generator=draw, dtype=torch.float64)


def moments_of(samples: torch.Tensor) -> Moments:
    state = initial_moments(samples[0])
    for sample in samples:
        update(state, sample, TRUE)
    return state


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_running_moments_are_those_of_all_samples_at_once(count: int) -> None:
    samples = drawn(count)
    state = moments_of(samples)
    assert state["count"].item() == count
    np.testing.assert_allclose(state["mean"], samples.numpy().mean(0), rtol=1e-12)
    wanted = samples.numpy().std(0, ddof=1) if count > 1 else np.zeros(SHAPE)
    np.testing.assert_allclose(spread(state), wanted, rtol=1e-9)


def test_samples_in_float32_lose_nothing_in_the_sums() -> None:
    samples = drawn(200).float()
    np.testing.assert_allclose(spread(moments_of(samples)), samples.double().numpy().std(0, ddof=1), rtol=1e-9)


def test_what_is_not_taken_changes_no_bit_not_even_where_it_is_nan() -> None:
    samples, state = drawn(10), initial_moments(drawn(1)[0])
    tensors = {name: value.data_ptr() for name, value in state.items()}
    assert not spread(state).any()
    for sample in samples:
        update(state, torch.full_like(sample, torch.nan), FALSE)
        update(state, sample, TRUE)
    for name, value in moments_of(samples).items():
        assert torch.equal(state[name], value)
    assert tensors == {name: value.data_ptr() for name, value in state.items()}  # in place: they can be recorded


@pytest.mark.parametrize(("replicas", "count"), [(1, 20), (4, 1), (4, 20)])
def test_the_pooled_spread_is_that_of_all_samples(replicas: int, count: int) -> None:
    chains = torch.stack([drawn(count, seed) for seed in range(replicas)])
    states = [moments_of(samples) for samples in chains]
    means, spreads = torch.stack([state["mean"] for state in states]), torch.stack([spread(state) for state in states])
    wanted = chains.flatten(0, 1).numpy().std(0, ddof=1)
    for n in (count, states[0]["count"]):
        np.testing.assert_allclose(pooled_spread(means, spreads, n), wanted, rtol=1e-9)


def gaussian(factor: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean, spread and reference of 90,000 values, whose errors are `factor` times the spread, which varies."""
    draw = torch.Generator().manual_seed(seed)
    mean, width = (torch.rand((1, 100, 300, 3), generator=draw, dtype=torch.float64) for _ in range(2))
    width = 0.01 + 0.1 * width
    error = torch.randn(mean.shape, generator=draw, dtype=torch.float64) * width * factor
    return mean, width, mean - error


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_coverage_is_that_of_a_gaussian_within_four_standard_errors(factor: float) -> None:
    found = coverage(*gaussian(factor))
    assert set(found) == {1.0, 2.0, 3.0}
    for k, share in found.items():
        wanted = math.erf(k / factor / math.sqrt(2))
        assert abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / 90000), k


def test_coverage_counts_the_values_at_its_border() -> None:
    zeros, ones = torch.zeros(4), torch.ones(4)
    assert coverage(zeros, ones, torch.tensor([1.0, -2.0, 2.5, 0.0]), (1, 2)) == {1.0: 0.5, 2.0: 0.75}


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_calibrating_factor_covers_what_one_spread_should(factor: float) -> None:
    mean, width, reference = gaussian(factor)
    found = calibrating_factor(mean, width, reference)
    density = math.exp(-0.5) / math.sqrt(2 * math.pi) * 2  # of |N(0, 1)| at 1
    error = math.sqrt(ONE_SIGMA * (1 - ONE_SIGMA) / mean.numel()) / density
    assert abs(found / factor - 1) < 4 * error
    for scaled, covers in ((found * (1 + 1e-9), True), (found * (1 - 1e-9), False)):
        assert (coverage(mean, width * scaled, reference, (1,))[1] >= ONE_SIGMA) == covers


def test_a_value_without_spread_is_covered_only_without_an_error() -> None:
    assert calibrating_factor(torch.zeros(4), torch.zeros(4), torch.zeros(4)) == 0
    assert calibrating_factor(torch.zeros(4), torch.zeros(4), torch.ones(4)) == math.inf
