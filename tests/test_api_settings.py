"""From Python, settings choose what they say: other parts and rules are fitted, what means nothing is refused."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_api import CLEAN, NOISY, fit

import dip_experiments as dipx
from dip_experiments.stopping.noise_models import PoissonNoiseModel

RULE = {"stopping": "split", "replicas": 2}


def same(one: dipx.Reconstruction, other: dipx.Reconstruction) -> bool:
    return bool(np.array_equal(one.output, other.output))


def test_another_noise_model_is_chosen_by_its_name_its_settings_or_an_instance() -> None:
    gaussian = fit(**RULE, settings={"stopping.law.sigma": 20.0})
    assert gaussian.summary["stopping"]["split"]["facts"]["sigma"] == 20
    named = fit(**RULE, settings={"stopping/law": "poisson", "stopping.law.gain": 0.02})
    assert named.summary["stopping"]["split"]["facts"]["gain"] == 0.02
    assert not same(named, gaussian)
    assert same(named, fit(**RULE, settings={"stopping.law": {"name": "poisson", "gain": 0.02}}))
    assert same(named, fit(**RULE, settings={"stopping.law": PoissonNoiseModel(name="poisson", gain=0.02)}))


def test_rules_that_monitor_take_settings_of_their_own() -> None:
    result = fit(observe={"split": {"law.sigma": 20.0, "patience": 50}, "windowed_variance": {}})
    assert result.summary["stopping"].keys() == {"split", "windowed_variance"}
    assert result.summary["stopping"]["split"]["facts"]["sigma"] == 20


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"image.size": 16}, "image.size is of what the command"),
        ({"task/noise": "gaussian"}, "task/noise is of what the command"),
        ({"paths.results": "x"}, "arrays are fitted as they are given"),
        ({"output": "x.png"}, "nothing is written"),
        ({"fit.keep": [3]}, "fit.keep is of what"),
        ({"scale.name": "paper"}, "scale.name is of what"),
        ({"optimizer": "sgd"}, "optimizer is an argument of its own; give optimizer='sgd'"),
        ({"architecture": "unet"}, "give network='unet'"),
        ({"observe": ["split"]}, r"give observe=\['split'\]"),
        ({"stopping/law": "poison"}, "choose from auto, correlated, gamma, gaussian, poisson"),
        ({"stopping/noise": "poisson"}, "stopping=split has no noise; leave it out"),
        ({"stopping.law": {"name": "poisson"}}, "stopping.law.gain"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(settings: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        fit(**RULE, settings=settings)


def test_what_cannot_be_restored_is_refused_before_a_fit() -> None:
    with pytest.raises(ValueError, match=r"noisy has 4 channels; .* noisy\[\.\.\., :3\]"):
        dipx.restore(np.dstack([noisy_image()] * 4))
    with pytest.raises(ValueError, match=r"settings=\['fit\.iterations=100'\]: a dictionary is wanted"):
        dipx.restore(noisy_image(), settings=["fit.iterations=100"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no noise is found in the picture: nothing to remove"):
        dipx.restore(np.full((32, 32), 0.5))


@pytest.mark.parametrize(
    ("side", "noise", "warned"), [(40, "auto", True), (64, "auto", False), (40, "gaussian", False)]
)
def test_a_small_picture_whose_noise_may_be_texture_is_reported(
    side: int, noise: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (side, 64))
    small = {"architecture.down": [8], "architecture.skip": [4], "fit.iterations": 1, "stopping.mix": []}
    dipx.restore(noisy, noise=noise, scale="smoke", replicas=2, settings=small, progress=False)
    found = "split: texture of so small a picture may pass for noise" in caplog.text
    assert found == warned, caplog.text


def noisy_image() -> NDArray[np.float64]:
    return (CLEAN.repeat(2, 0).repeat(2, 1) + np.random.default_rng(3).normal(0, 0.1, (40, 48))).clip(0, 1)


def test_equal_channels_are_restored_as_the_one_that_they_are_in_the_layout_that_was_given() -> None:
    grey, small = noisy_image(), {"architecture.down": [8, 8], "architecture.skip": [4, 4], "fit.iterations": 10}
    given: dict[str, Any] = {"scale": "smoke", "replicas": 2, "settings": small, "progress": False}
    clean = CLEAN.repeat(2, 0).repeat(2, 1)
    one = dipx.restore(grey, **given, reference=clean)
    three = dipx.restore(np.dstack([grey] * 3), **given, reference=np.dstack([clean] * 3))
    assert three.image.shape == (40, 48, 3)
    assert three.output.shape == (2, 40, 48, 3)
    np.testing.assert_array_equal(three.image, np.dstack([one.image] * 3))
    assert three.summary["stopping"]["split"]["facts"] == one.summary["stopping"]["split"]["facts"]
    assert three.history.equals(one.history)


def test_a_loop_of_ones_own_is_not_given_an_estimate_of_the_noise_of_something_else_than_an_image() -> None:
    halved = {"operator": lambda x: x[..., ::2], "image_shape": (1, 20, 24)}
    with pytest.raises(ValueError, match=r"cannot be estimated; give stopping\.law\.sigma"):
        dipx.StoppingMonitor("split", NOISY[:, ::2], **halved)
    monitor = dipx.StoppingMonitor("split", NOISY[:, ::2], **halved, settings={"law.sigma": 20.0})
    assert monitor.measurement.shape == (1, 20, 12)
    with pytest.raises(ValueError, match="the whole image measured"):
        dipx.StoppingMonitor("split", NOISY[:, ::2], **halved, settings={"law.sigma": 20.0, "mix": ["nlm"]})
