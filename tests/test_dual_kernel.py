"""The kernel of the one-layer generator: closed form, published eigenvalues, limit of width."""

import numpy as np
import pytest
import torch

from dip_experiments.theory.dual_kernel import (
    FILTERS,
    circulant,
    closed_form_eigenvalues,
    dual_kernel,
    no_filter,
    one_layer_kernel,
    triangle,
)

PLACES = 300


@pytest.mark.parametrize(("half_width", "least", "largest"), [(1, 1 / 6, 1 / 6), (10, 0.0049, 1.96), (30, 0.0016, 5.9)])
def test_eigenvalues_of_triangles_are_the_reference_ones(half_width: int, least: float, largest: float) -> None:
    """Those of Fig. 6 of Heckel & Soltanolkotabi (ICLR 2020), which have a factor 1/6 where ours have HALF."""
    values = closed_form_eigenvalues(triangle(half_width, PLACES), PLACES) / 3
    assert values.min() == pytest.approx(least, rel=0.03)
    assert values.max() == pytest.approx(largest, rel=0.005)


@pytest.mark.parametrize("half_width", [1, 4, 15])
@pytest.mark.parametrize("name", FILTERS)
def test_the_closed_form_has_the_eigenvalues_of_the_matrix(name: str, half_width: int) -> None:
    kernel = FILTERS[name](half_width, 60)
    matrix = dual_kernel(circulant(kernel, 60))
    values = closed_form_eigenvalues(kernel, 60)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(matrix), atol=1e-7)
    angles = 2 * np.pi * np.arange(60) / 60
    for periods in (0, 1, 7):
        wave = np.cos(periods * angles)
        np.testing.assert_allclose(matrix @ wave, values[periods] * wave, atol=1e-7)
    assert np.diag(matrix) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["nearest", "triangle", "gaussian"])
def test_a_wider_filter_prefers_low_frequencies_more(name: str) -> None:
    spreads = []
    for half_width in (2, 10, 30):
        values = closed_form_eigenvalues(FILTERS[name](half_width, PLACES), PLACES)
        assert values.argmax() == 0
        spreads.append(values.max() / values.min())
    assert spreads == sorted(spreads)
    assert spreads[0] > 2


def test_without_a_filter_no_frequency_is_preferred() -> None:
    assert closed_form_eigenvalues(no_filter(5, PLACES), PLACES) == pytest.approx(0.5)
    np.testing.assert_array_equal(no_filter(5, PLACES), triangle(1, PLACES))


def test_rows_are_moved_copies_of_norm_one() -> None:
    u = circulant(np.array([3.0, 4.0]), 5)
    np.testing.assert_allclose(u[3], [0, 0, 0, 0.6, 0.8])
    np.testing.assert_allclose(u[4], [0.8, 0, 0, 0, 0.6])
    with pytest.raises(ValueError, match="at most 4"):
        circulant(np.ones(5), 4)


def test_the_kernel_of_finite_width_is_that_of_the_generator() -> None:
    width, u = 7, circulant(triangle(4, 12), 12)
    weights = np.random.default_rng(3).standard_normal((12, width))
    signs = torch.tensor([1.0, -1, 1, 1, -1, -1, 1], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda c: torch.relu(torch.from_numpy(u) @ c) @ signs / width**0.5, torch.from_numpy(weights)
    ).flatten(1)
    np.testing.assert_allclose(one_layer_kernel(u, width, seed=3), (jacobian @ jacobian.T).numpy(), atol=1e-12)


def test_it_tends_to_the_closed_form_as_one_over_the_root_of_the_width() -> None:
    u = circulant(triangle(6, 50), 50)
    limit = dual_kernel(u)
    errors = [
        np.mean([np.linalg.norm(one_layer_kernel(u, width, seed) - limit) for seed in range(8)])
        for width in (100, 1600, 25600)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.25)
    assert errors[2] < 0.02 * np.linalg.norm(limit)
