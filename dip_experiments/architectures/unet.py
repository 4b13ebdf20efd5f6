"""The U-Net that the paper compares in its Fig. 8."""

import torch.nn.functional as F
from torch import Tensor, nn

from dip_experiments.architectures.layers import Output, Padding, concatenated, convolution
from dip_experiments.architectures.network import Network, padded


class Pair(nn.Module):
    """Two 3x3 convolutions with ReLU, on the way down each with instance normalisation without parameters."""

    def __init__(self, inputs: int, outputs: int, *, normalised: bool, padding: Padding, replicas: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, 3, replicas=replicas, padding=padding)
        self.second = convolution(outputs, outputs, 3, replicas=replicas, padding=padding)
        self.norm = nn.InstanceNorm2d(outputs * replicas) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.first, self.second):
            x = F.relu(self.norm(conv(x)))
        return x


class Up(nn.Module):
    """Transposed 4x4 convolution to twice the size, joined with the encoder's map, then a pair of convolutions."""

    def __init__(self, inputs: int, outputs: int, *, padding: Padding, replicas: int) -> None:
        super().__init__()
        self.replicas = replicas
        self.deconv = nn.ConvTranspose2d(inputs * replicas, outputs * replicas, 4, 2, padding=1, groups=replicas)
        self.pair = Pair(2 * outputs, outputs, normalised=False, padding=padding, replicas=replicas)

    def forward(self, deeper: Tensor, skip: Tensor) -> Tensor:
        return self.pair(concatenated(self.deconv(deeper), skip, self.replicas))


class UNet(Network):
    """U-Net as in the authors' library inpainting (Fig. 8): InstanceNorm, ReLU, max pooling, 4x4 deconvolutions.

    `widths`: channels from full resolution down; one halving between neighbours.
    """

    names = ("unet",)
    per_scale = ("widths",)

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        size: tuple[int, int],
        widths: list[int],
        padding: Padding = "zero",
        replicas: int = 1,
    ) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"architecture.widths={widths}: give two or more positive widths, fine to coarse")
        computed, margins = padded(size, len(widths) - 1, smallest=2)
        super().__init__((input_channels, *computed), replicas, margins)
        steps = list(zip([input_channels, *widths], widths, strict=False))
        self.downs = nn.ModuleList(Pair(i, o, normalised=True, padding=padding, replicas=replicas) for i, o in steps)
        ups = list(zip(widths[1:], widths, strict=False))
        self.ups = nn.ModuleList(Up(i, o, padding=padding, replicas=replicas) for i, o in reversed(ups))
        self.output = Output(widths[0], output_channels, 1, replicas=replicas, padding=padding)

    def forward_replicas(self, z: Tensor) -> Tensor:
        maps = [self.downs[0](z)]
        for pair in self.downs[1:]:
            maps.append(pair(F.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for up in self.ups:
            x = up(x, maps.pop())
        return self.output(x)
