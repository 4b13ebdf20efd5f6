"""The Python API gives the numbers of the command line, needs nothing but arrays, and leaves nothing behind."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dip, only_run, thorough_after
from numpy.typing import NDArray

import dip_experiments as dipx
from dip_experiments.architectures import Pixels
from dip_experiments.data.arrays import to_channels_first
from dip_experiments.data.reading import read_image
from dip_experiments.fitting.module import DIPModule
from dip_experiments.metrics import estimated_psnr, psnr_of_estimate, psnr_range
from dip_experiments.operators import Downsampler, Mask
from dip_experiments.store import write_image

SMALL = {"architecture.down": [8, 8], "architecture.skip": [4, 4], "fit.block": 5}
WORDS = ["scale=smoke", "logger=none", *(f"{key}={str(value).replace(' ', '')}" for key, value in SMALL.items())]
CLEAN = np.random.default_rng(0).uniform(size=(5, 6)).repeat(4, 0).repeat(4, 1)
NOISY = np.clip(255 * CLEAN + np.random.default_rng(1).normal(0, 20, CLEAN.shape), 0, 255).round().astype(np.uint8)


class Sum(dipx.Regularizer):
    """One number for all replicas."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum()


class Unreduced(dipx.Loss):
    """No number at all."""

    def __call__(self, fitted: torch.Tensor, measurement: torch.Tensor) -> torch.Tensor:
        return fitted - measurement


class Shared(dipx.Loss):
    """A number for each replica, which all share."""

    def __call__(self, fitted: torch.Tensor, measurement: torch.Tensor) -> torch.Tensor:
        return torch.square(fitted - measurement).mean().expand(len(fitted))


def fit(y: Any = NOISY, operator: Any = None, **given: Any) -> dipx.Reconstruction:
    settings = {**SMALL, **given.pop("settings", {})}
    return dipx.reconstruct(
        y, operator, **{"scale": "smoke", "iterations": 10, "progress": False, "settings": settings, **given}
    )


def as_file(tmp_path: Path, picture: NDArray[np.uint8]) -> str:
    write_image(tmp_path / "picture.png", picture[None] / 255)
    return f"image.path={tmp_path / 'picture.png'}"


def assert_same_numbers(result: dipx.Reconstruction, tmp_path: Path) -> None:
    run = only_run(tmp_path)
    for name, column in run.stored_columns().items():
        np.testing.assert_array_equal(np.asarray(column, float), result.history[name].to_numpy(float), err_msg=name)
    output = read_image(run.image("average", 0))
    np.testing.assert_array_equal(np.round(np.clip(result.average[0], 0, 1) * 255), np.round(output[0] * 255))


@pytest.mark.parametrize("stopping", thorough_after(2, ["split", "none", "held_out_pixels"]))
def test_a_noisy_picture_has_the_numbers_of_the_command(stopping: str, dip: Dip, tmp_path: Path) -> None:
    rule = {} if stopping == "none" else {"stopping.patience": 5}
    words = [f"{key}={value}" for key, value in rule.items()]
    common = ["task=denoising", "task.noise=none", "replicas=2", "seed=3", "fit.iterations=10"]
    assert dip(*WORDS, as_file(tmp_path, NOISY), *common, f"stopping={stopping}", *words) == 0
    result = fit(stopping=stopping, replicas=2, seed=3, settings=rule)
    assert_same_numbers(result, tmp_path)
    assert result.image.shape == NOISY.shape


def test_a_low_resolution_picture_has_the_numbers_of_the_command(dip: Dip, tmp_path: Path) -> None:
    words = ["task=super_resolution", "task.source=low_resolution", "task.factor=2", "fit.iterations=10"]
    assert dip(*WORDS, as_file(tmp_path, NOISY), *words) == 0
    result = fit(operator=Downsampler(2, 2))
    assert_same_numbers(result, tmp_path)
    assert result.image.shape == (40, 48)


@pytest.mark.parametrize("noise", [[], ["noise=gaussian"]])
def test_restore_has_the_numbers_of_the_command(noise: list[str], dip: Dip, tmp_path: Path) -> None:
    words = ["replicas=2", "fit.iterations=10", "stopping.patience=5", *noise]
    file = as_file(tmp_path, NOISY).removeprefix("image.path=")
    assert dip("restore", file, *WORDS, *words) == 0
    settings = {**SMALL, "fit.iterations": 10, "stopping.patience": 5}
    given: dict[str, Any] = {"noise": noise[0].removeprefix("noise=")} if noise else {}
    result = dipx.restore(NOISY, scale="smoke", replicas=2, settings=settings, progress=False, **given)
    assert_same_numbers(result, tmp_path)
    stop = only_run(tmp_path).summary["stopping"]["split"]
    assert result.stopped_at == stop["joint"]
    assert result.summary["stopping"]["split"]["mix"] == stop["mix"]
    assert result.estimated_psnr == psnr_of_estimate(**stop["mix"]["estimate"]), "that of the image, not the network's"
    assert result.estimated_psnr_range == psnr_range(**stop["mix"]["estimate"])
    assert f"estimated PSNR {estimated_psnr(**stop['mix']['estimate'])};" in repr(result)


def test_a_picture_without_room_for_the_window_of_ssim_has_none() -> None:
    small = CLEAN[:10, :10]
    result = dipx.reconstruct(small, reference=small, scale="smoke", iterations=2, settings=SMALL, progress=False)
    assert set(result.summary["scores"]["output"]) == {"psnr"}


def test_in_another_thread_it_leaves_no_file_and_no_global_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    found: list[dipx.Reconstruction] = []
    thread = threading.Thread(target=lambda: found.append(fit()))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0].image, fit().image)
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (NOISY, (20, 24)),
        (NOISY[..., None], (20, 24, 1)),
        (np.stack([NOISY] * 3, axis=-1), (20, 24, 3)),
        (torch.from_numpy(NOISY)[None], (1, 20, 24)),
        (NOISY / 255, (20, 24)),
        (NOISY.astype(np.uint16) * 257, (20, 24)),
    ],
)
def test_an_image_has_the_layout_of_the_picture(given: Any, shape: tuple[int, ...]) -> None:
    values, layout = to_channels_first(given)
    assert layout(values).shape == shape
    np.testing.assert_allclose(values[0], NOISY / 255, rtol=0, atol=1e-12)
    assert layout(np.stack([values] * 2)).shape == (2, *shape)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (NOISY.astype(float), "scale it to"),
        (NOISY[None, None], "give an array"),
        (np.full((8, 8), np.nan), "NaN"),
        (NOISY.astype(int), "give uint8"),
        (np.zeros((3, 20, 24)), "channels come last"),
        (torch.zeros(20, 24, 3), r"channels come first, \(c, h, w\); use x.permute"),
        (2 * CLEAN - 1, "scale it to"),
    ],
)
def test_a_picture_that_could_be_taken_for_another_is_refused(given: Any, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        fit(given)


def test_the_name_of_a_file_is_no_picture() -> None:
    with pytest.raises(ValueError, match=r"skimage\.io\.imread\('my\.png'\)"):
        to_channels_first("my.png")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"network": "skipp"}, "no such option .*; choose from"),
        ({"settings": {"fit.iteration": 3}}, "fit.iteration: unknown setting"),
        ({"network": torch.nn.Conv2d(32, 1, 1), "replicas": 2}, "a function that makes a module"),
        ({"network": lambda: torch.nn.Conv2d(3, 1, 1)}, "fails on a latent of shape"),
        ({"network": lambda: torch.nn.Conv2d(32, 2, 1)}, "not an image of 1 channels"),
        ({"operator": lambda x: x[..., ::2]}, "maps images of shape"),
        ({"operator": lambda x: x[:, :1, :, :7]}, "give image_shape="),
        ({"operator": lambda x: x[:, 5:]}, "maps images of shape"),
        ({"operator": lambda x: x.detach() * 1.0}, "passes no gradients on"),
        ({"operator": lambda x: torch.from_numpy(x.numpy())}, "fails on a tensor with gradients"),
        ({"settings": {"lr": 0.1}}, r"did you mean optimizer\.lr"),
        ({"operator": lambda x: x + torch.rand_like(x)}, "gives other values each time"),
        ({"operator": 3}, "give an Operator, a function"),
        ({"operator": np.ones(NOISY.shape, int)}, "use mask > 0"),
        ({"regularizer": Sum()}, r"a tensor of shape \(2,\) is wanted, one number for each, such as .* it gives \(\)"),
        ({"loss": Unreduced()}, r"it gives \(2, 1, 20, 24\)"),
        ({"loss": Shared()}, "the number of a replica depends on the other one"),
        ({"network": lambda cin, cout: torch.nn.Conv2d(cin, cout, 1)}, "the function needs cin, cout"),
        ({"network": Pixels(32, 1, (20, 24), replicas=2)}, "holds 2 replicas"),
        ({"replicas": True}, "replicas: got True; input should be a valid integer"),
        ({"iterations": -1}, "fit.iterations: got -1; input should be greater"),
        ({"settings": {"seed": 3}}, "settings: seed is an argument of its own; give seed=3"),
        ({"settings": {"fit.iterations": 3}}, "give iterations=3"),
        ({"settings": {"fit.blok": 3}}, r"fit.blok: unknown setting \(did you mean fit.block\?\)"),
        ({"reference": CLEAN[:4]}, "a reference of shape"),
        ({"optimizer": "lbfgs", "replicas": 2}, "use replicas=1"),
        ({"latent": "measurement", "operator": Downsampler(2, 2)}, "measures no whole image"),
        ({"replicas": 0}, "replicas"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        fit(**given)


@pytest.mark.thorough
def test_missing_values_are_filled_in_and_a_mask_is_an_array_for_all_replicas() -> None:
    known = np.random.default_rng(0).uniform(size=NOISY.shape) > 0.3
    holes = CLEAN * known
    result = fit(holes, known, iterations=300, reference=CLEAN)
    error = np.square(result.image - CLEAN)[~known].mean()
    assert error < 0.5 * np.square(CLEAN)[~known].mean()
    several = torch.from_numpy(np.broadcast_to(known, (2, 1, *known.shape)).copy())
    np.testing.assert_array_equal(fit(holes, known, replicas=2).output, fit(holes, Mask(several), replicas=2).output)
    colour = fit(np.stack([holes] * 3, axis=-1), torch.from_numpy(known))
    assert colour.image.shape == (*known.shape, 3)
    without = np.where(known, holes, np.nan)
    np.testing.assert_array_equal(fit(without, known).output, fit(holes, known).output)
    with pytest.raises(ValueError, match="a mask of shape"):
        fit(holes, known[:4])


@pytest.mark.thorough
def test_a_stop_that_more_iterations_might_move_is_not_final(caplog: pytest.LogCaptureFixture) -> None:
    rule = {"stopping": "windowed_variance", "settings": {"stopping.window": 2, "stopping.patience": 50}}
    early = fit(**rule)
    assert early.stopped_at is not None
    assert not early.stop_is_final
    assert "not sure of its stop after 10 iterations; give more of them" in caplog.text
    assert fit(**rule, iterations=300).stop_is_final
    assert fit().stopped_at is None


def test_what_looks_like_another_unit_is_said(caplog: pytest.LogCaptureFixture) -> None:
    fit(255 * CLEAN, operator=lambda x: x * 1.0)
    assert "values up to 254, A x of an image in [0, 1] up to 1: is it scaled?" in caplog.text
    fit(stopping="split", settings={"stopping.law.sigma": 0.1})
    assert "split: sigma is in grey levels of 255, not of [0, 1]: 0.1" in caplog.text


@pytest.mark.parametrize("rule", thorough_after(1, ["split", "held_out_pixels", "moving_variance"]))
def test_a_rule_in_ones_own_loop_finds_what_it_finds_in_a_fit(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, outputs = DIPModule.iterate, list[torch.Tensor]()

    def iterate(module: DIPModule) -> None:
        plain(module)
        outputs.append(module.output.clone())

    monkeypatch.setattr(DIPModule, "iterate", iterate)
    waits = {"patience": 10, "warm_up": 0}
    fitted = fit(stopping=rule, replicas=2, iterations=60, settings={f"stopping.{k}": v for k, v in waits.items()})
    monitor = dipx.StoppingMonitor(rule, NOISY, replicas=2, settings=waits)
    ended = [monitor.step(output) for output in outputs]
    assert monitor.measurement.shape == (2, 1, 20, 24)
    assert monitor.stopped_at == fitted.stopped_at
    assert any(ended) == bool(fitted.summary["ended_by"])
    if monitor.stopped_at is not None:
        np.testing.assert_allclose(monitor.image, fitted.image, rtol=0, atol=1e-6)
    assert (monitor.estimated_psnr is None) == (fitted.estimated_psnr is None)
    if monitor.estimated_psnr is not None:
        assert monitor.estimated_psnr == pytest.approx(fitted.estimated_psnr, abs=1e-4)


def test_a_loop_for_one_picture_takes_its_shape_and_refuses_another() -> None:
    monitor = dipx.StoppingMonitor("windowed_variance", NOISY, settings={"window": 2, "patience": 2})
    assert monitor.measurement.shape == (1, 20, 24)
    assert monitor.stopped_at is None
    assert monitor.image is None
    assert not monitor.step(monitor.measurement)
    with pytest.raises(ValueError, match="an output of shape"):
        monitor.step(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="divergence"):
        dipx.StoppingMonitor("sure", NOISY)
