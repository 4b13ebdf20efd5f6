"""The fast evaluation of the hourglass gives the numbers of the plain one: images, gradients, fits."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import thorough_after
from torch import Tensor

from dip_experiments.architectures import convolution, polyphase
from dip_experiments.architectures.polyphase import fast_forward_replicas
from dip_experiments.architectures.skip import Skip

EXACT = 1e-11
"""Relative, float64: rounding of sums in another order."""


@pytest.fixture(autouse=True, params=["AVX-512", "matrix products", "GPU"])
def double(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Float64, the evaluation of large maps at every size, either way to weight gradients, and that of GPUs."""
    monkeypatch.setattr(polyphase, "FEW_VALUES", 0)
    monkeypatch.setattr(polyphase, "on_gpu", lambda x: request.param == "GPU")
    monkeypatch.setattr(convolution, "FAST_WEIGHT_GRADIENTS", request.param == "AVX-512")
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def skip(size: tuple[int, int] = (16, 24), **options: Any) -> Skip:
    """A small network whose norms do more than nothing."""
    torch.manual_seed(0)
    widths = {"down": [6, 10], "up": [8, 12], "skip": [4, 9]}
    network = Skip(5, 3, size, **{**widths, **options})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def latent(network: Skip) -> Tensor:
    channels, *size = network.latent_shape
    device = network.output.conv.weight.device
    return torch.rand(1, channels * network.replicas, *size, device=device, requires_grad=True)


def image_and_gradients(evaluate: Callable[[Tensor], Tensor], network: Skip, z: Tensor) -> list[Tensor]:
    """The image, and the gradients of a fixed random functional of it: of the latent and of every parameter."""
    y = evaluate(z)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.device)
    return [y.detach(), *torch.autograd.grad((y * direction).sum(), [z, *network.parameters()])]


def assert_same(network: Skip, tolerance: float = EXACT) -> None:
    """Relative to the scale of the layer, because the gradient of what a norm cancels is zero."""
    z = latent(network)
    plain = image_and_gradients(network.forward_replicas, network, z)
    fast = image_and_gradients(lambda z: fast_forward_replicas(network, z), network, z)
    layers = ["image", "latent", *(name.rpartition(".")[0] for name, _ in network.named_parameters())]
    for layer, a, b in zip(layers, plain, fast, strict=True):
        scale = max(float(c.abs().max()) for name, c in zip(layers, plain, strict=True) if name == layer)
        assert float((a - b).detach().abs().max()) <= tolerance * scale, layer


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("padding", ["reflection", "zero"])
@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
@pytest.mark.parametrize("branches", [[4, 9], [0, 4], [0, 0]])
def test_image_and_all_gradients_equal_the_plain_ones(
    replicas: int, kernel: int, padding: Any, upsample: Any, branches: list[int]
) -> None:
    options: dict[str, Any] = {"kernel_down": kernel, "kernel_up": kernel, "skip": branches}
    assert_same(skip(replicas=replicas, padding=padding, upsample=upsample, **options))


@pytest.mark.gpu
@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
def test_on_a_gpu_too(upsample: Any) -> None:
    assert_same(skip(upsample=upsample, replicas=2).cuda())


@pytest.mark.parametrize(
    "options",
    [
        {"up_1x1": False},
        {"kernel_up": 1},
        {"kernel_up": 7, "kernel_down": 7},
        {"kernel_up": [3, 5], "kernel_down": [5, 3], "upsample": ["nearest", "bilinear"]},
        {"downsample": ["average", "maximum"]},
        {"downsample": ["lanczos2", "lanczos3"]},
        {"down": [6], "up": [8], "skip": [4]},
        {"down": [6] * 3, "up": [20] * 3, "skip": [4, 0, 4], "padding": "zero"},
    ],
    ids=str,
)
def test_every_option_of_the_network_has_a_fast_evaluation(options: dict[str, Any]) -> None:
    assert_same(skip(**options))


@pytest.mark.parametrize("size", [(8, 8), (8, 40), (36, 12)], ids=str)
def test_any_size_the_network_takes_is_evaluated_exactly(size: tuple[int, int]) -> None:
    assert_same(skip(size))
    assert_same(skip(size, padding="zero", replicas=3))


@pytest.mark.parametrize("threshold", [1000, 10**6])
def test_small_maps_may_keep_the_plain_order(threshold: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polyphase, "FEW_VALUES", threshold)
    assert_same(skip(replicas=2))


def test_one_pixel_at_the_bottom_is_enough_for_zero_padding() -> None:
    network = skip((32, 32), down=[6] * 4, up=[8] * 4, skip=[4] * 4, padding="zero")
    assert_same(network)


def test_replicas_do_not_see_each_other() -> None:
    network = skip(replicas=3)
    z = latent(network).detach()
    other = z.clone()
    other[:, -network.latent_shape[0] :] += 1
    same = fast_forward_replicas(network, z) == fast_forward_replicas(network, other)
    assert same[:, :6].all()
    assert not same[:, 6:].all()


@pytest.mark.parametrize("options", [{}, {"replicas": 3}, {"replicas": 3, "kernel_down": 1}])
def test_float32_differs_by_rounding_only(options: dict[str, Any]) -> None:
    torch.set_default_dtype(torch.float32)
    assert_same(skip((32, 48), **options), tolerance=1e-4)


@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
def test_autocast_runs_forward_and_backward(upsample: Any) -> None:
    torch.set_default_dtype(torch.float32)
    network = skip((32, 48), upsample=upsample)
    z = latent(network)
    with torch.autocast("cpu", torch.bfloat16):
        plain, fast = network.forward_replicas(z), fast_forward_replicas(network, z)
    assert float((plain - fast).detach().abs().max()) < 0.1
    fast.float().square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_second_backward_through_the_same_graph_gives_the_same_gradients() -> None:
    network = skip()
    energy = fast_forward_replicas(network, latent(network)).square().sum()
    first = torch.autograd.grad(energy, list(network.parameters()), retain_graph=True)
    second = torch.autograd.grad(energy, list(network.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("options", thorough_after(1, [{"replicas": 3, "padding": "zero"}, {}]), ids=str)
def test_a_fit_takes_the_same_course(options: dict[str, Any]) -> None:
    """50 iterations of Adam: errors within 1e-6 of each other; rounding grows along the way."""
    curves = [fit_curve(fast, options) for fast in (False, True)]
    torch.testing.assert_close(curves[0], curves[1], rtol=1e-6, atol=0)


def fit_curve(fast: bool, options: dict[str, Any]) -> Tensor:
    network = skip(**options)
    z = latent(network).detach()
    target = torch.rand(1, 3 * network.replicas, *z.shape[-2:])
    adam = torch.optim.Adam(network.parameters(), 0.01)
    errors = []
    for _ in range(50):
        adam.zero_grad()
        x = fast_forward_replicas(network, z) if fast else network.forward_replicas(z)
        error = (x - target).square().mean()
        error.backward()
        adam.step()
        errors.append(error.detach())
    return torch.stack(errors)
