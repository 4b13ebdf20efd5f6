"""Outputs of the authors' networks: how their files fill and build ours."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from dip_experiments.architectures import FastSkip, Network, Skip

WORDS = {"avg": "average", "max": "maximum", "reflect": "reflection", "zeros": "zero"}
"""Words of the authors' code for ours."""


def build_skip(network: type[Skip] = FastSkip, **settings: Any) -> Network:
    """A skip network from plain lists, evaluated fast, or plain with `network=Skip`.

    Settings: input_channels, output_channels, down, up, skip, kernel_down, kernel_up, upsample, downsample, up_1x1,
    padding. Its size law is left to the input that it is given.
    """
    words = {name: _ours(value) for name, value in settings.items()}
    side = 8 * 2 ** len(settings["down"])
    return network(size=(side, side), **words)


def _ours(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_ours(item) for item in value]
    return WORDS.get(value, value) if isinstance(value, str) else value


def load_by_role(network: Network, arrays: Mapping[str, np.ndarray]) -> dict[str, nn.Parameter]:
    """Fills every parameter of `network` from the array of its role (`scale0.skip.conv.weight`, ...).

    Returns role -> parameter. Raises ValueError if a parameter has no array, an array of a convolution or norm has no
    parameter, or the shapes differ. A file that came from one of the authors' networks fits a single replica.
    """
    parameters = dict(network.named_parameters())
    roles = {role for role in arrays if ".conv." in role or ".norm." in role}
    roles = {role for role in roles if not role.startswith("grad_norm/")}
    if roles != set(parameters):
        raise ValueError(f"the file and the network differ in roles: {sorted(roles ^ set(parameters))}")
    with torch.no_grad():
        for role, parameter in parameters.items():
            array = torch.from_numpy(np.asarray(arrays[role])).to(parameter)
            if array.shape != parameter.shape:
                raise ValueError(f"{role}: file {tuple(array.shape)}, network {tuple(parameter.shape)}")
            parameter.copy_(array)
    return parameters
