"""Stochastic gradient Langevin dynamics: the known posterior of a Gaussian model, and noise of each replica's own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh
from test_guard import once, poison
from torch import nn

from dip_experiments.architectures.module_adapter import adapted
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.schedule import block_ends
from dip_experiments.fitting.trainer import train
from dip_experiments.optimizers import Sgld
from dip_experiments.runner.build import build_fit
from dip_experiments.runner.validate import check_optimizer, validate

STANDARD_ERRORS = 4.0


def langevin(**changes: float | bool) -> Sgld:
    given = {"lr": 0.01, "weight_decay": 0.0, "noise": 2.0, "adaptive": True, "betas": [0.9, 0.999], "eps": 1e-8}
    return Sgld.model_validate({"name": "sgld", **given, **changes})


def sampled(optimizer: Sgld, curvature: float, mean: float, iterations: int) -> torch.Tensor:
    """Independent samples of w with the loss (h / 2)(w - m)^2, far from m at the start."""
    weights = nn.Parameter(torch.full((50, 50, 3, 3), mean + 3.0, dtype=torch.float64))
    descent, draw = optimizer.make([weights]), torch.Generator().manual_seed(0)
    for _ in range(iterations):
        descent.zero_grad()
        (curvature / 2 * (weights - mean).square()).sum().backward()
        descent.step()
        optimizer.after_step([weights], draw)
    return weights.detach().flatten()


def assert_gaussian(samples: torch.Tensor, mean: float, variance: float) -> None:
    """Mean and variance within four standard errors of independent values."""
    count = samples.numel()
    assert abs(samples.mean().item() - mean) < STANDARD_ERRORS * (variance / count) ** 0.5
    assert abs(samples.var().item() / variance - 1) < STANDARD_ERRORS * (2 / (count - 1)) ** 0.5


@pytest.mark.parametrize(
    ("lr", "noise", "weight_decay"), [(0.1, 2.0, 0.0), (0.1, 2.0, 1.0), (0.3, 0.5, 0.0), (0.05, 40**0.5, 0.0)]
)
def test_in_a_gaussian_model_plain_steps_have_the_known_mean_and_variance(
    lr: float, noise: float, weight_decay: float
) -> None:
    optimizer = langevin(lr=lr, noise=noise, weight_decay=weight_decay, adaptive=False)
    found = sampled(optimizer, curvature=2.0, mean=0.7, iterations=400)
    curvature = 2.0 + weight_decay
    assert_gaussian(found, 2.0 * 0.7 / curvature, (noise * lr) ** 2 / (1 - (1 - lr * curvature) ** 2))


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_at_a_small_rate_the_samples_are_those_of_the_posterior(temperature: float) -> None:
    lr, curvature = 0.005, 2.0
    optimizer = langevin(lr=lr, noise=(2 * temperature / lr) ** 0.5, adaptive=False)
    assert_gaussian(sampled(optimizer, curvature, 0.7, 1500), 0.7, temperature / curvature)


@pytest.mark.thorough
def test_without_noise_it_is_adam_or_gradient_descent_bit_for_bit(dip: Dip, tmp_path: Path) -> None:
    off = ["optimizer=sgld", "optimizer.noise=0", "optimizer.weight_decay=0"]
    for plain, same in (
        (["optimizer=adam"], off),
        (["optimizer=sgd", "optimizer.momentum=0"], [*off, "optimizer.adaptive=false", "optimizer.lr=0.1"]),
    ):
        curves, others = (
            (fresh(tmp_path, dip, *words, "latent.perturbation=0.05").folder / "curves.csv").read_bytes()
            for words in (plain, same)
        )
        assert curves == others


def built(*words: str) -> DIPModule:
    (job,) = compose_jobs([*SMALL, "device=cpu", "precision=float64", "optimizer=sgld", *words], multirun=False)
    return build_fit(validate(read_settings(job)), [])


def weights_of(fit: DIPModule, replica: int) -> list[torch.Tensor]:
    return [weights.clone() for weights in fit.network.convolution_weights(replica)]


def with_noise(fit: DIPModule, seeds: Sequence[int]) -> DIPModule:
    fit.problem.after_step([torch.Generator().manual_seed(seed) for seed in seeds])
    return fit


@pytest.mark.parametrize("upsample", ["bilinear", "learnt"])
def test_the_weights_of_convolutions_and_no_others_get_each_replicas_own_noise(upsample: str) -> None:
    fit = built("replicas=3", f"architecture.upsample={upsample}")
    before = {name: parameter.detach().clone() for name, parameter in fit.network.named_parameters()}
    with_noise(fit, [5, 6, 7])
    moved = {name: parameter.detach() - before[name] for name, parameter in fit.network.named_parameters()}
    assert {name for name, by in moved.items() if by.any()} == {name for name, by in moved.items() if by.dim() == 4}
    noise = torch.stack(
        [torch.cat([by.chunk(3)[r].flatten() for by in moved.values() if by.dim() == 4]) for r in range(3)]
    )
    for values in noise:
        assert_gaussian(values, 0.0, (2.0 * 0.01) ** 2)
    apart = torch.corrcoef(noise).triu(1).abs().max().item()
    assert apart < STANDARD_ERRORS / noise.shape[1] ** 0.5


def test_a_replicas_noise_is_bit_for_bit_that_of_the_single_network_with_its_seed() -> None:
    together = with_noise(built("replicas=3"), [5, 6, 7])
    for replica, seed in enumerate((5, 6, 7)):
        alone = with_noise(built(f"seed={replica}", "replicas=1"), [seed])
        for ours, single in zip(weights_of(together, replica), weights_of(alone, 0), strict=True):
            assert torch.equal(ours, single)


def curves_of(fit: DIPModule) -> torch.Tensor:
    train(fit, block_ends(20, 10), torch.device("cpu"), [])
    return fit.curves.movedim(-1, 0)


def test_a_replica_fits_as_the_single_network_with_its_seed_and_knows_nothing_of_the_others_seeds() -> None:
    short = ["fit.iterations=20", "latent.perturbation=0.05"]
    three = curves_of(built("replicas=3", *short))
    single = curves_of(built("seed=2", "replicas=1", *short))
    np.testing.assert_allclose(three[2], single[0], rtol=0, atol=1e-8)
    assert (three[0] - three[2]).abs().max() > 1e-4
    other = built("replicas=3", *short)
    object.__setattr__(other.problem, "perturbation_seeds", [0, 77, 2])
    changed = curves_of(other)
    assert [torch.equal(ours, theirs) for ours, theirs in zip(three, changed, strict=True)] == [True, False, True]


@pytest.mark.thorough
def test_a_rejected_block_runs_again_with_fresh_noise_and_leaves_the_other_replica_alone(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["optimizer=sgld", "replicas=2", "latent.perturbation=0"]
    plain = fresh(tmp_path, dip, *words).curves
    with monkeypatch.context() as patched:
        poison(patched, once(14), replica=1)
        run = fresh(tmp_path, dip, *words)
    assert [(event["replica"], event["event"]) for event in run.summary["guard"]] == [(1, "run again")]
    np.testing.assert_array_equal(run.curves[0]["loss"], plain[0]["loss"])
    same = run.curves[1]["loss"] == plain[1]["loss"]
    assert same[:11].all()  # the eleventh loss is that of the weights from which the block starts again
    assert not same[11:].any()


def test_a_network_without_convolutions_is_refused() -> None:
    network = adapted(lambda: nn.Sequential(nn.Flatten(2), nn.Linear(16, 16), nn.Unflatten(2, (4, 4))))(3, 3, (4, 4))
    with pytest.raises(ValueError, match=r"optimizer=sgld: .* the network has none; use another optimizer$"):
        check_optimizer(langevin(), network)
    check_optimizer(langevin(noise=0.0), network)


def test_pixels_are_refused_in_one_line(dip: Dip, capfd: pytest.CaptureFixture[str]) -> None:
    assert dip("scale=smoke", "architecture=pixels", "optimizer=sgld") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("optimizer=sgld: it adds noise to the weights of convolutions; with architecture=pixels")
