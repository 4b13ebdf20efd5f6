"""Denoisers of noise that neighbours or channels share: with white noise the plain ones, with other noise better."""

from typing import Any

import numpy as np
import pytest
import torch
from conftest import load_image

import dip_experiments as dipx
from dip_experiments.baselines import classical
from dip_experiments.baselines.coloured_noise import (
    coloured_block_matching,
    coloured_lichi,
    coloured_nl_ridge,
    filtered,
    spectrum_of,
    whitening,
)
from dip_experiments.baselines.linear_patches import lichi, nl_ridge
from dip_experiments.metrics import psnr
from dip_experiments.noise import CorrelatedNoise
from dip_experiments.noise.estimation import Array

SIGMA, SIDE = 25.0, 48
needs_bm3d = pytest.mark.skipif(classical.bm3d is None, reason="the package bm3d is not installed")
methods = pytest.mark.parametrize(
    ("coloured", "plain"),
    [
        pytest.param(coloured_block_matching, lambda *of: classical.block_matching(*of), marks=needs_bm3d, id="bm3d"),
        pytest.param(coloured_lichi, lichi, id="lichi"),
        pytest.param(coloured_nl_ridge, nl_ridge, id="nl_ridge"),
    ],
)


def crop(side: int = SIDE) -> Array:
    """Part of a photograph with edges and texture."""
    return load_image("astronaut", None, None, "crop")[:, 60 : 60 + side, 180 : 180 + side]


def law(width: float, correlation: float, channels: int = 3) -> CorrelatedNoise:
    return CorrelatedNoise.of_channels(channels, SIGMA / 255, width, correlation)


def noisy(clean: Array, noise: CorrelatedNoise) -> Array:
    return clean + noise.draw(torch.from_numpy(clean), torch.Generator().manual_seed(0)).numpy()


@methods
@pytest.mark.parametrize("channels", [1, 3])
def test_with_a_flat_spectrum_they_are_the_plain_ones(coloured: Any, plain: Any, channels: int) -> None:
    clean = crop(32)[:channels]
    seen = noisy(clean, law(0.0, 0.0, channels))
    flat = np.full(clean.shape, (SIGMA / 255) ** 2)
    np.testing.assert_allclose(coloured(seen, flat), plain(seen, SIGMA), atol=1e-6)


@methods
@pytest.mark.parametrize(("width", "correlation"), [(0.7, 0.0), (0.0, 1.0)], ids=["neighbours", "channels"])
def test_knowing_what_neighbours_or_channels_share_is_worth_a_decibel(
    coloured: Any, plain: Any, width: float, correlation: float
) -> None:
    clean, noise = crop(), law(width, correlation)
    seen = noisy(clean, noise)
    assert psnr(coloured(seen, noise), clean) > psnr(plain(seen, SIGMA), clean) + 1


def test_an_estimate_is_nearly_as_good_as_what_is_given() -> None:
    clean, noise = crop(128), law(0.7, 0.0)
    seen = noisy(clean, noise)
    found = psnr(coloured_nl_ridge(seen), clean)
    assert found > psnr(nl_ridge(seen, SIGMA), clean) + 1
    assert found > psnr(coloured_nl_ridge(seen, noise), clean) - 0.5


def test_whitened_noise_is_white_and_as_strong_in_all_planes() -> None:
    spectrum = law(0.7, 0.5).deviations(48, 56).square().numpy()
    weights, sigma = whitening(spectrum)
    left = spectrum * weights**2
    assert sigma == pytest.approx(SIGMA / 255)
    means = left.mean(axis=(1, 2)), (left * spectrum).sum(axis=(1, 2)) / spectrum.sum(axis=(1, 2))
    np.testing.assert_allclose(np.sqrt(means[0] * means[1]), sigma**2)
    strong = spectrum > 0.2 * spectrum.max(axis=(1, 2), keepdims=True)
    assert left[strong].max() < 1.3 * left[strong].min()
    flat, _ = whitening(np.full((3, 8, 8), 0.01))
    np.testing.assert_allclose(flat, 1)
    planes = crop(56)[:, :48]
    np.testing.assert_allclose(filtered(filtered(planes, weights), 1 / weights), planes, atol=1e-12)


def test_noise_that_grows_with_brightness_counts_as_its_mean() -> None:
    image = np.full((3, 16, 16), 0.75)
    noise = CorrelatedNoise((0.1, 0.2, 0.3), 0.7, growth=1.0)
    variances = spectrum_of(image, noise).mean(axis=(1, 2))
    np.testing.assert_allclose(variances, 1.25 * np.square(noise.sigmas), rtol=1e-6)


def test_nl_ridge_knows_where_bright_noise_is_stronger() -> None:
    clean = crop()
    noise = CorrelatedNoise((SIGMA / 255,) * 3, 0.7, growth=2.0)
    seen = noisy(clean, noise)
    everywhere = CorrelatedNoise(noise.sigmas, noise.width)
    assert psnr(coloured_nl_ridge(seen, noise), clean) > psnr(coloured_nl_ridge(seen, everywhere), clean) + 0.1


def test_wrong_noise_is_refused() -> None:
    image = crop(16)
    with pytest.raises(ValueError, match=r"noise of 1 channels for an image of 3: give as many"):
        spectrum_of(image, law(0.0, 0.0, 1))
    for wrong in (np.ones((16, 16)), np.full(image.shape, -1.0), np.full(image.shape, np.nan)):
        with pytest.raises(ValueError, match="give one value, 0 or above, for each frequency"):
            spectrum_of(image, wrong)
    with pytest.raises(ValueError, match="give sigma, width, correlation and growth"):
        spectrum_of(image[:, :8], None)
    with pytest.raises(ValueError, match=r"\(1, h, w\), grey"):
        spectrum_of(image[:2], None)


def test_pictures_in_their_layout_are_taken() -> None:
    picture, noise = np.moveaxis(crop(24), 0, 2), law(0.7, 0.5)
    found = dipx.baselines.coloured_lichi(picture, noise)
    np.testing.assert_array_equal(found, np.moveaxis(coloured_lichi(crop(24), noise), 0, 2))


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(classical.DENOISERS, "bm3d", raising=False)
    with pytest.raises(ValueError, match="package bm3d is not installed"):
        dipx.baselines.coloured_block_matching(crop(16)[0], law(0.7, 0.0, 1))
