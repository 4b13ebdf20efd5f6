"""The paper's hourglass with skip connections, and without them the encoder-decoder."""

import math
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from torch import Tensor, nn

from dip_experiments.architectures.layers import (
    Activation,
    Block,
    Downsample,
    Gamma,
    Kind,
    Norm,
    Output,
    Padding,
    Upsample,
    concatenated,
    norm,
    start_norms,
    upsampled,
    upsampling_layer,
)
from dip_experiments.architectures.network import Network, padded

T = TypeVar("T")


class Scale(nn.Module):
    """One scale of the hourglass (PAPER detail 2): a skip branch, a way down, and the way up that joins both.

    `size`: rows and columns of the maps of the next scale, which has half as many.
    """

    def __init__(
        self,
        inputs: int,
        down: int,
        deeper: int,
        up: int,
        skip: int,
        size: tuple[int, int],
        *,
        kernel_down: int,
        kernel_up: int,
        upsample: Upsample,
        downsample: Downsample,
        up_1x1: bool,
        kind: Kind,
    ) -> None:
        super().__init__()
        self.upsample, self.replicas = upsample, kind.replicas
        self.skip = Block(inputs, skip, 1, kind) if skip else None
        self.down = Block(inputs, down, kernel_down, kind, downsample)
        self.down_refine = Block(down, down, kernel_down, kind)
        self.doubling = upsampling_layer(upsample, deeper, size, kind)
        self.concat = nn.ModuleDict({"norm": norm(skip + deeper, kind.replicas, kind.norm)})
        self.up = Block(skip + deeper, up, kernel_up, kind)
        self.up_1x1 = Block(up, up, 1, kind) if up_1x1 else None

    def encode(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return (skip branch or None, what the next scale sees at half the size)."""
        return (self.skip(x) if self.skip else None), self.down_refine(self.down(x))

    def decode(self, skip: Tensor | None, deeper: Tensor) -> Tensor:
        """Join the skip branch with the upsampled result of the deeper scales."""
        x = self.doubling(deeper) if self.doubling else upsampled(deeper, self.upsample)
        if skip is not None:
            x = concatenated(skip, x, self.replicas)
        x = self.up(self.concat["norm"](x))
        return self.up_1x1(x) if self.up_1x1 else x


class Skip(Network):
    """Hourglass of the paper (Ulyanov et al. 2018, supplement; PAPER detail 2).

    `down`, `up`, `skip`: channels of each scale, fine to coarse; a skip of 0 leaves the branch out. Kernels, `upsample`
    and `downsample` are one value for all scales or a list. `gamma`: how the norms' scales start, as 1 or as U(0, 1).
    `norm` and `activation` are those of `layers`. Computes on sides divisible by 2^scales.
    """

    names = ("skip", "encoder_decoder")
    neutral: ClassVar[Mapping[str, object]] = {"gamma": "ones", "norm": "batch", "activation": "leaky_relu"}
    per_scale = ("down", "up", "skip", "kernel_down", "kernel_up", "upsample", "downsample")

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        size: tuple[int, int],
        down: list[int],
        up: list[int],
        skip: list[int],
        kernel_down: int | list[int] = 3,
        kernel_up: int | list[int] = 3,
        upsample: Upsample | list[Upsample] = "bilinear",
        downsample: Downsample | list[Downsample] = "stride",
        up_1x1: bool = True,
        padding: Padding = "reflection",
        gamma: Gamma = "ones",
        norm: Norm = "batch",
        activation: Activation = "leaky_relu",
        replicas: int = 1,
    ) -> None:
        scales = len(down)
        check_widths(down=down, up=up, skip=skip)
        kernels_down = per_scale("kernel_down", kernel_down, scales)
        kernels_up = per_scale("kernel_up", kernel_up, scales)
        check_kernels(kernel_down=kernels_down, kernel_up=kernels_up)
        computed, margins = padded(size, scales, smallest=fewest_pixels(kernels_down, kernels_up))
        super().__init__((input_channels, *computed), replicas, margins)
        upsamples: list[Upsample] = per_scale("upsample", upsample, scales)
        downsamples: list[Downsample] = per_scale("downsample", downsample, scales)
        self.scales, kind = scales, Kind(replicas, padding, norm, activation)
        for i in range(scales):
            scale = Scale(
                inputs=down[i - 1] if i else input_channels,
                down=down[i],
                deeper=up[i + 1] if i + 1 < scales else down[i],
                up=up[i],
                skip=skip[i],
                size=(computed[0] >> (i + 1), computed[1] >> (i + 1)),
                kernel_down=kernels_down[i],
                kernel_up=kernels_up[i],
                upsample=upsamples[i],
                downsample=downsamples[i],
                up_1x1=up_1x1,
                kind=kind,
            )
            self.add_module(f"scale{i}", scale)
        known = {"bilinear", "nearest"} >= set(upsamples)
        self.as_in_the_paper = known and (norm, activation) == ("batch", "leaky_relu")
        self.output = Output(up[0], output_channels, 1, replicas=replicas, padding=padding)
        start_norms(self, gamma)

    def forward_replicas(self, z: Tensor) -> Tensor:
        x, branches = z, []
        scales = [self.get_submodule(f"scale{i}") for i in range(self.scales)]
        for scale in scales:
            skip, x = scale.encode(x)  # type: ignore[operator]
            branches.append(skip)
        for scale, skip in zip(reversed(scales), reversed(branches), strict=True):
            x = scale.decode(skip, x)  # type: ignore[operator]
        return self.output(x)


def per_scale(name: str, value: T | list[T], scales: int) -> list[T]:
    """Return one value per scale: a list as it is, a single value repeated."""
    values = value if isinstance(value, list) else [value] * scales
    if len(values) != scales:
        raise ValueError(
            f"architecture.{name}={values}: {len(values)} values for {scales} scales; give one, or {scales}"
        )
    return values


def check_widths(down: list[int], up: list[int], skip: list[int]) -> None:
    """Check that at least one scale exists and each list has one valid width per scale. Raises ValueError."""
    if not len(down) == len(up) == len(skip) or not down:
        raise ValueError(
            f"architecture.down, up and skip have {len(down)}, {len(up)} and {len(skip)} entries; "
            "give one width per scale in each, and at least one scale"
        )
    if min(down + up) < 1 or min(skip) < 0:
        raise ValueError(
            f"architecture widths must be positive (skip: 0 or more), got down={down}, up={up}, skip={skip}"
        )


def fewest_pixels(kernels_down: list[int], kernels_up: list[int]) -> int:
    """Return how many pixels a side the deepest scale needs, so that each scale has half of its kernels and one more.

    A scale that lies n above the deepest one has 2^n times as many.
    """
    sides = zip(reversed(kernels_down), reversed(kernels_up), strict=True)
    return max(math.ceil((max(pair) // 2 + 1) / 2**above) for above, pair in enumerate(sides))


def check_kernels(**kernels: list[int]) -> None:
    """Raise ValueError unless every kernel side is odd and positive."""
    for name, sides in kernels.items():
        if any(side < 1 or side % 2 == 0 for side in sides):
            raise ValueError(f"architecture.{name}={sides}: kernels must be odd and positive, such as 3 or 5")
