"""The hourglass as it is run: the plain network's parameters and numbers, evaluated in fewer operations."""

import copy

from torch import Tensor

from dip_experiments.architectures.polyphase import fast_forward_replicas
from dip_experiments.architectures.skip import Skip


class FastSkip(Skip):
    """`Skip`, which is its definition and the oracle of its test, by the algebra of `polyphase`; equal to rounding.

    With other norms, activations and upsamplings than the paper's, to which that does not apply, as it is defined.
    """

    def forward_replicas(self, z: Tensor) -> Tensor:
        return fast_forward_replicas(self, z) if self.as_in_the_paper else super().forward_replicas(z)

    def plain(self) -> Skip:
        """Return the definition with these very weights."""
        return _as_defined(self)


def _as_defined(fast: FastSkip) -> Skip:
    plain = copy.copy(fast)
    plain.__class__ = Skip  # type: ignore[assignment]  # the two differ in how they are evaluated alone
    return plain
