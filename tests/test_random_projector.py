"""Fits in which the latent and the norms alone change: the deep random projector."""

from typing import Any

import pytest
import torch
from conftest import SMALL, Dip

from dip_experiments.architectures import FastSkip, Network, Skip, UNet, adapted, polyphase
from dip_experiments.fitting.module import DIPModule


def norms(name: str) -> bool:
    return "norm" in name


def test_only_the_latent_and_the_norms_have_changed_after_a_fit(dip: Dip, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(DIPModule, "on_train_start", lambda self: seen.update(before=copied(self)))
    monkeypatch.setattr(DIPModule, "on_train_end", lambda self: seen.update(fit=self), raising=False)
    assert dip(*SMALL, "latent.optimise=z_and_norms", "optimizer.lr=0.1", "fit.iterations=5", "regularizer=tv") == 0
    before, fit = seen["before"], seen["fit"]
    assert not torch.equal(before["latent"], fit.latent)
    moved = {name for name, value in fit.network.named_parameters() if not torch.equal(before[name], value)}
    assert moved == {name for name, _ in fit.network.named_parameters() if norms(name)}
    assert len(moved) > 10
    assert all((value.grad is not None) == norms(name) for name, value in fit.network.named_parameters())
    assert sum(len(group["params"]) for group in fit.optimizer.param_groups) == len(moved) + 1


def copied(module: DIPModule) -> dict[str, torch.Tensor]:
    values = {name: value.detach().clone() for name, value in module.network.named_parameters()}
    return {**values, "latent": module.latent.detach().clone()}


def test_the_fast_hourglass_has_the_same_gradients_of_norms_where_nothing_else_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polyphase, "FEW_VALUES", 0)
    torch.manual_seed(0)
    fast = FastSkip(3, 3, (16, 24), [4, 6], [6, 4], [2, 3], replicas=2).double()
    fast.choose_trained("z_and_norms")
    z, found = torch.rand(2, 3, 16, 24, dtype=torch.float64, requires_grad=True), []
    for network in (fast, fast.plain()):
        free = [parameter for parameter in network.parameters() if parameter.requires_grad]
        found.append(torch.autograd.grad(network(z).square().sum(), [z, *free]))
    assert len(found[0]) == 1 + len(list(fast.norm_parameters()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def small_network(input_channels: int, output_channels: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(input_channels, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.Conv2d(4, output_channels, 1),
    )


def adapted_network() -> Network:
    made_by: Any = adapted(small_network)
    network: Network = made_by(2, 3, (16, 16))
    return network


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (Skip(2, 3, (16, 16), [4], [4], [2], norm="group"), 12),
        (Skip(2, 3, (16, 16), [4], [4], [2], norm="instance"), 0),
        (UNet(2, 3, (16, 16), [4, 4]), 0),
        (adapted_network(), 2),
    ],
    ids=["group", "instance", "unet", "of one's own"],
)
def test_every_network_says_which_parameters_its_norms_have(network: Network, count: int) -> None:
    network.choose_trained("z_and_norms")
    assert sum(parameter.requires_grad for parameter in network.parameters()) == count
    assert len(list(network.norm_parameters())) == count
    for optimise, all_free in (("theta", True), ("z", False), ("both", True)):
        network.choose_trained(optimise)
        assert {parameter.requires_grad for parameter in network.parameters()} == {all_free}
