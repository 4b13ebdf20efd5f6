"""ZS-N2N as it is described: its halves, its size, and that it denoises without knowing how strong the noise is."""

import numpy as np
import pytest
import torch
from conftest import load_image

from dip_experiments.baselines.zs_n2n import halves, loss, residual_network, zs_n2n
from dip_experiments.metrics import psnr


def test_the_halves_are_the_means_of_the_two_diagonals() -> None:
    y = torch.arange(16.0).view(1, 1, 4, 4)
    first, second = halves(y)
    assert first.flatten().tolist() == [(1 + 4) / 2, (3 + 6) / 2, (9 + 12) / 2, (11 + 14) / 2]
    assert second.flatten().tolist() == [(0 + 5) / 2, (2 + 7) / 2, (8 + 13) / 2, (10 + 15) / 2]


def test_the_network_is_as_small_as_it_is_said_to_be() -> None:
    assert sum(parameter.numel() for parameter in residual_network(3).parameters()) == 22275


def test_the_loss_of_a_network_that_finds_no_noise_is_the_distance_of_the_halves() -> None:
    y = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    first, second = halves(y)
    found = loss(torch.nn.Threshold(2.0, 0.0), y)  # gives 0 everywhere
    torch.testing.assert_close(found, (first - second).square().mean())


def test_it_removes_noise_of_a_strength_that_it_is_not_told() -> None:
    clean = load_image("coffee", None, 64, "resize")
    noisy = clean + np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    denoised = zs_n2n(noisy, seed=0, iterations=100)
    assert psnr(denoised, clean) > psnr(noisy, clean) + 3
    np.testing.assert_array_equal(*(zs_n2n(noisy, seed=0, iterations=3) for _ in range(2)))
    assert not np.array_equal(*(zs_n2n(noisy, seed=seed, iterations=3) for seed in range(2)))


def test_a_picture_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="even height and width"):
        zs_n2n(np.zeros((3, 5, 4)), seed=0, iterations=1)
