"""The noise's strength taken from the picture: its error bar covers what it should."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_image, thorough_after
from skimage.restoration import estimate_sigma
from test_splitting import LAWS, SIGMA, UNKNOWN, WAITS, blurred, observation, smooth

from dip_experiments.config.settings import Settings
from dip_experiments.data.layers import OPPONENT
from dip_experiments.data.reading import read_picture
from dip_experiments.noise.estimation import doubt_about, estimated_sigma, impulses, spoilt_parts, used_sigma
from dip_experiments.operators import Identity
from dip_experiments.runner import validate
from dip_experiments.stopping import FitInput
from dip_experiments.stopping.noise_models import NoiseModel
from dip_experiments.stopping.split import Split
from dip_experiments.tasks import Task, noise

FOLDERS = ("cset9", "set14", "set5", "standard11")


def noisy(clean: np.ndarray, sigma: float, *seeds: int) -> np.ndarray:
    return clean + np.random.default_rng(seeds).normal(0, sigma / 255, clean.shape)


def split(law: NoiseModel) -> Split:
    return Split(name="split", law=law, a=0.5, mix=[], **WAITS)


def away(law: str, clean: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, float]:
    """By how many standard errors the estimated error of a soft picture is off: in the curves, and at the stop."""
    rule = split(UNKNOWN[law])
    part = rule.hold_out(FitInput(torch.from_numpy(y)[None], Identity()), [seed])
    image = blurred(part.measurement)
    true = float((image - torch.from_numpy(clean)).square().mean())
    columns, told = rule.observe(observation(image), {}, part.held_out).columns, rule.estimate(image, part.held_out)
    return float((columns["split_mse"] - true) / columns["split_mse_se"]), (told["mse"] - true) / told["mse_se"]


@cache
def whole_pictures(shared: Path) -> list[np.ndarray]:
    """39 pictures, grey and in colour."""
    paths = sorted(path for folder in FOLDERS for path in (shared / "data" / folder).glob("*.png"))
    return [load_image("file", str(path), None, "crop") for path in paths]


def middles(shared: Path, *sizes: int) -> Iterator[tuple[int, np.ndarray]]:
    """The middle of each picture, of the sizes in turn."""
    for n, whole in enumerate(whole_pictures(shared)):
        side = sizes[n % len(sizes)]
        top, left = ((length - side) // 2 for length in whole.shape[1:])
        yield n, whole[:, top : top + side, left : left + side]


def corners(shared: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Two corners of each picture that has room for them beside its middle: the constants were fitted to no corner."""
    for n, whole in enumerate(whole_pictures(shared)):
        for at_bottom in (False, True):
            side, (height, width) = (64, 96, 128)[(n + at_bottom) % 3], whole.shape[1:]
            if min(height, width) >= 2 * side:
                top, left = (height - side) * at_bottom, (width - side) * ((n + at_bottom) % 2)
                yield 2 * n + at_bottom, whole[:, top : top + side, left : left + side]


def bundled_parts(count: int) -> Iterator[tuple[int, np.ndarray]]:
    """So many parts, anywhere in each of scikit-image's pictures, which need no data."""
    for n, picture in enumerate(("astronaut", "camera", "coffee", "chelsea")):
        whole = read_picture(picture, None)
        for seed in range(count):
            draw, side = np.random.default_rng([n, seed]), (64, 96, 128)[seed % 3]
            top, left = (draw.integers(length - side) for length in whole.shape[1:])
            yield count * n + seed, np.asarray(whole[:, top : top + side, left : left + side], dtype=np.float64)


def check_coverage(z: list[float]) -> None:
    """68 % within one and 95 % within two standard errors, give or take what 200 draws allow: three of their errors."""
    for most, share in ((1, 0.68), (2, 0.95)):
        found = np.mean(np.abs(z) < most)
        assert found == pytest.approx(share, abs=3 * (share * (1 - share) / 200) ** 0.5), f"{len(z)} draws"


def test_an_error_estimated_with_an_estimated_sigma_is_as_often_right_as_it_says(shared: Path) -> None:
    z = {
        sigma: [
            away("gaussian", clean, noisy(clean, sigma, n, len(sizes), int(sigma)), n)
            for sizes in ((64, 96, 128), (160, 128))
            for n, clean in middles(shared, *sizes)
        ]
        for sigma in (10.0, 25.0, 50.0)
    }
    for which in range(2):
        check_coverage([found[which] for of_sigma in z.values() for found in of_sigma])
    for sigma, of_sigma in z.items():
        share = np.mean([abs(found) < 2 for found, _ in of_sigma])
        assert share > 0.86, f"sigma {sigma:g}: {share:.2f} within two standard errors"


def test_it_is_no_less_often_right_on_the_smoother_pictures_that_come_with_scikit_image() -> None:
    z = [
        away("gaussian", clean, noisy(clean, sigma, n, int(sigma)), n)
        for sigma in (10.0, 25.0, 50.0)
        for n, clean in bundled_parts(9)
    ]
    found = np.array(z)
    assert (np.mean(np.abs(found) < 1, axis=0) > 0.68).all()
    assert (np.mean(np.abs(found) < 2, axis=0) > 0.95).all()
    assert (np.std(found, axis=0) > 0.5).all(), "wider errors than it needs"


@pytest.mark.thorough
def test_so_it_is_on_parts_of_pictures_that_its_constants_were_not_fitted_to(shared: Path) -> None:
    z = [
        away("gaussian", clean, noisy(clean, sigma, n, int(sigma)), n)
        for sigma in (10.0, 25.0, 50.0)
        for n, clean in corners(shared)
    ]
    assert len(z) > 200
    for which in range(2):
        check_coverage([found[which] for found in z])


@pytest.mark.parametrize("law", thorough_after(1, ["poisson", "gamma"]))
def test_so_it_is_with_an_estimated_gain_and_with_looks(law: str, shared: Path) -> None:
    z = []
    for sizes in ((64,), (128, 96), (96, 160)):
        for n, clean in middles(shared, *sizes):
            draw, level = np.random.default_rng([n, *sizes]), (10, 30, 100)[n % 3]
            photons, speckle = draw.poisson(clean * level) / level, clean * draw.gamma(level, 1 / level, clean.shape)
            z.append(away(law, clean, photons if law == "poisson" else speckle, n)[0])
    assert np.mean(np.abs(z) < 1) > 0.58
    assert np.mean(np.abs(z) < 2) > 0.9
    assert 0.5 < np.std(z) < 1.2


@pytest.mark.parametrize("channels", [1, 3])
def test_without_texture_chance_is_what_is_left_and_falls_with_the_number_of_values(channels: int) -> None:
    for side in (64, 128):
        drawn = [noisy(smooth(side)[0][:channels], 50.0, seed, side) for seed in range(60)]
        error = np.std([(255 * estimated_sigma(y) / 50) ** 2 - 1 for y in drawn])
        told = doubt_about(50.0, torch.from_numpy(drawn[0])[None])
        assert told / error == pytest.approx(1.05, abs=0.3)  # three times the standard error of a deviation of 60
    replicas = torch.from_numpy(np.stack(drawn[:4]))
    assert doubt_about(50.0, replicas) == pytest.approx(told / 2, rel=0.2), "four draws of the noise tell more"
    assert doubt_about(50.0, replicas[:1].expand(4, -1, -1, -1)) == told, "the same one four times does not"


def test_the_doubt_about_an_estimated_sigma_is_part_of_every_standard_error() -> None:
    y, errors = torch.from_numpy(noisy(smooth(64)[0], SIGMA, 1))[None], []
    image = blurred(y)
    for law in (LAWS["gaussian"], UNKNOWN["gaussian"]):
        part = split(law).hold_out(FitInput(y, Identity()), [0])
        columns = split(law).observe(observation(image), {}, part.held_out).columns
        told = split(law).estimate(image, part.held_out)
        assert told is not None
        errors.append([float(columns["split_mse_se"]), float(columns["split_mean_mse_se"]), told["mse_se"]])
    sigma = used_sigma(None, y)[0]
    doubt = (sigma / 255) ** 2 * doubt_about(sigma, y)
    for given, estimated in zip(*errors, strict=True):
        assert estimated == pytest.approx(np.hypot(given, doubt), rel=0.05)
        assert estimated > 1.2 * given


def test_without_a_strip_the_estimate_is_scikit_images_bit_for_bit() -> None:
    for y in (noisy(smooth(96)[0], 25.0, 0), noisy(smooth(96)[0], 50.0, 1).clip(0, 1)):
        theirs = estimate_sigma(np.tensordot(OPPONENT[1:], y, 1), channel_axis=0, average_sigmas=True)
        assert estimated_sigma(y) == float(theirs)


def warned(y: torch.Tensor, caplog: pytest.LogCaptureFixture, law: str = "gaussian") -> str:
    """What is said of a measurement before it is fitted."""
    caplog.clear()
    task = Task(y, Identity())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "rules", {"split": split(UNKNOWN[law])})
        validate.log_noise_estimates(Settings.model_construct(), task, {})
    return caplog.text


@pytest.mark.parametrize(("error", "doubtful"), [(2.0, True), (1.0, False)])
def test_a_sigma_that_is_not_sure_is_reported_before_the_fit(
    error: float, doubtful: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "rules", {"split": split(UNKNOWN["gaussian"])})
    facts: dict[str, float | str] = {"sigma": 6.0, "sigma_from": "estimated", "sigma_error": error}
    task = Task(torch.from_numpy(noisy(smooth(32)[0], 6.0, 0))[None], Identity())
    validate.log_noise_estimates(Settings.model_construct(), task, {"split": facts})
    assert ("split: sigma 6 +- 2 is not sure, as texture may pass for noise" in caplog.text) == doubtful


@pytest.mark.parametrize("colour", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("law", ["gaussian", "poisson", "gamma"])
def test_a_strip_without_noise_does_not_lower_the_estimate_and_is_reported(
    law: str, colour: float, caplog: pytest.LogCaptureFixture
) -> None:
    clean, draw = smooth(128)[0], np.random.default_rng(0)
    y = {
        "gaussian": noisy(clean, 25.0, 0),
        "poisson": draw.poisson(clean * 30) / 30,
        "gamma": clean * draw.gamma(10, 0.1, clean.shape),
    }[law]
    level = UNKNOWN[law].known(torch.from_numpy(y)[None]).level
    y[:, :16] = y[:, -16:] = colour  # as a film has them
    given = torch.from_numpy(y)[None]
    found = UNKNOWN[law].known(given).level
    assert found == pytest.approx(level, rel=0.1)
    assert spoilt_parts(y) == pytest.approx((0.25, 0), abs=0.01)
    assert "is constant, without noise" in warned(given, caplog)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("flicker", [0, 1])
def test_the_error_of_what_has_noise_is_estimated_where_the_rest_has_none(
    flicker: int, level: float, channels: int
) -> None:
    """Bars of a letterbox, a margin: of one colour, or of two neighbouring grey levels at an end, as compressed."""
    if flicker and level == 0.5:
        pytest.skip("which might be a picture's own texture")
    z, sigmas = [], []
    clean = smooth(128)[0][:channels] * 0.8 + 0.1
    bars = np.r_[0:19, 112:128]
    for seed in range(24):
        draw = np.random.default_rng(seed)
        y = noisy(clean, 25.0, seed).clip(0, 1)
        y[:, bars] = abs(level - draw.integers(0, flicker, y[:, bars].shape, endpoint=True) / 255)
        rule = split(LAWS["gaussian"].model_copy(update={"sigma": 25.0}))
        part = rule.hold_out(FitInput(torch.from_numpy(y)[None], Identity()), [seed])
        image = blurred(part.measurement)
        rows = np.setdiff1d(np.arange(128), bars)
        true = np.square(image[0].numpy() - clean)[:, rows].mean()
        found = rule.estimate(image, part.held_out)
        z.append((found["mse"] - true) / found["mse_se"])
        sigmas.append(255 * estimated_sigma(y))
        assert torch.equal(part.measurement[0, :, bars], torch.from_numpy(y)[:, bars]), "nothing is added to the bars"
    assert abs(np.mean(z)) < 0.7, "three standard errors of a mean of 24"
    assert np.mean(sigmas) == pytest.approx(25, rel=0.06)


@pytest.mark.parametrize("sigma", [25.0, 50.0])
def test_clipping_widens_the_doubt_and_is_reported(sigma: float, caplog: pytest.LogCaptureFixture) -> None:
    y = noisy((smooth(128)[0] * 1.6 - 0.3).clip(0, 1), sigma, 0)
    assert "cut off" not in warned(torch.from_numpy(y)[None], caplog)
    share = float(((y < 0) | (y > 1)).mean())
    clipped = torch.from_numpy(y.clip(0, 1))[None]
    found, _ = used_sigma(None, clipped)
    assert found < 0.93 * sigma
    assert "where it is cut off" in warned(clipped, caplog)
    doubt = UNKNOWN["gaussian"].known(clipped).doubt
    assert doubt == pytest.approx(2 * share, rel=0.15)
    assert abs(found**2 / sigma**2 - 1) < 2 * doubt
    with_bars = torch.nn.functional.pad(clipped, (0, 0, 64, 64))
    assert UNKNOWN["gaussian"].known(with_bars).doubt == pytest.approx(doubt, rel=0.02), "bars are not clipped"


def test_zeros_of_counted_photons_are_not_taken_for_clipping(caplog: pytest.LogCaptureFixture) -> None:
    dark = torch.from_numpy(np.random.default_rng(0).poisson(smooth(128)[0] * 2) / 10)[None]
    assert float((dark == 0).double().mean()) > 0.1
    assert float(dark.max()) <= 1
    assert "cut off" not in warned(dark, caplog, "poisson")
    assert "cut off" in warned(dark, caplog), "Gaussian noise has zeros by clipping alone"


@pytest.mark.parametrize("channels", [1, 3])
def test_salt_and_pepper_are_said_and_clipped_noise_is_not(channels: int, caplog: pytest.LogCaptureFixture) -> None:
    clean, draws = torch.from_numpy(smooth(96)[0][:channels]), torch.Generator().manual_seed(0)
    noisy = (clean + 50 / 255 * torch.randn(clean.shape, generator=draws, dtype=torch.float64)).clamp(0, 1)
    assert impulses(noisy.numpy()) < 0.001
    hit = noise.SaltAndPepper(name="salt_and_pepper", fraction=0.05).apply(clean, draws)
    assert impulses(hit.numpy()) == pytest.approx(0.05, abs=0.012)
    faint = (clean + 10 / 255 * torch.randn(clean.shape, generator=draws, dtype=torch.float64)).clamp(0, 1)
    hit = noise.SaltAndPepper(name="salt_and_pepper", fraction=0.05).apply(faint, draws)
    assert "black or white by themselves" in warned(hit[None], caplog)
    assert "black or white by themselves" not in warned(noisy[None], caplog)
