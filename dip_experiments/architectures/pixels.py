"""The control without any prior: the image itself is the parameter."""

import torch
from torch import Tensor, nn

from dip_experiments.architectures.network import Network


class Pixels(Network):
    """x_hat = theta. The latent is ignored; theta starts at U(0, 0.1), as the latent (PAPER detail 1).

    Values are not squashed: a sigmoid would be a prior of its own. They reach [0, 1] because the target's do.
    """

    names = ("pixels",)

    def __init__(self, input_channels: int, output_channels: int, size: tuple[int, int], replicas: int = 1) -> None:
        super().__init__((input_channels, *size), replicas)
        self.image = nn.Parameter(torch.rand(replicas, output_channels, *size) * 0.1)

    def forward_replicas(self, z: Tensor) -> Tensor:
        return self.image.flatten(0, 1).unsqueeze(0)
