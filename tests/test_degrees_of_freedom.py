"""Degrees of freedom by covariance: exact for linear models, with a standard error that covers."""

import pytest
import torch

from dip_experiments.theory.degrees_of_freedom import degrees_of_freedom

SIDE = 12
N = SIDE * SIDE


def smoother(seed: int) -> torch.Tensor:
    """A linear model S of images, not symmetric."""
    drawn = torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 0.5 * torch.eye(N, dtype=torch.float64) + 0.3 * drawn / N**0.5


def applied(model: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    return (images.flatten(1) @ model.T).reshape(images.shape)


def test_those_of_a_linear_model_are_exactly_its_trace_where_noise_spans_the_space() -> None:
    model = smoother(0)
    basis = torch.eye(N, dtype=torch.float64).reshape(N, 1, SIDE, SIDE)
    measurements = torch.cat([basis, -basis])  # mean 0, and sum y y' is the identity
    found, _ = degrees_of_freedom(applied(model, measurements), measurements)
    assert found == pytest.approx(model.trace().item() / N, abs=1e-12)


def test_two_fits_of_a_multiple_give_that_multiple_whatever_the_noise() -> None:
    measurements = torch.rand(2, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found, error = degrees_of_freedom(0.37 * measurements + 5, measurements)
    assert found == pytest.approx(0.37, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)


def test_the_standard_error_covers_the_trace() -> None:
    model, clean = smoother(1), torch.rand(1, 1, SIDE, SIDE, dtype=torch.float64)
    draws = torch.Generator().manual_seed(5)
    away = []
    for _ in range(300):
        measurements = clean + 0.1 * torch.randn(3, 1, SIDE, SIDE, dtype=torch.float64, generator=draws)
        found, error = degrees_of_freedom(applied(model, measurements), measurements)
        away.append(((found - model.trace() / N) / error).item())
    scores = torch.tensor(away)
    assert abs(scores.mean()) < 4 / 300**0.5
    assert 0.59 < (scores.abs() < 1).double().mean() < 0.78  # 68 %, and 4 deviations of 300 draws less
    assert (scores.abs() < 2).double().mean() > 0.90


def test_a_fit_that_ignores_the_noise_has_none_and_one_that_copies_it_has_all() -> None:
    clean = torch.rand(1, 1, SIDE, SIDE, dtype=torch.float64)
    measurements = clean + torch.randn(2, 1, SIDE, SIDE, dtype=torch.float64)
    assert degrees_of_freedom(clean.expand(2, -1, -1, -1), measurements)[0] == 0
    assert degrees_of_freedom(measurements, measurements)[0] == pytest.approx(1)
