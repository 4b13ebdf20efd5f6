"""Networks and latents made of coordinates: SIREN and Fourier features."""

import numpy as np
import pytest
import torch
from torch import nn

from dip_experiments.architectures import Siren, build_replicas
from dip_experiments.latents import FourierFeatures, Meshgrid

OMEGA = 30.0


def features(channels: int = 6, bandwidth: float = 2.0, scale: float = 0.5) -> FourierFeatures:
    return FourierFeatures(
        name="fourier_features",
        channels=channels,
        scale=scale,
        bandwidth=bandwidth,
        perturbation=0.0,
        optimise="theta",
    )


def test_fourier_features_are_sines_and_cosines_of_the_coordinates() -> None:
    z = features().make((6, 4, 5), [3, 4], None)
    assert z.shape == (2, 6, 4, 5)
    torch.testing.assert_close(z[:, :3].square() + z[:, 3:].square(), torch.full((2, 3, 4, 5), 0.25).double())
    grid = Meshgrid(name="meshgrid", channels=2, scale=1.0, perturbation=0.0, optimise="theta").make(
        (2, 4, 5), [0], None
    )
    column, row = grid[0].numpy()
    for replica in z.numpy():
        assert np.abs(replica[:3, 0, 0]).max() == 0  # the first pixel has v = 0
        for sine, cosine in zip(replica[:3], replica[3:], strict=True):
            phase = np.arctan2(sine, cosine)
            down, across = phase[1, 0], phase[0, 1]  # of one step; a step of 2 pi more is the same wave
            wave = down * row * 3 + across * column * 4
            np.testing.assert_allclose((sine, cosine), (0.5 * np.sin(wave), 0.5 * np.cos(wave)), atol=1e-12)
    torch.testing.assert_close(features().make((6, 4, 5), [4], None)[0], z[1])


def test_their_frequencies_have_the_bandwidth() -> None:
    z = features(channels=8000, bandwidth=3.0, scale=1.0).make((8000, 101, 2), [0], None)[0].numpy()
    step = np.arctan2(z[:4000, 1, 0], z[4000:, 1, 0]) * 100 / (2 * np.pi)  # cycles per side along the rows
    assert step.std() == pytest.approx(3, rel=0.05)
    assert step.mean() == pytest.approx(0, abs=0.2)


def test_an_odd_number_of_channels_has_no_fourier_features() -> None:
    with pytest.raises(ValueError, match="two channels for each frequency, this architecture takes 5"):
        features().make((5, 4, 4), [0], None)


def plain_siren(network: Siren, replica: int, omega: float) -> torch.Tensor:
    """One replica by the formula of the paper, pixel by pixel, "h w c": weights there are ours by omega_0."""
    rows, columns = network.latent_shape[1:]
    down, across = (torch.linspace(-1, 1, side, dtype=torch.float64) for side in (rows, columns))
    x = torch.stack([across.expand(rows, -1), down[:, None].expand(-1, columns)], -1)
    for layer in network.layers:
        assert isinstance(layer, nn.Conv2d)
        weight, bias = (p.chunk(network.replicas)[replica] / omega for p in (layer.weight, layer.bias))  # type: ignore[union-attr]
        x = torch.sin(omega * (x @ weight[:, :, 0, 0].T + bias))
    conv = network.output.conv
    weight, bias = (p.chunk(network.replicas)[replica] for p in (conv.weight, conv.bias))  # type: ignore[union-attr]
    return torch.sigmoid(x @ weight[:, :, 0, 0].T + bias)


def test_a_siren_is_the_perceptron_with_sines_of_its_paper() -> None:
    network = build_replicas(lambda r: Siren(2, 3, (5, 7), [6, 4, 8], omega_0=OMEGA, replicas=r), [0, 1]).double()
    assert isinstance(network, Siren)
    images = network(torch.rand(2, 2, 5, 7, dtype=torch.float64))
    for replica in range(2):
        expected = plain_siren(network, replica, OMEGA).permute(2, 0, 1)
        torch.testing.assert_close(images[replica], expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(images, network(torch.rand(2, 2, 5, 7, dtype=torch.float64)))


def test_it_starts_as_in_its_paper() -> None:
    """Sec. 3.2: sines of normal values of variance 1 in every layer but the first, whose phases span omega_0."""
    torch.manual_seed(0)
    network = Siren(2, 3, (64, 64), [256, 256, 256], omega_0=OMEGA)
    first = network.layers[0]
    x, bounds = network.coordinates, [OMEGA / 2, (6 / 256) ** 0.5, (6 / 256) ** 0.5]
    for layer, bound in zip(network.layers, bounds, strict=True):
        assert isinstance(layer, nn.Conv2d)
        assert 0.98 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert layer.bias is not None
        most = OMEGA / layer.weight.shape[1] ** 0.5  # PyTorch's bound, times omega_0
        assert 0.95 * most < float(layer.bias.detach().abs().max()) <= most
        before = layer(x).detach()
        if layer is not first:
            assert float((before - layer.bias.detach().view(-1, 1, 1)).std()) == pytest.approx(1, abs=0.15)
        x = torch.sin(before)
    linear = network.output.conv.weight.detach().abs().max()
    assert 0.9 * (6 / 256) ** 0.5 / OMEGA < float(linear) <= (6 / 256) ** 0.5 / OMEGA
