"""K = J J^T for every network; the linearised fit is that of gradient descent where a network is linear or wide."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dip_experiments.architectures import DeepDecoder, FastSkip, ModuleNetwork, Network, Pixels, ResNet, Skip, UNet
from dip_experiments.theory import tangent_kernel as module
from dip_experiments.theory.jacobian import jacobian_product, transposed_product
from dip_experiments.theory.linearised_path import descent_rate, distance_to_path, linearised_fit
from dip_experiments.theory.tangent_kernel import Spectrum, energy, relative_changes, spectrum, tangent_kernel


class Unusual(nn.Module):
    """Convolutions that are called twice, are dilated, grouped or padded unequally, changed in place, partly frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.first = nn.Conv2d(2, 4, 3, padding=2, dilation=2)
        self.grouped = nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=2)
        self.same = nn.Conv2d(4, 4, (3, 5), padding="same", bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.frozen = nn.Conv2d(4, 4, 1)
        self.frozen.weight.requires_grad_(False)
        self.scale = nn.Parameter(torch.randn(1))
        self.unused = nn.Parameter(torch.randn(2))

    def forward(self, z: Tensor) -> Tensor:
        x = F.leaky_relu_(self.first(z), 0.1)
        x = torch.tanh(self.twice(torch.tanh(self.twice(x))))
        return self.norm(self.frozen(F.relu_(self.same(self.grouped(x))))).mean(1, keepdim=True) * self.scale


BUILDERS: dict[str, Callable[[], Network]] = {
    "skip": lambda: FastSkip(1, 2, (8, 8), [4, 5], [5, 4], [3, 0], upsample=["bilinear", "nearest"]),
    "pooled": lambda: Skip(2, 1, (9, 8), [4, 3], [4, 4], [2, 2], padding="zero", downsample="lanczos2", norm="group"),
    "unet": lambda: UNet(1, 1, (8, 8), [4, 4, 8]),
    "resnet": lambda: ResNet(1, 1, (8, 8), [4, 4]),
    "deep_decoder": lambda: DeepDecoder(1, 3, (8, 8), [6, 6, 5]),
    "pixels": lambda: Pixels(1, 3, (6, 6)),
    "unusual": lambda: ModuleNetwork(Unusual, (2, 8, 8), (1, 8, 8)),
}


def built(name: str) -> tuple[Network, Tensor]:
    torch.manual_seed(0)
    network = BUILDERS[name]().double()
    return network, torch.rand(1, *network.latent_shape, dtype=torch.float64)


@pytest.mark.parametrize("held", [module.HELD, 2**13])
@pytest.mark.parametrize("name", BUILDERS)
def test_the_kernel_is_the_product_of_the_jacobian(name: str, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD", held)
    network, z = built(name)
    shape = network(z).shape
    before = {key: value.clone() for key, value in network.state_dict().items()}
    kernel = tangent_kernel(network, z)
    assert torch.equal(kernel, kernel.T)
    values = torch.linalg.eigvalsh(kernel)
    assert float(values[0]) >= -1e-12 * float(values[-1])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(conv._forward_hooks for conv in network.modules())
    for i in (0, len(kernel) // 2, len(kernel) - 1):
        unit = torch.zeros(len(kernel), dtype=z.dtype)
        unit[i] = 1
        image = jacobian_product(network, z, transposed_product(network, z, unit.view(shape)))
        assert float((image.flatten() - kernel[i]).norm()) <= 1e-10 * float(values[-1])


def test_several_replicas_are_refused() -> None:
    with pytest.raises(ValueError, match="2 replicas"):
        tangent_kernel(Pixels(1, 1, (4, 4), replicas=2), torch.rand(1, 1, 4, 4))


def random_spectrum(n: int = 16) -> Spectrum:
    matrix = torch.randn(n, n + 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return spectrum(matrix @ matrix.T)


def images(*shape: int) -> list[Tensor]:
    draws = torch.Generator().manual_seed(1)
    return [torch.rand(1, *shape, dtype=torch.float64, generator=draws) for _ in range(3)]


def test_the_spectrum_descends_and_makes_the_kernel_again() -> None:
    matrix = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = spectrum(matrix @ matrix.T)
    assert torch.equal(found.values, found.values.sort(descending=True).values)
    assert int((found.values > 0).sum()) == 4
    again = found.vectors * found.values @ found.vectors.T
    assert torch.allclose(again, matrix @ matrix.T, atol=1e-12)


def test_energies_are_shares_and_that_of_an_eigenvector_is_all_in_it() -> None:
    found = random_spectrum()
    assert float(energy(found, images(1, 4, 4)[0]).sum()) == pytest.approx(1, rel=1e-12)
    shares = energy(found, 3 * found.vectors[:, 5].view(1, 1, 4, 4))
    assert shares.argmax() == 5
    assert float(shares[5]) == pytest.approx(1, rel=1e-12)


def descend(network: Network, z: Tensor, target: Tensor, rate: float, iterations: int) -> Tensor:
    """The image after gradient descent on the mean squared error."""
    optimizer = torch.optim.SGD(network.parameters(), lr=rate * target.numel() / 2)
    for _ in range(iterations):
        optimizer.zero_grad()
        F.mse_loss(network(z), target).backward()
        optimizer.step()
    return network(z).detach()


def test_the_linearised_fit_of_pixels_is_gradient_descent() -> None:
    network, z = built("pixels")
    start, found = network(z).detach(), spectrum(tangent_kernel(network, z))
    target = images(3, 6, 6)[0]
    predicted = linearised_fit(start, target, found, rate=0.1, iterations=7)
    fitted = descend(network, z, target, rate=0.1, iterations=7)
    assert float((predicted - fitted).norm() / fitted.norm()) < 1e-10
    assert float((fitted - start).norm() / (target - start).norm()) == pytest.approx(1 - 0.9**7)
    assert distance_to_path(fitted, start, target, found) < 0.002  # the path has points


class Wide(nn.Module):
    """One hidden layer in the parametrisation that has a limit of width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.hidden, self.last = nn.Conv2d(2, width, 3, padding=1, bias=False), nn.Conv2d(width, 1, 1, bias=False)
        for conv in (self.hidden, self.last):
            nn.init.normal_(conv.weight)

    def forward(self, z: Tensor) -> Tensor:
        return self.last(F.relu(self.hidden(z))) / self.width**0.5


def test_gradient_descent_tends_to_the_linearised_fit_with_width() -> None:
    z, target, _ = images(2, 8, 8)
    target = target[:, :1]
    gaps, distances = [], []
    for width in (16, 256, 4096):
        torch.manual_seed(3)
        network = ModuleNetwork(lambda width=width: Wide(width), (2, 8, 8), (1, 8, 8)).double()
        start, found = network(z).detach(), spectrum(tangent_kernel(network, z))
        rate = 1 / float(found.values[0])
        fitted = descend(network, z, target, rate, 30)
        predicted = linearised_fit(start, target, found, rate, 30)
        gaps.append(float((fitted - predicted).norm() / (fitted - start).norm()))
        distances.append(distance_to_path(fitted, start, target, found))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]
    assert gaps[2] < 0.02
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_a_rate_that_diverges_is_refused() -> None:
    found = random_spectrum()
    n, limit = len(found.values), len(found.values) / float(found.values[0])
    with pytest.raises(ValueError, match="gradient descent diverges"):
        descent_rate(1.01 * limit, n, found)
    assert descent_rate(0.99 * limit, n, found) == pytest.approx(1.98 / float(found.values[0]))


@pytest.mark.parametrize("time", [0.0, 1e-5, 0.013, 0.4, 9.0, torch.inf])
def test_the_distance_is_zero_on_the_path_and_positive_beside_it(time: float) -> None:
    start, target, other = images(1, 4, 4)
    found = random_spectrum()
    reached = -torch.expm1(-time * found.values)
    image = start + (found.vectors @ (reached * (found.vectors.T @ (target - start).flatten()))).view_as(start)
    assert distance_to_path(image, start, target, found) < 0.002
    assert distance_to_path(start - (other - start), start, target, found) > 0.3
    assert distance_to_path(2 * start - target, start, target, found) == pytest.approx(1)


def test_what_the_kernel_does_not_reach_is_beside_the_path() -> None:
    start, target, _ = images(1, 2, 1)
    found = Spectrum(torch.tensor([1.0, 0.0]).double(), torch.eye(2).double())
    moved = target - start
    assert distance_to_path(target, start, target, found) == pytest.approx(float(moved[0, 0, 1].abs() / moved.norm()))


def test_changes_are_relative_and_parameters_at_zero_are_left_out() -> None:
    before = {"a": torch.tensor([3.0, 4.0]), "bias": torch.zeros(2), "runs": torch.tensor([1])}
    after = {"a": torch.tensor([3.0, 5.0]), "bias": torch.ones(2), "runs": torch.tensor([2])}
    assert relative_changes(before, after) == {"a": pytest.approx(0.2)}
