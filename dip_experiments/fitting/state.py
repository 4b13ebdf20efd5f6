"""The state of a fit: nested dictionaries and lists of tensors and numbers, copied, and put back in place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

State = dict[str, Any]


def moments(optimizer: torch.optim.Optimizer, good: State) -> list[tuple[Tensor, Tensor]]:
    """Return (live, good) of every tensor that the optimizer holds for a parameter; zero where it held none yet."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    pairs = []
    for index, parameter in enumerate(parameters):
        held = good["state"].get(index, {})
        for name, live in optimizer.state[parameter].items():
            if isinstance(live, Tensor):
                pairs.append((live, held.get(name, torch.zeros_like(live))))
    return pairs


def copied(value: Any) -> Any:
    """Return the same nested value with every tensor cloned."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


@contextmanager
def buffers_restored(network: nn.Module) -> Iterator[None]:
    """Undo what an evaluation besides the iterations changes: running statistics, and states of generators."""
    before = [(buffer, buffer.clone()) for buffer in network.buffers()]
    yield
    for buffer, value in before:
        buffer.copy_(value)
