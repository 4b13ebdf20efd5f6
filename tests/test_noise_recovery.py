"""The noise of law `auto`, found in noisy photographs alone: hardly biased by texture, and as doubtful as it says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_image
from torch import Tensor

from dip_experiments.noise import CorrelatedNoise, known_covariance
from dip_experiments.noise.clipping import clipped_moments
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel

AUTO = CorrelatedNoiseModel(name="correlated", sigma=None, width=None, correlation=None, growth=None)
PICTURES = (
    *(f"cset9/{name}" for name in ("baboon", "f16", "house", "kodim01", "kodim02", "kodim03", "lena", "peppers")),
    *(f"set14/{name}" for name in ("barbara", "comic", "flowers", "foreman", "monarch", "zebra")),
    *(f"set5/{name}" for name in ("butterfly", "head", "woman")),
    *(f"standard11/{name}" for name in ("boat", "cameraman", "couple")),
)
FEW = ("cset9/f16", "cset9/house", "cset9/kodim02", "cset9/lena", "set14/monarch", "set5/head")


@dataclass(frozen=True)
class Kind:
    """sigma in grey levels of 255; width, correlation and growth as in `CorrelatedNoise`."""

    sigma: float
    width: float = 0.0
    correlation: float = 0.0
    growth: float = 0.0
    clip: bool = False

    def of(self, channels: int) -> CorrelatedNoise:
        shared = self.correlation if channels > 1 else 0.0
        return CorrelatedNoise.of_channels(channels, self.sigma / 255, self.width, shared, self.growth)

    def variance(self, clean: Tensor) -> float:
        """The mean variance of the values of a picture."""
        noise = self.of(len(clean))
        variance = noise.sigma**2 * noise.relative(clean)
        if not self.clip:
            return float(variance.mean())
        return float(clipped_moments(clean.flatten().numpy(), variance.sqrt().flatten().numpy())[1].mean())


KINDS = {
    "white": Kind(25.0),
    "clipped": Kind(50.0, clip=True),
    "neighbours": Kind(25.0, 0.7),
    "wide": Kind(25.0, 1.0),
    "both": Kind(25.0, 0.7, 0.8),
    "photons": Kind(20.0, growth=1.5),
}
FURTHER = KINDS | {
    "strong": Kind(50.0),
    "hardly clipped": Kind(25.0, clip=True),
    "narrow": Kind(25.0, 0.5),
    "channels": Kind(25.0, 0.0, 0.8),
}


@dataclass(frozen=True)
class Errors:
    """Of many pictures and draws: of sigma as a part of it, of width and correlation; and standard errors that is."""

    sigma: np.ndarray
    width: np.ndarray
    correlation: np.ndarray
    z: np.ndarray


def errors(kind: Kind, pictures: Iterator[np.ndarray], draws: int) -> Errors:
    found = []
    for n, clean in enumerate(map(torch.from_numpy, pictures)):
        for draw in range(draws):
            true, variance = kind.of(len(clean)), kind.variance(clean)
            y = clean + true.draw(clean, torch.Generator().manual_seed(100 * n + draw))
            known = AUTO.known((y.clamp(0, 1) if kind.clip else y)[None])
            mean = float(known.variance(y.clamp(0, 1)[None] if kind.clip else y[None]).mean())
            facts = known.facts
            away = (float(facts["width"]) - true.width, float(facts["correlation"]) - true.correlation)
            found.append(((mean / variance) ** 0.5 - 1, *away, (mean - variance) / (mean * known.doubt)))
    return Errors(*np.array(found).T)


def photographs(shared: Path, names: tuple[str, ...], size: int) -> Iterator[np.ndarray]:
    for name in names:
        yield load_image("file", str(shared / "data" / f"{name}.png"), size, "crop").astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_the_noise_is_recovered_from_photographs(kind: str, shared: Path) -> None:
    found = errors(KINDS[kind], photographs(shared, FEW, 128), 1)
    assert abs(np.mean(found.sigma)) < 0.04
    assert abs(np.mean(found.width)) < 0.05
    assert abs(np.median(found.correlation)) < 0.05
    assert np.mean(np.abs(found.z) < 2) > 0.8


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("kind", FURTHER)
def test_the_noise_of_twenty_photographs_is_recovered_without_bias_and_as_sure_as_it_says(
    kind: str, shared: Path
) -> None:
    found = errors(FURTHER[kind], photographs(shared, PICTURES, 128), 5)
    assert abs(np.mean(found.sigma)) < (0.045 if kind == "both" else 0.035)
    assert np.median(np.abs(found.sigma)) < 0.05
    assert abs(np.mean(found.width)) < 0.04
    assert np.median(np.abs(found.correlation)) < 0.05
    assert np.mean(np.abs(found.z) < 1) > 0.6
    assert np.mean(np.abs(found.z) < 2) > 0.88


@pytest.mark.parametrize("wrong", [lambda noise: scaled(noise, 0.93), lambda noise: scaled(noise, 1, 0.2)])
def test_an_estimate_that_is_off_would_be_noticed(
    wrong: Callable[[CorrelatedNoise], CorrelatedNoise], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = "dip_experiments.stopping.noise_models.gaussian.known_covariance"
    monkeypatch.setattr(used, lambda *given: wrong(known_covariance(*given)))
    found = errors(KINDS["neighbours"], photographs(shared, FEW, 128), 1)
    assert abs(np.mean(found.sigma)) > 0.04 or abs(np.mean(found.width)) > 0.05


def scaled(noise: CorrelatedNoise, times: float, wider: float = 0.0) -> CorrelatedNoise:
    sigmas = tuple(times * sigma for sigma in noise.sigmas)
    return CorrelatedNoise(sigmas, noise.width + wider, noise.growth, noise.colour_width, noise.doubt)


@pytest.mark.parametrize("equal", [False, True])
def test_noise_that_is_the_same_in_all_channels_is_found_too(equal: bool, shared: Path) -> None:
    (clean,) = photographs(shared, ("cset9/kodim02",), 128)
    clean = clean.mean(0, keepdims=True).repeat(3, 0) if equal else clean
    y = clean + np.random.default_rng(0).normal(0, 25 / 255, (1, 128, 128))
    found = AUTO.known(torch.from_numpy(y)[None]).facts
    assert found["sigma"] == pytest.approx(25, rel=0.05)
    assert float(found["correlation"]) > 0.97
