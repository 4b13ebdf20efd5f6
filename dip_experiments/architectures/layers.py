"""Layers of the paper's networks, replicas side by side: tensors are "1 (r c) h w", channels counted per replica."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dip_experiments.architectures.lowpass import LOWPASS, LowPass
from dip_experiments.tensors import decimate, lanczos_kernel

Padding = Literal["reflection", "zero"]
Downsample = Literal["stride", "average", "maximum", "lanczos2", "lanczos3"]
Upsample = Literal["bilinear", "bilinear_aligned", "nearest", "learnt", "lowpass20", "lowpass60", "lowpass100"]
Gamma = Literal["ones", "uniform"]
Norm = Literal["batch", "none", "instance", "group"]
Activation = Literal["leaky_relu", "relu", "gelu"]

PADDING_MODES: dict[Padding, Literal["reflect", "zeros"]] = {"reflection": "reflect", "zero": "zeros"}
NEGATIVE_SLOPE = 0.2
GROUPS = 4
"""Of channels that group normalisation takes together, or fewer where they do not divide into so many (ours)."""
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "leaky_relu": lambda x: F.leaky_relu(x, NEGATIVE_SLOPE),
    "relu": F.relu,
    "gelu": F.gelu,
}


@dataclass(frozen=True)
class Kind:
    """Settings that all layers of a network share."""

    replicas: int
    padding: Padding
    norm: Norm = "batch"
    activation: Activation = "leaky_relu"


def convolution(
    inputs: int, outputs: int, kernel: int, *, replicas: int, stride: int = 1, padding: Padding, bias: bool = True
) -> nn.Conv2d:
    """Return a same-size convolution (odd `kernel`), one group per replica."""
    return nn.Conv2d(
        inputs * replicas,
        outputs * replicas,
        kernel,
        stride,
        padding=kernel // 2,
        padding_mode=PADDING_MODES[padding],
        groups=replicas,
        bias=bias,
    )


def norm(channels: int, replicas: int, name: Norm = "batch") -> nn.Module:
    """Return a norm of maps by the statistics of the image at hand alone (PAPER, common settings).

    `batch`: each channel its own, with a scale and a shift, which for one image is instance normalisation with these;
    `instance`: without them; `group` (Wu & He 2018): channels of a group together, with them.
    """
    match name:
        case "batch":
            return nn.BatchNorm2d(channels * replicas, track_running_stats=False)
        case "instance":
            return nn.InstanceNorm2d(channels * replicas)
        case "group":
            return nn.GroupNorm(math.gcd(channels, GROUPS) * replicas, channels * replicas)
        case "none":
            return nn.Identity()


def start_norms(network: nn.Module, gamma: Gamma) -> None:
    """Set the scales of norms that have some, as they start: 1, or U(0, 1) as before PyTorch 1.2 (PAPER detail 12)."""
    if gamma == "uniform":
        for module in network.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.uniform_(module.weight)


class Lanczos(nn.Module):
    """Lanczos low-pass and decimation by `factor`, every channel on its own; replicate padding (PAPER detail 7)."""

    kernel: Tensor

    def __init__(self, factor: int, lobes: int) -> None:
        super().__init__()
        self.factor = factor
        kernel = lanczos_kernel(factor, lobes).to(torch.get_default_dtype())
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return decimate(x, self.kernel, self.factor)


def pooling(downsample: Downsample) -> nn.Module:
    """Return the layer that halves the output of a stride-1 convolution; nothing for a strided one."""
    match downsample:
        case "stride":
            return nn.Identity()
        case "average":
            return nn.AvgPool2d(2)
        case "maximum":
            return nn.MaxPool2d(2)
        case "lanczos2":
            return Lanczos(2, lobes=2)
        case "lanczos3":
            return Lanczos(2, lobes=3)


class Block(nn.Module):
    """Convolution [pooling] norm activation, LeakyReLU(0.2) by default: the brick of the paper's networks."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, kind: Kind, downsample: Downsample | None = None
    ) -> None:
        super().__init__()
        stride, replicas = 2 if downsample == "stride" else 1, kind.replicas
        self.conv = convolution(inputs, outputs, kernel, replicas=replicas, stride=stride, padding=kind.padding)
        self.pool = pooling(downsample or "stride")
        self.norm = norm(outputs, replicas, kind.norm)
        self.activation = kind.activation

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](self.norm(self.pool(self.conv(x))))


class Output(nn.Module):
    """Convolution to the image's channels, then a sigmoid: values in [0, 1]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, replicas: int, padding: Padding) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs, kernel, replicas=replicas, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(x).to(self.conv.weight.dtype))


def upsampling_layer(mode: Upsample, channels: int, size: tuple[int, int], kind: Kind) -> nn.Module | None:
    """Return the layer that doubles maps of `size` in the modes that have one; None for those of `upsampled`."""
    if mode == "learnt":
        return doubling(channels, kind.replicas)
    return LowPass(*size, LOWPASS[mode], kind.padding) if mode in LOWPASS else None


def doubling(channels: int, replicas: int) -> nn.ConvTranspose2d:
    """Double the size by a transposed 4x4 convolution, which is learnt, as in the authors' U-Net."""
    return nn.ConvTranspose2d(channels * replicas, channels * replicas, 4, 2, padding=1, groups=replicas)


def upsampled(x: Tensor, mode: Upsample) -> Tensor:
    """Double the size; bilinear without aligned corners (PAPER detail 2), or with them, as PyTorch before 0.4."""
    if mode == "nearest":
        return F.interpolate(x, scale_factor=2, mode=mode)
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=mode == "bilinear_aligned")


def concatenated(first: Tensor, second: Tensor, replicas: int) -> Tensor:
    """Join the channels of `first`, then `second`, in each replica, cropped to the smaller's centre (detail 2)."""
    height = min(first.shape[-2], second.shape[-2])
    width = min(first.shape[-1], second.shape[-1])
    pairs = zip(
        centre(first, height, width).chunk(replicas, 1), centre(second, height, width).chunk(replicas, 1), strict=True
    )
    return torch.cat([part for pair in pairs for part in pair], 1)


def centre(x: Tensor, height: int, width: int) -> Tensor:
    """Return the central `height` x `width` of x."""
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[..., top : top + height, left : left + width]
