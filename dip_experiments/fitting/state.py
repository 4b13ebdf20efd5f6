"""The state of a fit: nested dictionaries and lists of tensors and numbers, copied, and put back in place."""

from typing import Any

import torch
from torch import Tensor

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
