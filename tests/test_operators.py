import pytest
import torch
from contracts import check_operator

from dip_experiments.operators import Identity, check_rank


def test_identity_is_its_own_adjoint() -> None:
    check_operator(Identity(), (2, 3, 5, 4))


def test_an_operator_refuses_a_tensor_without_the_replica_axis() -> None:
    with pytest.raises(ValueError, match="replica, channel, row and column"):
        check_rank(torch.zeros(3, 4, 4))
