"""The tangent kernel of a network at an image, and the fit that its linearisation predicts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call, vmap

from dip_experiments.architectures import Network

COTANGENTS = 32
"""Outputs of which the gradients are computed at once; more need more memory and are not faster (measured on a CPU)."""
HELD = 3 * 2**27
"""Numbers that a pass may hold in one matrix, 1.5 GiB in float32; networks that need more take several passes."""


@dataclass(frozen=True)
class Factor:
    """How one set of parameters enters K: the gradients of output i in it have the products <h_i, h_j>.

    `at`: a parameter, whose gradient is h_i, or the edge of a convolution's output, "1 c h w" with gradient g_i. Then
    h_i = g_i B with B of `basis`, "p m", such that B B^T = X^T X for the patches X that the kernel is multiplied with:
    the products of weight gradients g_i X^T need no weight gradient.
    """

    at: Tensor | GradientEdge
    size: int
    basis: Tensor | None = None


def tangent_kernel(network: Network, z: Float[Tensor, "1 cz hz wz"]) -> Float[Tensor, "n n"]:
    """Return K = J J^T over all trainable parameters, n = c h w outputs in the order of a flattened image.

    Tachella, Tang & Davies, CVPR 2021. J itself is never held. Each parameter enters by one convolution, or is
    used in any way outside of convolutions; the network is evaluated by its definition, and its buffers stay.

    Args:
        network: One replica.
        z: Its latent.

    Raises:
        ValueError: For several replicas.
    """
    if network.replicas != 1:
        raise ValueError(f"a network of {network.replicas} replicas: the tangent kernel is that of one, give a single")
    with torch.enable_grad():
        image, factors = _evaluate(network.plain(), z)
    n = image.numel()
    kernel = image.new_zeros(n, n).detach()
    for group in _groups(factors, HELD // n):
        _add_products(kernel, _rows(image, group))
    return kernel.tril() + kernel.tril(-1).T


def _evaluate(plain: Network, z: Tensor) -> tuple[Tensor, list[Factor]]:
    """Return the image with its graph, and the factors of all trainable parameters, the latest evaluated first."""
    found: dict[int, list[Factor]] = defaultdict(list)

    def see(conv: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(conv, nn.Conv2d):
            basis = _basis(conv, inputs[0].detach())
            factor = Factor(get_gradient_edge(output), conv.out_channels * basis.shape[1], basis)
            found[id(conv.weight)].append(factor)

    convs = [module for module in plain.modules() if isinstance(module, nn.Conv2d) and _is_plain(module)]
    handles = [conv.register_forward_hook(see) for conv in convs]
    try:
        buffers = {name: value.clone() for name, value in plain.named_buffers()}
        image = functional_call(plain, buffers, (z,))
    finally:
        for handle in handles:
            handle.remove()
    once = {key: factors[0] for key, factors in found.items() if len(factors) == 1}
    covered = {id(p) for conv in convs if id(conv.weight) in once for p in conv.parameters()}
    rest = [p for p in plain.parameters() if p.requires_grad and id(p) not in covered]
    return image, [*reversed(once.values()), *(Factor(p, p.numel()) for p in rest)]


def _is_plain(conv: nn.Conv2d) -> bool:
    """Return True if its parameters are all trainable and only they make its weight and bias."""
    own = dict(conv.named_parameters())
    expected = {"weight"} if conv.bias is None else {"weight", "bias"}
    return conv.groups == 1 and own.keys() == expected and all(p.requires_grad for p in own.values())


def _basis(conv: nn.Conv2d, x: Tensor) -> Float[Tensor, "p m"]:
    """Return B with B B^T = X^T X for the patches X "q p" of the input, and ones for a bias; m = min(p, q)."""
    padding = conv.padding
    if conv.padding_mode != "zeros":
        mode = conv.padding_mode
        x, padding = F.pad(x, conv._reversed_padding_repeated_twice, mode=mode), (0, 0)
    elif isinstance(padding, str):
        x, padding = F.pad(x, conv._reversed_padding_repeated_twice), (0, 0)
    patches = F.unfold(x, conv.kernel_size, conv.dilation, padding, conv.stride)[0]
    if conv.bias is not None:
        patches = torch.cat([patches, torch.ones_like(patches[:1])])
    if patches.shape[0] > patches.shape[1]:
        patches = torch.linalg.qr(patches, mode="r")[1]
    return patches.T.contiguous()


def _groups(factors: list[Factor], most: int) -> list[list[Factor]]:
    """Return the factors in order, in groups of together at most so many numbers an output, or of one factor."""
    groups: list[list[Factor]] = []
    room = 0
    for factor in factors:
        room -= factor.size
        if not groups or room < 0:
            groups.append([])
            room = most - factor.size
        groups[-1].append(factor)
    return groups


def _rows(image: Tensor, factors: list[Factor]) -> Float[Tensor, "n m"]:
    """Return the h_i of some factors side by side, a row for each output."""
    n = image.numel()
    rows = image.new_empty(n, sum(factor.size for factor in factors), requires_grad=False)
    ends: Any = [factor.at for factor in factors]  # of both kinds, which PyTorch's types leave out

    def pull_back(cotangent: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(image, ends, cotangent, retain_graph=True, allow_unused=True, materialize_grads=True)

    for start in range(0, n, COTANGENTS):
        part = rows[start : start + COTANGENTS]
        cotangents = image.new_zeros(len(part), n)
        cotangents[:, start : start + len(part)].fill_diagonal_(1)
        gradients = vmap(pull_back)(cotangents.unflatten(1, image.shape))
        columns = part.split([factor.size for factor in factors], 1)
        for factor, gradient, out in zip(factors, gradients, columns, strict=True):
            h = gradient.flatten(1) if factor.basis is None else gradient.flatten(3)[:, 0] @ factor.basis
            out.copy_(h.flatten(1))
    return rows


def _add_products(kernel: Tensor, rows: Tensor) -> None:
    """Add the products of all pairs of rows to the lower half of the kernel."""
    for start in range(0, len(rows), 256):
        end = start + 256
        kernel[start:end, :end].addmm_(rows[start:end], rows[:end].T)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, descending and none below zero, and eigenvectors, the columns of `vectors`."""

    values: Float[Tensor, " n"]
    vectors: Float[Tensor, "n n"]


def spectrum(kernel: Float[Tensor, "n n"]) -> Spectrum:
    """Return the eigenvalues and eigenvectors of a tangent kernel; values below rounding are zero."""
    values, vectors = torch.linalg.eigh(kernel.double())
    values, vectors = values.flip(0).to(kernel.dtype), vectors.flip(1).to(kernel.dtype)
    rounding = torch.finfo(kernel.dtype).eps * values[0]
    return Spectrum(torch.where(values > rounding, values, 0), vectors)


def energy(spectrum: Spectrum, image: Float[Tensor, "1 c h w"]) -> Float[Tensor, " n"]:
    """Return the share of an image's energy in each eigenvector, <v_i, x>^2 / |x|^2, sum 1; its mean counts."""
    x = image.flatten()
    return (spectrum.vectors.T @ x).square() / x.square().sum()


def relative_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Return |after - before| / |before| of each named parameter; those that are zero before are left out.

    Args:
        before: State dict of a network.
        after: State dict of the same network later.
    """
    norms = {name: float(value.norm()) for name, value in before.items() if value.is_floating_point()}
    return {name: float((after[name] - before[name]).norm()) / norm for name, norm in norms.items() if norm > 0}
