"""Degrees of freedom by covariance: exact for linear models, with a standard error that covers."""

import pytest
import torch
from scipy import stats

from dip_experiments.theory.degrees_of_freedom import degrees_of_freedom, pseudo_values

SIDE = 12
N = SIDE * SIDE
DRAWS = 400


def random_model(seed: int) -> torch.Tensor:
    """A linear model S of images, not symmetric."""
    drawn = torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 0.5 * torch.eye(N, dtype=torch.float64) + 0.3 * drawn / N**0.5


def blur() -> torch.Tensor:
    """The model S of a smoother, symmetric: neighbouring values of f share their noise."""
    places = torch.arange(SIDE, dtype=torch.float64)
    line = torch.exp(-((places[:, None] - places) ** 2) / 4)
    line = line / line.sum(1).max()
    return torch.kron(line, line)


def applied(model: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    return (images.flatten(1) @ model.T).reshape(images.shape)


def test_those_of_a_linear_model_are_exactly_its_trace_where_noise_spans_the_space() -> None:
    model = random_model(0)
    basis = torch.eye(N, dtype=torch.float64).reshape(N, 1, SIDE, SIDE)
    measurements = torch.cat([basis, -basis])  # mean 0, and sum y y' is the identity
    found = degrees_of_freedom(applied(model, measurements), measurements)
    assert found == pytest.approx(model.trace().item() / N, abs=1e-12)


def test_fits_of_a_multiple_give_that_multiple_whatever_the_noise() -> None:
    measurements = torch.rand(3, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert degrees_of_freedom(0.37 * measurements + 5, measurements) == pytest.approx(0.37, abs=1e-12)
    assert pseudo_values(0.37 * measurements + 5, measurements).tolist() == pytest.approx([0.37] * 3, abs=1e-12)


@pytest.mark.parametrize("fits", [3, 4, 8])
@pytest.mark.parametrize("model", [random_model(1), blur()], ids=["random", "blur"])
def test_the_standard_error_of_pseudo_values_covers_the_trace(model: torch.Tensor, fits: int) -> None:
    clean, draws = torch.rand(1, 1, SIDE, SIDE, dtype=torch.float64), torch.Generator().manual_seed(5)
    scores = []
    for _ in range(DRAWS):
        measurements = clean + 0.1 * torch.randn(fits, 1, SIDE, SIDE, dtype=torch.float64, generator=draws)
        found = pseudo_values(applied(model, measurements), measurements)
        scores.append(((found.mean() - model.trace() / N) / (found.std() / fits**0.5)).item())
    away = torch.tensor(scores).abs()
    expected = 2 * stats.t.cdf(1, fits - 1) - 1
    within = (away < 1).double().mean()
    assert expected - 0.10 < within < expected + 0.17  # 4 deviations of 400 draws; a jackknife is wide (Efron & Stein)
    assert (away < stats.t.ppf(0.975, fits - 1)).double().mean() > 0.90
    assert abs(torch.tensor(scores).median()) < 0.25


def test_the_mean_of_pseudo_values_is_nearly_the_estimate_of_all() -> None:
    draws = torch.Generator().manual_seed(2)
    measurements = torch.randn(6, 1, SIDE, SIDE, dtype=torch.float64, generator=draws)
    outputs = applied(blur(), measurements)
    together = degrees_of_freedom(outputs, measurements)
    assert pseudo_values(outputs, measurements).mean() == pytest.approx(together.item(), rel=0.02)


def test_a_fit_that_failed_leaves_those_of_the_others() -> None:
    draws = torch.Generator().manual_seed(4)
    measurements = torch.randn(5, 1, SIDE, SIDE, dtype=torch.float64, generator=draws)
    outputs = applied(blur(), measurements)
    others = [0, 1, 3, 4]
    expected = pseudo_values(outputs[others], measurements[others])
    outputs[2] = torch.nan
    found = pseudo_values(outputs, measurements)
    assert found[2].isnan()
    torch.testing.assert_close(found[others], expected)


def test_a_fit_that_ignores_the_noise_has_none_and_one_that_copies_it_has_all() -> None:
    clean = torch.rand(1, 1, SIDE, SIDE, dtype=torch.float64)
    measurements = clean + torch.randn(3, 1, SIDE, SIDE, dtype=torch.float64)
    assert degrees_of_freedom(clean.expand(3, -1, -1, -1), measurements) == pytest.approx(0, abs=1e-12)
    assert degrees_of_freedom(measurements, measurements) == pytest.approx(1)
