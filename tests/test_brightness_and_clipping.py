"""Noise that depends on brightness or was clipped: made, split, estimated from a picture, and undone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_image
from test_splitting import WAITS, blurred, smooth
from torch import Tensor

from dip_experiments.api import StoppingMonitor
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.noise import ClippedNoise, CorrelatedNoise, estimated_noise
from dip_experiments.noise.clipping import clipped_moments
from dip_experiments.operators import Identity, Mask
from dip_experiments.stopping import FitInput
from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel, NoiseModel, PoissonGaussianNoiseModel
from dip_experiments.stopping.split import Split
from dip_experiments.tasks import Camera
from dip_experiments.tasks.camera import demosaiced
from dip_experiments.tasks.noise import PoissonGaussian

PHOTONS = PoissonGaussian(name="poisson_gaussian", peak=60.0, sigma=10.0)


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def white(sigma: float, growth: float = 0.0) -> CorrelatedNoise:
    return CorrelatedNoise.of_channels(3, sigma / 255, 0.0, 0.0, growth)


def law(sigma: float, growth: float) -> CorrelatedNoiseModel:
    return CorrelatedNoiseModel(name="correlated", sigma=sigma, width=0.0, correlation=0.0, growth=growth)


def split(law: NoiseModel, a: float = 0.5) -> Split:
    return Split(name="split", law=law, a=a, mix=[], **WAITS)


def camera(quality: int = 90) -> Camera:
    return Camera(name="camera", electrons=300.0, read=3.0, gamma=2.2, quality=quality)


def photographs(shared: Path, size: int) -> list[np.ndarray]:
    return [load_image("file", str(path), size, "crop") for path in sorted((shared / "data" / "cset9").glob("*.png"))]


@pytest.mark.parametrize(("sigma", "growth"), [(25.0, 2.0), (25.0, -1.0), (10.0, 0.0)])
def test_the_variance_of_a_draw_is_a_line_in_brightness(sigma: float, growth: float) -> None:
    noise = white(sigma, growth)
    for brightness in (0.0, 0.3, 1.0):
        flat = torch.full((3, 300, 300), brightness, dtype=torch.float64)
        expected = (sigma / 255) ** 2 * (1 + growth * (brightness - 0.5))
        assert float(noise.draw(flat, draws(0)).var()) == pytest.approx(expected, rel=0.02, abs=1e-12)
    assert noise.gain == pytest.approx(growth * (sigma / 255) ** 2)
    assert noise.sigma_at_black**2 == pytest.approx((sigma / 255) ** 2 * (1 - growth / 2))


def test_both_parts_of_a_split_of_photons_and_electronics_are_unbiased_and_uncorrelated() -> None:
    a, rule = 0.5, PoissonGaussianNoiseModel(name="poisson_gaussian", gain=1 / 60, sigma=10.0)
    for brightness in (0.1, 0.5, 0.9):
        clean = torch.full((3, 300, 300), brightness, dtype=torch.float64)
        y = PHOTONS.apply(clean, draws(1))
        known = rule.known(y[None])
        extra = known.extra(y, a, draws(2))
        assert y.var() == pytest.approx(brightness / 60 + (10 / 255) ** 2, rel=0.02)
        assert float(known.variance(y[None]).mean()) == pytest.approx(float(y.var()), rel=0.02)
        first, second = y + extra - brightness, y - extra / a**2 - brightness
        for values in (first, second, first * second):
            assert abs(values.mean()) < 4 * values.std() / values.numel() ** 0.5


def test_the_growth_with_brightness_is_found_in_photographs(shared: Path) -> None:
    for growth in (0.0, 1.0, 2.0):
        errors, ratios = [], []
        for n, clean in enumerate(photographs(shared, 128)):
            image = torch.from_numpy(clean)
            noise = estimated_noise((image + white(25.0, growth).draw(image, draws(n))).double().numpy(), growth=None)
            brightness = torch.tensor(float(clean.mean()))
            errors.append(noise.growth - growth)
            expected = white(25.0, growth).relative(brightness) * (25 / 255) ** 2
            ratios.append(float((noise.relative(brightness) * noise.sigma**2 / expected) ** 0.5))
        assert np.median(np.abs(errors)) < 0.35
        assert np.max(np.abs(errors)) < 1
        assert np.mean(ratios) == pytest.approx(1, abs=0.04)


def test_gain_and_electronics_are_found_and_what_is_given_is_taken() -> None:
    clean = torch.from_numpy(smooth(128)[0])
    y = PHOTONS.apply(clean, draws(3))[None]
    found = PoissonGaussianNoiseModel(name="poisson_gaussian", gain=None, sigma=None).known(y).facts
    variance = found["gain"] * float(clean.mean()) + (found["sigma"] / 255) ** 2
    assert variance == pytest.approx(float(clean.mean()) / 60 + (10 / 255) ** 2, rel=0.1)
    given = PoissonGaussianNoiseModel(name="poisson_gaussian", gain=1 / 60, sigma=None).known(y).facts
    assert given["gain"] == 1 / 60
    assert given["sigma"] == pytest.approx(10, abs=3)
    given = PoissonGaussianNoiseModel(name="poisson_gaussian", gain=None, sigma=10.0).known(y).facts
    assert given["gain"] == pytest.approx(1 / 60, rel=0.2)
    assert (given["sigma_from"], given["gain_from"]) == ("given", "estimated")


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_moments_of_clipped_noise_are_those_of_draws(sigma: float) -> None:
    brightness = np.array([0.0, 0.05, 0.5, 0.9])
    values = np.clip(brightness + sigma * np.random.default_rng(0).normal(size=(200_000, 4)), 0, 1)
    mean, variance = clipped_moments(brightness, np.full(4, sigma))
    np.testing.assert_allclose(values.mean(0), mean, atol=4 * sigma / 200_000**0.5)
    np.testing.assert_allclose(values.var(0), variance, rtol=0.02)
    table = ClippedNoise.of(white(255 * sigma))
    np.testing.assert_allclose(table.undone(mean), brightness, atol=1e-4)
    np.testing.assert_allclose(table.variance_at(mean), variance, rtol=1e-3)
    small = 1e-4
    slopes = (table.undone(mean[2:] + small) - table.undone(mean[2:])) / small
    np.testing.assert_allclose(table.stretch(mean[2:]), slopes, rtol=0.02)


def test_clipping_does_not_make_the_estimated_noise_smaller(shared: Path) -> None:
    ratios = []
    for n, clean in enumerate(photographs(shared, 128)):
        image = torch.from_numpy(clean)
        y = (image + white(50.0).draw(image, draws(n))).clamp(0, 1)
        ratios.append(255 * estimated_noise(y.double().numpy()).sigma / 50)
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)
    assert np.std(ratios) < 0.03


@pytest.mark.parametrize(("sigma", "growth", "clip"), [(50.0, 0.0, True), (25.0, 1.5, False), (25.0, 1.5, True)])
def test_the_estimated_error_is_the_true_one_within_its_standard_error(sigma: float, growth: float, clip: bool) -> None:
    clean, rule, z = torch.from_numpy(smooth(48)[0]), split(law(sigma, growth)), []
    for seed in range(150):
        y = clean + white(sigma, growth).draw(clean, draws(seed))
        part = rule.hold_out(FitInput((y.clamp(0, 1) if clip else y)[None], Identity()), [seed])
        image = blurred(part.measurement)
        assert ("stretch" in part.held_out) == clip
        found = rule.estimate(image, part.held_out)
        error = float((rule.unbiased(image[0], part.held_out) - clean).square().mean())
        z.append((found["mse"] - error) / found["mse_se"])
    assert abs(np.mean(z)) < (0.7 if clip else 0.3)
    assert np.std(z) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("brightness", "sigma", "growth"), [(0.2, 10.0, 2.0), (0.05, 50.0, 0.0)])
def test_holes_are_no_places_at_which_noise_was_clipped(brightness: float, sigma: float, growth: float) -> None:
    clean = torch.full((3, 64, 64), brightness, dtype=torch.float64)
    y = (clean + white(sigma, growth).draw(clean, draws(0))).clamp(0, 1)[None]
    known = torch.rand(1, 1, 64, 64, generator=draws(1)).expand_as(y) < 0.5
    known[..., :20, :20] = False  # and one with nothing around
    given, true = FitInput(y * known, Mask(known)), float(y[known].var())
    part = split(law(sigma, growth)).hold_out(given, [0])
    assert float(part.held_out["level"]) == pytest.approx(true, rel=0.04)
    assert float(part.held_out["strength"]) == pytest.approx(0.25 * true, rel=0.06)
    assert part.facts["clipped"] == (sigma == 50)
    rule = Discrepancy(name="discrepancy", sigma=None, law=law(sigma, growth), tau=1.0)
    assert float(rule.hold_out(given, [0]).held_out["noise"]) == pytest.approx(true, rel=0.04)
    assert torch.equal(given.filled()[known], y[known])


def test_where_all_noise_was_clipped_away_it_has_to_be_given() -> None:
    clean = torch.full((1, 40, 40), 0.005, dtype=torch.float64)
    clean[:, :8, :24] = 0.5
    noise = CorrelatedNoise.of_channels(1, 80 / 255, 0.0, 0.0, 2.0)
    y = (clean + noise.draw(clean, draws(0))).clamp(0, 1)
    with pytest.raises(ValueError, match="clipped away but for 3 places; give sigma, width"):
        estimated_noise(y.numpy(), growth=2.0)


def test_photons_without_noise_of_the_electronics_may_be_given() -> None:
    words = "task=denoising stopping=split stopping/law=poisson_gaussian stopping.law.sigma=0 stopping.law.gain=0.02"
    stopping = read_settings(compose_jobs(words.split(), multirun=False)[0]).stopping
    assert isinstance(stopping, Split)
    y = torch.rand(1, 3, 32, 32, dtype=torch.float64, generator=draws(0)) + 0.1
    torch.testing.assert_close(stopping.law.known(y).variance(y), 0.02 * y)


def test_undoing_the_bias_of_clipped_noise_brings_a_mean_back_to_the_image() -> None:
    clean, rule = torch.linspace(0, 1, 32, dtype=torch.float64)[:, None].expand(3, 32, 4000), split(law(50.0, 0.0))
    y = (clean + white(50.0).draw(clean, draws(0))).clamp(0, 1)
    part = rule.hold_out(FitInput(y[None, :, :, :64], Identity()), [0])
    mean = y.mean(2, keepdim=True)
    undone = rule.unbiased(mean, part.held_out)
    assert (mean - clean[..., :1]).abs().mean() > 0.02
    assert (undone - clean[..., :1]).abs().mean() < 0.005


def test_a_monitor_in_ones_own_loop_undoes_it_too_as_its_estimate_is_of_that_image() -> None:
    dark = torch.full((3, 32, 32), 0.08, dtype=torch.float64)
    y = (dark + white(50.0).draw(dark, draws(0))).clamp(0, 1)
    monitor = StoppingMonitor(split(law(50.0, 0.0)), y)
    mean = torch.full_like(dark, float(y.mean()))
    monitor.step(mean)
    assert monitor.image is not None
    assert abs(float(mean.mean()) - 0.08) > 0.02 > abs(monitor.image.mean() - 0.08)


def test_a_colour_that_a_camera_does_not_see_is_the_mean_of_its_neighbours() -> None:
    image = torch.rand(3, 6, 8, dtype=torch.float64, generator=draws(0))
    found = demosaiced(image)
    assert found[0, 2, 4] == image[0, 2, 4]
    assert found[0, 2, 3] == pytest.approx(float(image[0, 2, [2, 4]].mean()))
    assert found[2, 2, 4] == pytest.approx(float(image[2, 1:4:2, 3:6:2].mean()))
    assert found[1, 2, 4] == pytest.approx(float((image[1, 2, [3, 5]].sum() + image[1, [1, 3], 4].sum()) / 4))
    torch.testing.assert_close(demosaiced(torch.full((3, 5, 7), 0.3)), torch.full((3, 5, 7), 0.3))


def test_the_noise_of_a_camera_is_shared_by_neighbours_and_channels(shared: Path) -> None:
    found, quiet = [], Camera(name="camera", electrons=1e9, read=0.0, gamma=2.2, quality=90)
    for n, clean in enumerate(photographs(shared, 128)):
        image = torch.from_numpy(clean)
        y: Tensor = camera().apply(image, draws(n))
        noise = estimated_noise(y.double().numpy(), growth=None)
        ratio = noise.sigma / float((y - quiet.apply(image, draws(n))).std())
        found.append((ratio, noise.width, noise.widths[-1], noise.correlation, noise.growth))
    ratio, width, colour_width, correlation, growth = np.median(found, axis=0)
    assert ratio == pytest.approx(1, abs=0.1)
    assert (0.4 < width < colour_width, 0.4 < correlation < 1, growth < 0) == (True, True, True)
    grey = camera(100).apply(torch.full((1, 64, 64), 0.5), draws(0))
    assert grey.shape == (1, 64, 64)
