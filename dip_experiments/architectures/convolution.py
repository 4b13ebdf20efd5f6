"""Convolutions of channels-last maps by the fastest kernels that PyTorch has for them; gradients with them."""

from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

FEW_CHANNELS = 8
"""Up to here one product with all shifted copies of a map beats a product per shift (measured on 2 Zen 3 cores)."""
FAST_WEIGHT_GRADIENTS = torch.backends.cpu.get_cpu_capability() == "AVX512"
"""True if oneDNN's weight gradients of channels-last maps are the faster ones: 3 to 5 times slower on AVX2."""
ONEDNN = torch.backends.mkldnn.is_available()


def autocasted(*tensors: Tensor) -> list[Tensor]:
    """Cast to the precision that autocast, if it is on, gives to convolutions."""
    device = tensors[0].device.type
    lower = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensors[0].dtype
    return [x.to(lower) for x in tensors]


def convolution(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, groups: int = 1, *, transposed: bool = False
) -> Tensor:
    """Apply a convolution or transposed convolution without bias, padded by zeros."""
    return Convolution.apply(*autocasted(x, weight), stride, padding, groups, transposed)


class Convolution(torch.autograd.Function):
    """Keeps the input only if the weight is learned; its gradient's kernels are chosen for channels last."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, groups: int, transposed: bool
    ) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        ctx.stride, ctx.padding, ctx.groups, ctx.transposed, ctx.shape = stride, padding, groups, transposed, x.shape
        if transposed:
            return F.conv_transpose2d(x, weight, None, stride, padding, 0, groups)
        return correlated(x, weight, stride, padding, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        g = g.contiguous(memory_format=torch.channels_last)  # a loss hands in any layout, which would spread from here
        gx = input_gradient(g, weight, ctx) if ctx.needs_input_grad[0] else None
        gw = weight_gradient(g, x, weight, ctx) if ctx.needs_input_grad[1] else None
        return gx, gw, None, None, None, None


def input_gradient(g: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    """Return the input's gradient: of a convolution a transposed convolution, and the other way round."""
    if ctx.transposed:
        return correlated(g, weight, ctx.stride, ctx.padding, ctx.groups)
    if through_onednn(g, weight, ctx.stride, ctx.groups):
        return correlated(g, weight.unflatten(0, (ctx.groups, -1)).transpose(1, 2).flatten(0, 1), 1, 0, ctx.groups)
    reached = [(n - 1) * ctx.stride - 2 * ctx.padding + weight.shape[-1] for n in g.shape[-2:]]
    rest = [n - m for n, m in zip(ctx.shape[-2:], reached, strict=True)]
    return F.conv_transpose2d(g, weight, None, ctx.stride, ctx.padding, rest, ctx.groups)


def weight_gradient(g: Tensor, x: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    """Return the weight's gradient by oneDNN's or cuDNN's kernel where that is fast, as matrix products elsewhere."""
    small, large = (x, g) if ctx.transposed else (g, x)
    if through_onednn(g, weight, ctx.stride, ctx.groups):
        a, b = (pixels(maps, ctx.groups) for maps in (small, large))
        return torch.bmm(a.transpose(1, 2), b).flatten(0, 1)[..., None, None]
    if weight.shape[-1] == 1 or FAST_WEIGHT_GRADIENTS or g.device.type != "cpu":
        lists = [ctx.stride] * 2, [ctx.padding] * 2, [1, 1], ctx.transposed, [0, 0], ctx.groups
        gw: Tensor = torch.ops.aten.convolution_backward(g, x, weight, None, *lists, [False, True, False])[1]
        return gw
    return gradient_by_products(small, large, weight.shape[-1], ctx.stride, ctx.padding, ctx.groups)


def correlated(x: Tensor, weight: Tensor, stride: int, padding: int, groups: int) -> Tensor:
    """Apply the convolution of neural networks."""
    if through_onednn(x, weight, stride, groups):
        return torch.mkldnn_convolution(x, weight, None, [padding] * 2, [stride] * 2, [1, 1], groups)
    return F.conv2d(x, weight, None, stride, padding, 1, groups)


def through_onednn(x: Tensor, weight: Tensor, stride: int, groups: int) -> bool:
    """Return True if PyTorch must be led past its own kernel: groups of 1 x 1 in float32 take it thrice as long."""
    pointwise = weight.shape[-1] == 1 and stride == 1 and groups > 1
    return pointwise and x.dtype == torch.float32 and x.device.type == "cpu" and ONEDNN


def gradient_by_products(small: Tensor, large: Tensor, kernel: int, stride: int, padding: int, groups: int) -> Tensor:
    """Return G[o, i, k, l] = sum_p small[o, p] large[i, stride p + (k, l) - padding], as products within groups."""
    a = pixels(small, groups).transpose(1, 2)
    if large.shape[1] // groups <= FEW_CHANNELS:
        columns = F.unfold(large, kernel, 1, padding, stride).view(groups, -1, a.shape[2])
        return torch.bmm(a, columns.transpose(1, 2)).flatten(0, 1).unflatten(1, (-1, kernel, kernel))
    return shifted_products(small, large, kernel, stride, padding, groups)


def shifted_products(small: Tensor, large: Tensor, kernel: int, stride: int, padding: int, groups: int) -> Tensor:
    """Return one product for each shift (i, j), an offset in maps that are flattened to pixels of a common pitch.

    The columns that make up the pitch hold zeros in `small`.
    """
    reach = (kernel - 1) // stride
    height, pitch = small.shape[2], small.shape[3] + reach
    a = pixels(F.pad(small, (0, reach)), groups).transpose(1, 2)
    count = height * pitch - reach
    phases = {
        (i, j): pixels(phase(large, i - padding, j - padding, stride, height + reach, pitch), groups)
        for i, j in product(range(min(stride, kernel)), repeat=2)
    }
    out = small.new_empty(kernel, kernel, groups, small.shape[1] // groups, large.shape[1] // groups)
    for i, j in product(range(kernel), repeat=2):
        offset = (i // stride) * pitch + j // stride
        torch.bmm(a[..., :count], phases[i % stride, j % stride][:, offset : offset + count], out=out[i, j])
    return out.permute(2, 3, 4, 0, 1).flatten(0, 1)


def phase(x: Tensor, top: int, left: int, stride: int, height: int, width: int) -> Tensor:
    """Return x[top + stride i, left + stride j] for i < height, j < width; zero outside of x."""
    before = [max(0, -(start // stride)) for start in (top, left)]
    x = x[..., top + before[0] * stride :: stride, left + before[1] * stride :: stride]
    x = x[..., : height - before[0], : width - before[1]]
    return F.pad(x, (before[1], width - before[1] - x.shape[3], before[0], height - before[0] - x.shape[2]))


def pixels(x: Tensor, groups: int) -> Tensor:
    """Return "1 (r c) h w" as "r (h w) c", a view of a channels-last x."""
    return x.permute(0, 2, 3, 1).reshape(-1, groups, x.shape[1] // groups).transpose(0, 1)
