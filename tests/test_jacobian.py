"""Products with the Jacobian are those of finite differences, and adjoint; norms are those of each network alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dip_experiments.architectures import (
    DeepDecoder,
    FastSkip,
    ModuleNetwork,
    Network,
    Pixels,
    ResNet,
    Skip,
    UNet,
    build_replicas,
)
from dip_experiments.theory.jacobian import (
    gradient_norms,
    jacobian_product,
    noise_like,
    trainable,
    transposed_product,
)


def own_module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 3, 1), nn.Dropout())


BUILDERS: dict[str, Callable[[int], Network]] = {
    "skip": lambda r: FastSkip(2, 3, (16, 16), [4, 5], [5, 4], [3, 0], upsample=["bilinear", "nearest"], replicas=r),
    "pooled": lambda r: Skip(2, 3, (16, 16), [4, 4], [4, 4], [2, 2], downsample=["lanczos2", "maximum"], replicas=r),
    "group": lambda r: Skip(2, 3, (15, 13), [4, 8], [8, 6], [3, 0], norm="group", activation="gelu", replicas=r),
    "instance": lambda r: Skip(2, 3, (16, 16), [4, 5], [5, 4], [3, 0], norm="instance", upsample="learnt", replicas=r),
    "unet": lambda r: UNet(2, 3, (16, 16), [4, 4, 8], replicas=r),
    "resnet": lambda r: ResNet(2, 1, (16, 16), [4, 4], padding="zero", replicas=r),
    "deep_decoder": lambda r: DeepDecoder(2, 3, (16, 16), [6, 6, 5], replicas=r),
    "pixels": lambda r: Pixels(2, 3, (16, 16), replicas=r),
    "own module": lambda r: ModuleNetwork(own_module, (2, 16, 16), (3, 16, 16), replicas=r),
}
NAMES = pytest.mark.parametrize("name", BUILDERS)


def built(name: str, *seeds: int) -> tuple[Network, Tensor, Tensor]:
    """A network in float64, latents, and an image of random numbers."""
    network = build_replicas(BUILDERS[name], seeds).double()
    draws = torch.Generator().manual_seed(seeds[0])
    z = torch.rand(len(seeds), *network.latent_shape, generator=draws, dtype=torch.float64)
    shape = image_shape(network, z)
    return network, z, torch.randn(shape, generator=draws, dtype=torch.float64)


@torch.no_grad()
def image_shape(network: Network, z: Tensor) -> torch.Size:
    state = {key: value.clone() for key, value in network.state_dict().items()}
    shape = network(z).shape
    network.load_state_dict(state)  # the number of runs, which decides on dropout
    return shape


def random_direction(network: Network) -> dict[str, Tensor]:
    draws = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(value.shape, generator=draws, dtype=value.dtype) for name, value in trainable(network).items()
    }


def inner(some: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    return sum(float((some[name] * others[name]).sum()) for name in some)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@NAMES
def test_the_two_products_are_adjoint(name: str, seeds: tuple[int, ...]) -> None:
    network, z, u = built(name, *seeds)
    v = random_direction(network)
    forward, backward = jacobian_product(network, z, v), transposed_product(network, z, u)
    left, right = float((u * forward).sum()), inner(backward, v)
    assert left != 0
    assert abs(left - right) <= 1e-10 * float(u.norm() * forward.norm())
    assert forward.shape == u.shape
    assert {key: value.shape for key, value in backward.items()} == {
        key: value.shape for key, value in network.named_parameters()
    }


@torch.no_grad()
@NAMES
def test_the_products_are_those_of_finite_differences(name: str) -> None:
    network, z, u = built(name, 0, 1)
    v, states = random_direction(network), network.state_dict()
    start = {key: value.clone() for key, value in states.items()}
    images = []  # so close that no activation changes its sign
    for step in (1e-8, -1e-8):
        network.load_state_dict(start)
        for key, value in network.named_parameters():
            value += step * v[key]
        images.append(network(z))
    network.load_state_dict(start)
    difference = (images[0] - images[1]) / 2e-8
    assert float((jacobian_product(network, z, v) - difference).norm() / difference.norm()) < 1e-6
    slope = float((u * difference).sum())
    assert inner(transposed_product(network, z, u), v) == pytest.approx(slope, abs=1e-6 * float(difference.norm()))


@NAMES
def test_a_network_is_left_as_it_was(name: str) -> None:
    network, z, u = built(name, 0, 1)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    jacobian_product(network, z, random_direction(network))
    transposed_product(network, z, u)
    gradient_norms(network, z, u)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(value.grad is None for value in network.parameters())


@NAMES
def test_norms_of_replicas_are_those_of_each_alone(name: str) -> None:
    network, z, u = built(name, 3, 4)
    norms = gradient_norms(network, z, u)
    for replica, seed in enumerate((3, 4)):
        single = build_replicas(BUILDERS[name], [seed]).double()
        alone = gradient_norms(single, z[replica : replica + 1], u[replica : replica + 1])
        assert norms[replica].item() == pytest.approx(alone.item(), rel=1e-10)
    assert norms[0].item() != pytest.approx(norms[1].item(), rel=1e-3)


@NAMES
def test_the_norm_is_that_of_the_convolutions_alone(name: str) -> None:
    network, z, u = built(name, 3)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    (network(z) * u).sum().backward()
    squares = sum(float(value.grad.square().sum()) for value in network.parameters() if value.ndim == 4)
    network.load_state_dict(state)
    assert gradient_norms(network, z, u).item() == pytest.approx(squares**0.5, rel=1e-10)
    if name == "pixels":
        assert gradient_norms(network, z, u).item() == pytest.approx(float(u.norm()), rel=1e-12)


def test_noise_has_the_norms_of_the_images() -> None:
    image = torch.stack([torch.rand(3, 8, 8), 4 * torch.rand(3, 8, 8)])
    noise = noise_like(image, seeds=[2, 7])
    assert torch.allclose(noise.flatten(1).norm(dim=1), image.flatten(1).norm(dim=1))
    assert float(noise.min()) >= 0
    shares = noise / noise.amax((1, 2, 3), keepdim=True)
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.06)
    assert torch.equal(noise, noise_like(image, seeds=[2, 7]))
    assert not torch.equal(noise, noise_like(image, seeds=[3, 8]))
    assert not torch.allclose(shares[0], shares[1])


def test_a_direction_of_other_parameters_is_refused() -> None:
    network, z, _ = built("pixels", 0)
    with pytest.raises(ValueError, match="the trainable parameters are"):
        jacobian_product(network, z, {"weight": z})
