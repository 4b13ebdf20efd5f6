"""Random networks, replicas side by side, against each replica alone as it is defined: image and every gradient."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dip_experiments.architectures import DeepDecoder, FastSkip, Network, ResNet, UNet, convolution, polyphase
from dip_experiments.architectures.convolution import convolution as convolved
from dip_experiments.architectures.skip import fewest_pixels

NETWORKS = 50
EXACT = 1e-8
"""Relative, float64: rounding of sums in another order, enlarged by norms of few values; faults are above 1e-3."""
EVALUATIONS = ("AVX-512", "matrix products", "GPU")


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def evaluated(monkeypatch: pytest.MonkeyPatch, evaluation: str, few: int) -> None:
    """By the kernels of some hardware; maps with fewer values than `few` keep the plain order."""
    monkeypatch.setattr(polyphase, "FEW_VALUES", few)
    monkeypatch.setattr(polyphase, "on_gpu", lambda x: evaluation == "GPU")
    monkeypatch.setattr(convolution, "FAST_WEIGHT_GRADIENTS", evaluation == "AVX-512")


def random_hourglass(draw: random.Random) -> tuple[type[Network], dict[str, Any]]:
    """Every argument at random; widths of 1, odd sides and few pixels at the bottom among them."""
    scales = draw.randint(1, 3)

    def widths(least: int, most: int) -> list[int]:
        return [draw.choice([max(least, 1), draw.randint(least, most)]) for _ in range(scales)]

    kernels = [draw.choice([1, 3, 3, 5, 7]) for _ in range(2 * scales)]
    usual = draw.random() < 0.8
    smallest = max(fewest_pixels(kernels[:scales], kernels[scales:]), 2) * 2**scales
    return FastSkip, {
        "input_channels": draw.randint(1, 5),
        "output_channels": draw.choice([1, 3]),
        "size": (smallest + draw.randint(0, 9), smallest + draw.randint(0, 9)),
        "down": widths(1, 9),
        "up": widths(1, 9),
        "skip": widths(0, 5),
        "kernel_down": kernels[:scales],
        "kernel_up": kernels[scales:],
        "upsample": [draw.choice(["bilinear", "nearest"]) for _ in range(scales)]
        if usual
        else draw.choice(["learnt", "bilinear_aligned", "nearest", "lowpass20", "lowpass100"]),
        "downsample": [draw.choice(["stride", "average", "maximum", "lanczos2", "lanczos3"]) for _ in range(scales)],
        "up_1x1": draw.choice([True, False]),
        "padding": draw.choice(["reflection", "zero"]),
        "norm": "batch" if usual else draw.choice(["batch", "instance", "group", "none"]),
        "activation": "leaky_relu" if usual else draw.choice(["leaky_relu", "relu", "gelu"]),
    }


def random_other(draw: random.Random) -> tuple[type[Network], dict[str, Any]]:
    """One of the networks that are evaluated as they are defined."""
    kind = draw.choice([UNet, ResNet, DeepDecoder])
    width = draw.randint(1, 5)
    return kind, {
        "input_channels": draw.randint(1, 5),
        "output_channels": draw.choice([1, 3]),
        "size": (draw.randint(8, 15), draw.randint(8, 15)),
        "widths": [width] * 2 if kind is ResNet else [draw.randint(1, 5) for _ in range(draw.randint(2, 3))],
    }


def drawn(kind: type[Network], arguments: dict[str, Any], replicas: int, seed: int) -> tuple[Network, list[Network]]:
    """A network whose norms do more than nothing, and its replicas, each as a network of its own."""
    torch.manual_seed(seed)
    together = kind(**arguments, replicas=replicas)
    singles = [kind(**arguments) for _ in range(replicas)]
    with torch.no_grad():
        for name, parameter in together.named_parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
            for single, part in zip(singles, parameter.chunk(replicas), strict=True):
                single.get_parameter(name).copy_(part)
    return together, singles


def image_and_gradients(network: Callable[[Tensor], Tensor], of: Network, z: Tensor, towards: Tensor) -> list[Tensor]:
    """The image, and the gradients of a fixed functional of it: of the latent and of every parameter."""
    z = z.clone().requires_grad_()
    x = network(z)
    return [x.detach(), *torch.autograd.grad((x * towards).sum(), [z, *of.parameters()])]


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_replicas_side_by_side_have_image_and_gradients_of_each_alone(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    kind, arguments = random_other(draw) if seed % 10 == 9 else random_hourglass(draw)
    replicas = draw.randint(1, 4)
    evaluated(monkeypatch, draw.choice(EVALUATIONS), draw.choice([0, 0, 400]))
    together, singles = drawn(kind, arguments, replicas, seed)
    z = torch.rand(replicas, *together.latent_shape)
    towards = torch.randn(replicas, arguments["output_channels"], *arguments["size"])
    found = image_and_gradients(together, together, z, towards)
    alone = [
        image_and_gradients(single.plain(), single, z[r : r + 1], towards[r : r + 1])
        for r, single in enumerate(singles)
    ]
    layers = ["image", "latent", *(name.rpartition(".")[0] for name, _ in together.named_parameters())]
    wanted = [torch.cat(parts) for parts in zip(*alone, strict=True)]
    largest = max(float(gradient.abs().max()) for gradient in wanted[1:])
    for layer, a, b in zip(layers, wanted, found, strict=True):
        # Relative to the layer, as the gradient of what a norm cancels is zero; in a layer of one channel that is all.
        scale = max(float(c.abs().max()) for name, c in zip(layers, wanted, strict=True) if name == layer)
        scale = max(scale, 1e-6 * largest)
        assert a.shape == b.shape, (arguments, replicas, layer)
        assert float((a - b).abs().max()) <= EXACT * scale, (arguments, replicas, layer)


@pytest.mark.parametrize("fast_weight_gradients", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_convolution_of_any_kernel_stride_padding_and_groups_has_the_gradients_of_pytorchs(
    transposed: bool, dtype: torch.dtype, fast_weight_gradients: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "FAST_WEIGHT_GRADIENTS", fast_weight_gradients)
    draw = random.Random(0)
    torch.manual_seed(0)
    plain = F.conv_transpose2d if transposed else F.conv2d
    for kernel in (1, 2, 3, 5):
        for groups in (1, 3):
            stride, padding = draw.randint(1, 2), draw.randint(0, kernel // 2)
            inputs, outputs = draw.randint(1, 10) * groups, draw.randint(1, 10) * groups
            shape = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
            x = torch.randn(1, inputs, 9, 12, dtype=dtype).contiguous(memory_format=torch.channels_last)
            given = [x.requires_grad_(), torch.randn(*shape, kernel, kernel, dtype=dtype, requires_grad=True)]
            wanted = plain(*given, None, stride, padding, groups=groups)
            found = convolved(*given, stride, padding, groups, transposed=transposed)
            towards = torch.randn_like(wanted)
            for a, b in zip(
                [wanted, *torch.autograd.grad((wanted * towards).sum(), given)],
                [found, *torch.autograd.grad((found * towards).sum(), given)],
                strict=True,
            ):
                tolerance = 1e-4 if dtype == torch.float32 else 1e-12
                assert a.shape == b.shape
                assert float((a - b).detach().abs().max()) <= tolerance * float(a.detach().abs().max())
