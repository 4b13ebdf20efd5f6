"""The hourglass, evaluated faster: upsampling, norm and convolution at the resolution of what is upsampled.

The same parameters and the same numbers as `Skip.forward_replicas`, which stays the definition; what is done otherwise:

- conv(pad(norm([skip, up(x)]))) = conv_s(pad(norm(skip))) + conv_d(pad(norm(up(x)))): no concatenation.
- up(x) = taps * z with z = x between zeros, and convolutions commute, so conv_d(up(x)) = taps * (transposed convolution
  of x): a quarter of the multiplications (polyphase identity; Vaidyanathan, Multirate Systems and Filter Banks, 1993).
- The statistics of up(x), hence its norm, follow from x alone; the norm is per channel and commutes with upsampling.
- Channels last, by the faster of several kernels: see `convolution`.
- On a GPU multiplications cost little and passes over maps much: maps are upsampled, then normed and convolved.
- The bias of a convolution before a norm is left out, as the norm cancels it: its gradient is exactly zero.

Modules are read, not called (no forward hooks), and gradients cannot be differentiated again.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dip_experiments.architectures.channels_last import Doubling, Reflection
from dip_experiments.architectures.convolution import autocasted, convolution
from dip_experiments.architectures.layers import NEGATIVE_SLOPE, Block, Upsample, concatenated, upsampled
from dip_experiments.architectures.skip import Scale, Skip

FEW_VALUES = 2**18
"""Maps with fewer values keep the plain order: calls cost more than multiplications (measured on 2 Zen 5 cores)."""


def fast_forward_replicas(network: Skip, z: Tensor) -> Tensor:
    """Return `network.forward_replicas(z)`, to rounding."""
    x, branches = z.contiguous(memory_format=torch.channels_last), []
    scales = [cast(Scale, network.get_submodule(f"scale{i}")) for i in range(network.scales)]
    for scale in scales:
        branches.append(block(scale.skip, x) if scale.skip else None)
        x = block(scale.down_refine, block(scale.down, x))
    for scale, skip in zip(reversed(scales), reversed(branches), strict=True):
        x = joined(scale, skip, x)
        x = block(scale.up_1x1, x) if scale.up_1x1 else x
    conv = network.output.conv
    return torch.sigmoid(convolved(conv, x) + cast(Tensor, conv.bias).view(-1, 1, 1)).contiguous()


def block(layer: Block, x: Tensor) -> Tensor:
    """Return `layer(x)`."""
    return activated(layer, convolved(layer.conv, x))


def joined(scale: Scale, skip: Tensor | None, deeper: Tensor) -> Tensor:
    """Apply `scale.up` to the normalised concatenation of `skip` and the upsampled `deeper`."""
    conv, norm, groups = scale.up.conv, cast(nn.BatchNorm2d, scale.concat.norm), scale.replicas
    if conv.kernel_size[0] not in (3, 5) or deeper.numel() < FEW_VALUES:
        x = upsampled(deeper, scale.upsample)
        return block(scale.up, norm(x if skip is None else concatenated(skip, x, groups)))
    parts = [0 if skip is None else skip.shape[1] // groups, deeper.shape[1] // groups]
    weights = conv.weight.split(parts, 1)
    # Contiguous: of one channel `flatten` gives a strided view, and PyTorch's CPU kernel for the gradients of a batch
    # norm over channels-last maps reads its weights as if they lay side by side (seen up to PyTorch 2.13).
    scales, shifts = (
        [part.flatten().contiguous() for part in p.view(groups, -1).split(parts, 1)] for p in (norm.weight, norm.bias)
    )
    before, after = zip(scales, shifts, strict=True)
    y = upsampling(scale, deeper, after, weights[1])
    if skip is not None:
        s = F.batch_norm(skip, None, None, *before, True, 0.0, norm.eps)
        y = y.add_(convolved(conv, s, weights[0]))
    return activated(scale.up, y)


def upsampling(scale: Scale, deeper: Tensor, affine: tuple[Tensor, Tensor], weight: Tensor) -> Tensor:
    """Apply the part of `scale.up`'s convolution that sees the upsampled `deeper`; `affine`: its norm's parameters."""
    conv, eps = scale.up.conv, cast(nn.BatchNorm2d, scale.concat.norm).eps
    if on_gpu(deeper):
        x = Doubling.apply(deeper) if scale.upsample == "bilinear" else upsampled(deeper, scale.upsample)
        return convolved(conv, F.batch_norm(x, None, None, *affine, True, 0.0, eps), weight)
    if scale.upsample == "nearest":  # every value four times: the same statistics
        x = F.batch_norm(deeper, None, None, *affine, True, 0.0, eps)
    else:
        x = BilinearNorm.apply(deeper.to(weight.dtype), *affine, eps)
    return convolved_upsampling(x, weight, scale.upsample, conv.padding_mode, scale.replicas)


def activated(layer: Block, x: Tensor) -> Tensor:
    """Apply what follows the convolution in a Block. The norm's shift has the convolution's bias with weight zero."""
    norm = cast(nn.BatchNorm2d, layer.norm)
    shift = norm.bias + 0 * cast(Tensor, layer.conv.bias)
    return Activation.apply(F.batch_norm(layer.pool(x), None, None, norm.weight, shift, True, 0.0, norm.eps))


class Activation(torch.autograd.Function):
    """LeakyReLU in place, its gradient too: the arriving gradient is a tensor of its own, made by what follows here."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(F.leaky_relu_(x, NEGATIVE_SLOPE))
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return torch.ops.aten.leaky_relu_backward.grad_input(g, *ctx.saved_tensors, NEGATIVE_SLOPE, True, grad_input=g)


def convolved(conv: nn.Conv2d, x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return `conv(x)` without the bias; with part of its `weight` if given."""
    weight, padding = conv.weight if weight is None else weight, conv.kernel_size[0] // 2
    if padding and conv.padding_mode != "zeros":
        x = Reflection.apply(x, padding) if on_gpu(x) else F.pad(x, [padding] * 4, mode=conv.padding_mode)
        padding = 0
    if on_gpu(x):
        return F.conv2d(x, weight, None, conv.stride, padding, 1, conv.groups)
    return convolution(x, weight, conv.stride[0], padding, conv.groups)


def on_gpu(x: Tensor) -> bool:
    """Return True if kernels are chosen for a GPU."""
    return x.device.type == "cuda"


def convolved_upsampling(x: Tensor, weight: Tensor, mode: Upsample, padding_mode: str, groups: int) -> Tensor:
    """Return conv(pad(up(x))) with kernel k in 3, 5 and pad by k // 2, evaluated on x.

    `x` is extended by its border values, which extends up(x) by its border values; where the padding asks for something
    else, the difference is a frame of k // 2 pixels, whose convolution is added to the outermost rows and columns.
    """
    taps = x.new_ones(2) if mode == "nearest" else 1 - (torch.arange(4, device=x.device) - 1.5).to(x.dtype).abs() / 2
    pad = weight.shape[-1] // 2
    margin = pad // 2 + 1 if mode == "bilinear" else 1
    extended, *borders = Extension.apply(x, margin)
    kernel = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
    y = convolution(extended, kernel, 2, 2 * margin + pad - len(taps) // 2, groups, transposed=True)
    y = convolution(y, torch.outer(taps, taps).expand(y.shape[1], 1, -1, -1), groups=y.shape[1])
    if padding_mode == "reflect" and mode == "nearest" and pad == 1:
        return y
    return AddFrame.apply(y, *frame(autocasted(*borders, weight), mode, padding_mode, groups))


class Extension(torch.autograd.Function):
    """x extended by `margin` border values, and its two outermost rows and columns: top, bottom, left, right."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, margin: int) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x)
        ctx.margin = margin
        with torch.autocast(x.device.type, enabled=False):  # which would pad in float32
            extended = F.pad(x, [margin] * 4, mode="replicate")
        return extended, *(part.clone() for part in outermost(x, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *strips: Tensor) -> tuple[Tensor | None, ...]:
        gx = torch.ops.aten.replication_pad2d_backward(g, *ctx.saved_tensors, [ctx.margin] * 4)
        for part, strip in zip(outermost(gx, 2), strips, strict=True):
            part.add_(strip)
        return gx, None


def outermost(x: Tensor, p: int) -> tuple[Tensor, ...]:
    """Return views of the p outermost rows and columns: top, bottom, left, right."""
    return x[..., :p, :], x[..., -p:, :], x[..., :p], x[..., -p:]


def frame(tensors: list[Tensor], mode: Upsample, padding_mode: str, groups: int) -> list[Tensor]:
    """Return what the true padding adds to the outermost rows and columns: top, bottom, left, right.

    `tensors`: the two outermost rows and columns of the low resolution, in this order, and the weight, of which only
    the outer part reaches. Flips and transposes make every edge a top edge; the corners belong to the rows.
    """
    top, bottom, left, right, w = tensors
    p = w.shape[-1] // 2
    return [
        edge(top, w[..., :p, :], p, mode, padding_mode, groups),
        edge(bottom.flip(2), w[..., -p:, :].flip(2), p, mode, padding_mode, groups).flip(2),
        edge(left.mT, w[..., :p].mT, 0, mode, padding_mode, groups).mT,
        edge(right.mT.flip(2), w[..., -p:].mT.flip(2), 0, mode, padding_mode, groups).flip(2).mT,
    ]


def edge(strip: Tensor, kernel: Tensor, corner: int, mode: Upsample, padding_mode: str, groups: int) -> Tensor:
    """Return what the padding of the top, minus its replacement by border values, adds to the first p rows."""
    p, u, sides = kernel.shape[2], upsampled(strip, mode), (corner, corner, kernel.shape[2], 0)
    true = F.pad(u, sides, "constant" if padding_mode == "zeros" else padding_mode)
    difference = (true - F.pad(u, sides, "replicate"))[..., :p, :]
    return F.conv2d(F.pad(difference, (p - corner, p - corner, 0, p - 1)), kernel, groups=groups)


class AddFrame(torch.autograd.Function):
    """Adds strips to the outermost rows and columns of y in place."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
        ctx.p = left.shape[-1]
        for part, strip in zip(outermost(y, ctx.p), (top, bottom, left, right), strict=True):
            part.add_(strip)
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        return g, *outermost(g, ctx.p)


class BilinearNorm(torch.autograd.Function):
    """y = scale (x - m) / sqrt(v + eps) + shift with m, v the mean and variance of up(x): norm(up(x)) = up(y).

    m = mean(x), as every pixel carries the same total weight; and with c = x - m, v = sum(c Bc) / 4 n, where B = U^T U
    of the upsampling U is the stencil (3, 10, 3) / 8 in each axis after replicating the border.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
        c = x - x.mean((2, 3), keepdim=True)
        stencil = 1.25 - 0.875 * (torch.arange(3, device=c.device, dtype=c.dtype) - 1).abs()
        kernel = torch.outer(stencil, stencil).expand(c.shape[1], 1, -1, -1)
        bc = F.conv2d(F.pad(c, [1] * 4, mode="replicate"), kernel, groups=c.shape[1]) / (4 * c[0, 0].numel())
        r = ((c * bc).sum((2, 3), keepdim=True) + eps).rsqrt()
        ctx.save_for_backward(c, bc, r, scale)
        return torch.addcmul(shift.view(-1, 1, 1), c, scale.view(-1, 1, 1) * r)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        c, bc, r, scale = ctx.saved_tensors
        gc = (g * c).sum((2, 3), keepdim=True)
        total = g.sum((2, 3), keepdim=True)
        gx = torch.addcmul(-total / c[0, 0].numel(), bc, -gc * r.square()).add_(g).mul_(scale.view(-1, 1, 1) * r)
        return gx, (gc * r).flatten(), total.flatten(), None
