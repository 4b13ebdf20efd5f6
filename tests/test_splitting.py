"""Measurements split by the law of their noise: what is put aside scores without bias; what pictures say of noise."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import load_image
from skimage.restoration import estimate_sigma
from torch import Tensor

from dip_experiments.metrics import estimated_psnr, psnr_of_estimate, psnr_range
from dip_experiments.noise.estimation import correlation, estimated_sigma, used_sigma
from dip_experiments.operators import Identity, Mask
from dip_experiments.stopping import FitInput, Observation, hold_out
from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.noise_models import GammaNoiseModel, GaussianNoiseModel, NoiseModel, PoissonNoiseModel
from dip_experiments.stopping.split import Split, smallest_square

SIGMA, GAIN, LOOKS = 25.0, 0.02, 8.0
LAWS: dict[str, NoiseModel] = {
    "gaussian": GaussianNoiseModel(name="gaussian", sigma=SIGMA),
    "poisson": PoissonNoiseModel(name="poisson", gain=GAIN),
    "gamma": GammaNoiseModel(name="gamma", looks=LOOKS),
}
UNKNOWN: dict[str, NoiseModel] = {
    "gaussian": GaussianNoiseModel(name="gaussian", sigma=None),
    "poisson": PoissonNoiseModel(name="poisson", gain=None),
    "gamma": GammaNoiseModel(name="gamma", looks=None),
}
NOISY = {
    "gaussian": lambda x, draw: x + draw.normal(0, SIGMA / 255, x.shape),
    "poisson": lambda x, draw: GAIN * draw.poisson(x / GAIN),
    "gamma": lambda x, draw: x * draw.gamma(LOOKS, 1 / LOOKS, x.shape),
}
WAITS: dict[str, Any] = {"patience": 5, "warm_up": 0, "accept": 1.0}


def smooth(side: int = 96) -> np.ndarray:
    """A picture "1 3 h w" without any edge, from 0.2 to 0.8."""
    rows, columns = np.mgrid[:side, :side] / side
    waves = [np.sin(2 * math.pi * (rows * (k + 1) + columns)) for k in range(3)]
    return (0.5 + 0.3 * np.stack(waves))[None]


def noisy(law: str, clean: np.ndarray, seed: int) -> Tensor:
    return torch.from_numpy(NOISY[law](clean, np.random.default_rng(seed)))


def blurred(y: Tensor) -> Tensor:
    """A linear denoiser whose trace is 1 / 9 of the values: mean of 3 x 3 on the torus."""
    return F.avg_pool2d(F.pad(y, (1, 1, 1, 1), mode="circular"), 3, stride=1)


def observation(image: Tensor, iteration: int = 1, energy: float = 1.0) -> Observation:
    energies = torch.full((len(image),), energy, dtype=image.dtype)
    return Observation(torch.tensor([iteration]), image, image, Identity(), energies)


def split(law: str, **words: Any) -> Split:
    return Split(name="split", law=LAWS[law], **({"a": 0.5, "mix": []} | WAITS | words))


@pytest.mark.parametrize("law", LAWS)
def test_both_parts_of_a_split_have_the_clean_image_as_mean_and_are_uncorrelated(law: str) -> None:
    clean = np.full((1, 1, 500, 500), 0.4)
    y, a = noisy(law, clean, 1), 0.5
    words = LAWS[law].known(y)
    extra = words.extra(y[0], a, torch.Generator().manual_seed(2))
    fitted, hidden = (y[0] + extra - 0.4).flatten(), (y[0] - extra / a**2 - 0.4).flatten()
    count = fitted.numel() ** 0.5
    for part in (fitted, hidden):
        assert abs(part.mean()) < 3 * part.std() / count
    assert abs((fitted * hidden).mean()) < 3 * (fitted * hidden).std() / count
    assert abs((fitted.square() * hidden).mean()) < 3 * (fitted.square() * hidden).std() / count  # not by chance alone
    assert fitted.var() == pytest.approx(float((y - 0.4).var()) * (1 + a**2), rel=0.02)
    assert words.variance(y).mean() == pytest.approx(float((y - 0.4).var()), rel=0.02)


@pytest.mark.parametrize("law", LAWS)
def test_the_estimated_error_is_the_true_one_within_its_standard_error(law: str) -> None:
    clean, rule, z, found, said = smooth(48), split(law), [], [], []
    for seed in range(150):
        y = noisy(law, clean, seed)
        part = rule.hold_out(FitInput(y, Identity()), [seed])
        image = blurred(part.measurement)
        columns = rule.observe(observation(image), {}, part.held_out).columns
        found.append(float(columns["split_mse"]) - float((image - torch.from_numpy(clean)).square().mean()))
        said.append(float(columns["split_mse_se"]))
        z.append(found[-1] / said[-1])
    assert abs(np.mean(found)) < 3 * np.std(found) / len(found) ** 0.5
    assert np.std(z) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("shared", [True, False])
def test_the_estimated_error_of_the_replicas_mean_is_the_true_one_within_its_standard_error(shared: bool) -> None:
    clean, rule, z = smooth(48), split("gaussian", a=1.0), []  # where what is added hides least that the noise is one
    for seed in range(150):
        seeds = [seed] * 3 if shared else [1000 + 3 * seed + replica for replica in range(3)]
        y = torch.cat([noisy("gaussian", clean, one) for one in seeds])
        part = rule.hold_out(FitInput(y, Identity()), [3 * seed, 3 * seed + 1, 3 * seed + 2])
        images = blurred(part.measurement)
        columns = rule.observe(observation(images), {}, part.held_out).columns
        true = float((images.mean(0) - torch.from_numpy(clean[0])).square().mean())
        z.append((float(columns["split_mean_mse"][0]) - true) / float(columns["split_mean_mse_se"][0]))
    assert abs(np.mean(z)) < 3 / len(z) ** 0.5
    assert np.std(z) == pytest.approx(1, abs=0.17)  # three times its own error


@pytest.mark.parametrize("law", LAWS)
def test_the_degrees_of_freedom_of_a_linear_model_are_its_trace(law: str) -> None:
    clean, rule, found = smooth(96), split(law), []
    for seed in range(40):
        part = rule.hold_out(FitInput(noisy(law, clean, seed), Identity()), [seed])
        seen = observation(blurred(part.measurement))
        found.append(float(rule.observe(seen, {}, part.held_out).columns["split_freedom"]))
    assert abs(np.mean(found) - 1 / 9) < 3 * np.std(found) / len(found) ** 0.5
    assert np.std(found) < 0.05


def test_only_what_is_known_is_split_and_scored() -> None:
    clean = torch.from_numpy(smooth(48))
    known = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(0)).expand_as(clean) < 0.5
    operator, rule = Mask(known), split("gaussian", a=1.0)
    y = operator(noisy("gaussian", clean.numpy(), 1))
    part = rule.hold_out(FitInput(y, operator), [0])
    assert not part.measurement[~known].any()
    seen = dataclasses.replace(observation(clean), operator=operator)
    columns = rule.observe(seen, {}, part.held_out).columns
    assert abs(float(columns["split_mse"])) < 3 * float(columns["split_mse_se"])


def test_what_is_known_of_the_noise_grows_with_what_a_split_adds() -> None:
    y = noisy("gaussian", smooth(), 0)
    rules = {"discrepancy": Discrepancy(name="discrepancy", sigma=SIGMA, tau=1.0), "split": split("gaussian")}
    fitted, kept = hold_out(rules, FitInput(y, Identity()), [0])
    assert float(kept["discrepancy"].held_out["noise"]) == pytest.approx(1.25 * (SIGMA / 255) ** 2)
    assert torch.equal(fitted.measurement, y + kept["split"].held_out["extra"])


@pytest.mark.thorough
def test_the_weight_of_another_image_is_the_best_one_within_what_chance_allows() -> None:
    clean, rule, lost, gained = smooth(96), split("gaussian", a=0.2), [], []
    for seed in range(20):
        y = noisy("gaussian", clean, seed).expand(4, -1, -1, -1)
        part = rule.hold_out(FitInput(y, Identity()), [4 * seed + r for r in range(4)])
        rough, soft = blurred(part.measurement), blurred(blurred(blurred(part.measurement))) * 0.97
        error = [((1 - w) * rough + w * soft).mean(0).sub(torch.from_numpy(clean[0])).square().mean()
                 for w in (*rule.weights(rough, soft[None], part.held_out), *np.linspace(0, 1, 101))]  # fmt: skip
        lost.append(float(error[0] / min(error[1:])))
        gained.append(float(error[0] / min(error[1], error[-1])))
    assert np.mean(lost) < 1.02
    assert np.mean(gained) < 0.97


def test_the_weights_of_several_images_are_the_best_ones_of_a_grid() -> None:
    draw = np.random.default_rng(0)
    grid = [(a, b) for a in np.linspace(0, 1, 101) for b in np.linspace(0, 1, 101) if a + b <= 1 + 1e-9]
    for _ in range(20):
        root, slopes = draw.normal(size=(2, 2)) * 1e-3, draw.normal(size=2) * 1e-6
        square = root @ root.T

        def error(w: Any, square: Any = square, slopes: Any = slopes) -> float:
            return float(np.array(w) @ square @ np.array(w) + 2 * slopes @ np.array(w))

        found = smallest_square(square, slopes)
        assert min(found) >= 0
        assert sum(found) <= 1 + 1e-6
        assert error(found) < min(map(error, grid)) + 1e-9


@pytest.mark.parametrize("picture", ["astronaut", "coffee"])
@pytest.mark.parametrize("sigma", [10.0, 25.0, 50.0])
def test_texture_common_to_the_channels_is_not_taken_for_noise(picture: str, sigma: float) -> None:
    clean, ours, theirs, z = load_image(picture, None, 96, "crop"), [], [], []
    rule = Split(name="split", law=UNKNOWN["gaussian"], a=0.5, mix=[], **WAITS)
    for seed in range(5):
        y = clean + np.random.default_rng(seed).normal(0, sigma / 255, clean.shape)
        ours.append(255 * estimated_sigma(y) / sigma - 1)
        theirs.append(255 * estimate_sigma(y, channel_axis=0, average_sigmas=True) / sigma - 1)
        part = rule.hold_out(FitInput(torch.from_numpy(y)[None], Identity()), [seed])
        image = blurred(part.measurement)
        columns = rule.observe(observation(image), {}, part.held_out).columns
        true = (image - torch.from_numpy(clean)).square().mean()
        z.append(float((columns["split_mse"] - true) / columns["split_mse_se"]))
    assert np.abs(ours).max() < 0.06
    if sigma == 10:
        assert np.mean(ours) < np.mean(theirs) - 0.005
    assert np.abs(z).max() < 3, "its error counts as part of the estimated one's"


def test_noise_that_channels_share_is_estimated_in_each() -> None:
    y = smooth(96)[0] + np.random.default_rng(0).normal(0, SIGMA / 255, (1, 96, 96))
    assert 255 * estimated_sigma(y) == pytest.approx(SIGMA, rel=0.05)


def test_correlated_noise_is_distinguished_from_white_noise() -> None:
    draw, clean = np.random.default_rng(0), smooth(128)[0]
    white = draw.normal(0, 0.1, clean.shape)
    assert correlation(clean + white) is None
    assert correlation((clean + white).clip(0, 1)) is None
    soft = blurred(torch.from_numpy(white)[None])[0].numpy()
    assert "neighbouring pixels" in (correlation(clean + 3 * soft) or "")
    assert "channels" in (correlation(clean + white[:1]) or "")
    assert correlation((clean + white)[:1]) is None


@pytest.mark.parametrize("law", LAWS)
def test_the_level_of_noise_is_estimated_unless_it_is_given(law: str) -> None:
    y = noisy(law, smooth(192), 0)
    found, given = UNKNOWN[law].known(y), LAWS[law].known(y)
    assert found.level == pytest.approx(given.level, rel=0.1)
    assert ("estimated" in found.facts.values(), "given" in given.facts.values()) == (True, True)
    assert found.doubt > given.doubt == 0


def test_rules_that_compare_with_the_noise_itself_take_an_estimated_one_for_a_tenth_stronger() -> None:
    y = noisy("gaussian", smooth(192), 0)
    estimated, _ = used_sigma(None, y)
    part = Discrepancy(name="discrepancy", sigma=None, tau=1.0).hold_out(FitInput(y, Identity()), [0])
    assert float(part.held_out["noise"]) == pytest.approx((1.1 * estimated / 255) ** 2)


def test_a_picture_without_noise_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="no noise is found"):
        used_sigma(None, torch.full((1, 1, 64, 64), 0.5))
    with pytest.raises(ValueError, match="no noise is found"):
        UNKNOWN["poisson"].known(torch.full((1, 1, 64, 64), 0.5))
    with pytest.raises(ValueError, match="below 0"):
        LAWS["gamma"].known(torch.full((1, 1, 64, 64), -0.5))


def test_an_estimated_psnr_is_never_reported_without_its_error() -> None:
    assert estimated_psnr(1e-3, 1e-4) == "30.00 +- 0.43 dB"
    assert estimated_psnr(-1e-4, 1e-3) == "above 30.5 dB"
    assert estimated_psnr(-2e-3, 1e-3) == "unknown (the noise is not as assumed)"
    alone = [psnr_of_estimate(*estimate) for estimate in ((1e-3, 1e-4), (-1e-4, 1e-3), (-2e-3, 1e-3))]
    assert alone == [pytest.approx(30), pytest.approx(30.46, abs=0.01), None], "the same as numbers"
    ranges = [psnr_range(*estimate) for estimate in ((1e-3, 1e-4), (-1e-4, 1e-3), (-2e-3, 1e-3))]
    assert ranges == [pytest.approx((29.586, 30.458), abs=1e-3), (pytest.approx(30.46, abs=0.01), math.inf), None]
