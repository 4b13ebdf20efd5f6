"""What every operator must do, checked once for all of them."""

import torch

from dip_experiments.operators import Operator


def check_operator(operator: Operator, shape: tuple[int, ...]) -> None:
    """Linear, deterministic, adjoint to 1e-12 of the norms in float64, without parameters, strict about rank."""
    draw = torch.Generator().manual_seed(0)
    x, other = (torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(2))
    y = torch.randn(operator(x).shape, generator=draw, dtype=torch.float64)
    assert not list(operator.parameters())
    assert torch.equal(operator(x), operator(x))
    torch.testing.assert_close(operator(2 * x - other), 2 * operator(x) - operator(other))
    defect = (operator(x) * y).sum() - (x * operator.adjoint(y)).sum()
    assert abs(defect) / (x.norm() * y.norm()) < 1e-12
