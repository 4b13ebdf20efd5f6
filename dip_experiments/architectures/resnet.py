"""The residual network at full resolution that the paper compares in its Fig. 8."""

import torch.nn.functional as F
from torch import Tensor, nn

from dip_experiments.architectures.layers import NEGATIVE_SLOPE, Output, Padding, convolution, norm
from dip_experiments.architectures.network import Network, padded


class Residual(nn.Module):
    """x + norm(conv(act(norm(conv(x))))), without biases."""

    def __init__(self, width: int, *, padding: Padding, replicas: int) -> None:
        super().__init__()
        self.first = convolution(width, width, 3, replicas=replicas, padding=padding, bias=False)
        self.first_norm = norm(width, replicas)
        self.second = convolution(width, width, 3, replicas=replicas, padding=padding, bias=False)
        self.second_norm = norm(width, replicas)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.first_norm(self.first(x)), NEGATIVE_SLOPE)
        return x + self.second_norm(self.second(inner))


class ResNet(Network):
    """Residual blocks of constant width at full resolution (Fig. 8). `widths`: the width of each block, all equal.

    `padding` is that of the first and last convolution; inside, the authors' code pads with zeros.
    """

    names = ("resnet",)

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        size: tuple[int, int],
        widths: list[int],
        padding: Padding = "reflection",
        replicas: int = 1,
    ) -> None:
        if len(set(widths)) != 1 or widths[0] < 1:
            raise ValueError(f"architecture.widths={widths}: residual blocks add up, so give equal positive widths")
        computed, margins = padded(size, 0, smallest=2)
        super().__init__((input_channels, *computed), replicas, margins)
        width = widths[0]
        self.first = convolution(input_channels, width, 3, replicas=replicas, padding=padding)
        self.blocks = nn.Sequential(*(Residual(width, padding="zero", replicas=replicas) for _ in widths))
        self.last = convolution(width, width, 3, replicas=replicas, padding="zero")
        self.last_norm = norm(width, replicas)
        self.output = Output(width, output_channels, 3, replicas=replicas, padding=padding)

    def forward_replicas(self, z: Tensor) -> Tensor:
        x = self.blocks(F.leaky_relu(self.first(z), NEGATIVE_SLOPE))
        return self.output(self.last_norm(self.last(x)))
