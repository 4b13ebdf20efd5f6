from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from contracts import check_operator
from torch import Tensor

from dip_experiments.operators import Downsampler, Identity, Mask, check_rank

KERNELS = [(factor, lobes) for factor in (2, 4, 8) for lobes in (2, 3)]
DRAWS = torch.Generator().manual_seed(1)
KNOWN = torch.rand(2, 3, 5, 4, generator=DRAWS) < 0.5


def dense(linear: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Tensor:
    """The matrix of a linear map, one column for each basis vector."""
    basis = torch.eye(int(np.prod(shape)), dtype=torch.float64)
    return torch.stack([linear(vector.view(shape)).flatten() for vector in basis], dim=1)


def lanczos_rows(size: int, factor: int, lobes: int) -> Tensor:
    """One axis of the downsampling written out: taps half a pixel off the grid, those beyond a border fall on it."""
    matrix = torch.zeros(size // factor, size, dtype=torch.float64)
    for row in range(size // factor):
        centre = (row + 0.5) * factor - 0.5
        for pixel in range(-lobes * factor, size + lobes * factor):
            distance = abs(pixel - centre) / factor
            if distance < lobes:
                matrix[row, min(max(pixel, 0), size - 1)] += np.sinc(distance) * np.sinc(distance / lobes)
    return matrix / matrix.sum(1, keepdim=True)


def test_identity_is_its_own_adjoint() -> None:
    check_operator(Identity(), (2, 3, 5, 4))


def test_an_operator_refuses_a_tensor_without_the_replica_axis() -> None:
    with pytest.raises(ValueError, match="replica, channel, row and column"):
        check_rank(torch.zeros(3, 4, 4))


def test_a_mask_keeps_the_known_values_and_is_its_own_adjoint() -> None:
    check_operator(Mask(KNOWN), (2, 3, 5, 4))
    ones = torch.ones(2, 3, 5, 4)
    assert torch.equal(Mask(KNOWN)(ones), KNOWN.float())
    assert torch.equal(Mask(KNOWN).adjoint(ones), KNOWN.float())


@pytest.mark.parametrize("shape", [(1, 3, 5, 4), (2, 1, 5, 4), (2, 3, 4, 5)])
def test_a_mask_refuses_an_image_of_another_shape_that_would_broadcast(shape: tuple[int, ...]) -> None:
    for door in (Mask(KNOWN).forward, Mask(KNOWN).adjoint):
        with pytest.raises(ValueError, match="once for each replica"):
            door(torch.zeros(shape))


@pytest.mark.parametrize("value", [True, False])
def test_a_mask_that_hides_everything_or_nothing_in_one_replica_is_refused(value: bool) -> None:
    known = KNOWN.clone()
    known[1] = value
    with pytest.raises(ValueError, match="everything or nothing"):
        Mask(known)


@pytest.mark.parametrize(("factor", "lobes"), KERNELS)
def test_downsampling_is_that_of_the_authors(factor: int, lobes: int, shared: Path) -> None:
    arrays = np.load(shared / "golden" / "downsampler.npz")
    operator = Downsampler(factor, lobes)
    assert np.abs(operator.kernel.numpy() - arrays[f"lanczos{lobes}_x{factor}_kernel"]).max() < 1e-5
    ours = operator(torch.from_numpy(arrays["x"]))
    assert np.abs(ours.numpy() - arrays[f"lanczos{lobes}_x{factor}"]).max() < 1e-5


@pytest.mark.parametrize(("factor", "lobes"), [*KERNELS, (3, 2), (3, 3)])
def test_downsampling_keeps_the_contract_of_operators(factor: int, lobes: int) -> None:
    check_operator(Downsampler(factor, lobes), (2, 3, 3 * factor, 2 * factor))


@pytest.mark.parametrize(("factor", "lobes"), [(2, 2), (2, 3), (3, 2), (3, 3), (4, 2)])
def test_downsampling_and_its_adjoint_are_the_matrix_of_the_lanczos_formula(factor: int, lobes: int) -> None:
    height, width = 3 * factor, 2 * factor
    matrix = torch.kron(lanczos_rows(height, factor, lobes), lanczos_rows(width, factor, lobes))
    operator = Downsampler(factor, lobes)
    torch.testing.assert_close(dense(operator, (1, 1, height, width)), matrix, rtol=0, atol=1e-12)
    torch.testing.assert_close(dense(operator.adjoint, (1, 1, 3, 2)), matrix.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("factor", "lobes"), [*KERNELS, (3, 2), (3, 3)])
def test_downsampling_keeps_a_constant(factor: int, lobes: int) -> None:
    constant = torch.full((1, 1, 2 * factor, 2 * factor), 0.3, dtype=torch.float64)
    torch.testing.assert_close(
        Downsampler(factor, lobes)(constant), torch.full((1, 1, 2, 2), 0.3).double(), rtol=1e-7, atol=0
    )


def test_downsampling_works_in_the_precision_that_the_task_is_moved_to() -> None:
    x = torch.rand(1, 3, 16, 8, generator=DRAWS, dtype=torch.float64)
    operator = Downsampler(4, 2)
    expected = operator(x)
    single = operator.to(torch.float32)(x.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("factor", "lobes"), [(5, 2), (1, 2), (4, 1), (4, 4)])
def test_unknown_kernels_are_refused(factor: int, lobes: int) -> None:
    with pytest.raises(ValueError, match="factors are"):
        Downsampler(factor, lobes)


@pytest.mark.parametrize("size", [(30, 32), (32, 30)])
def test_downsampling_refuses_a_size_that_the_factor_does_not_divide(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="crop both to multiples of 4"):
        Downsampler(4, 2)(torch.zeros(1, 3, *size))
