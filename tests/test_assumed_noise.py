"""Laws of noise that discrepancy and Stein's risk assume: right in the mean for each, refused where it cannot be."""

import dataclasses

import numpy as np
import pytest
import torch
from test_correlated_noise import dense
from test_splitting import LAWS, NOISY, SIGMA, WAITS, blurred, observation, smooth, split
from torch import Tensor, nn

import dip_experiments as dipx
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.noise import CorrelatedNoise
from dip_experiments.noise.clipping import clipped_moments
from dip_experiments.noise.estimation import INFLATED
from dip_experiments.operators import Identity, Mask
from dip_experiments.stopping import FitInput, hold_out
from dip_experiments.stopping.discrepancy import Discrepancy
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel, NoiseModel, PoissonGaussianNoiseModel
from dip_experiments.stopping.sure import Sure
from dip_experiments.tasks.noise import PoissonGaussian

SIDE = 16
SHARED = CorrelatedNoise.of_channels(3, SIGMA / 255, 0.7, 0.8)
GROWING = CorrelatedNoise.of_channels(3, SIGMA / 255, 0.7, 0.8, 1.5)


def law_of(noise: CorrelatedNoise) -> CorrelatedNoiseModel:
    return CorrelatedNoiseModel(
        name="correlated", sigma=255 * noise.sigma, width=noise.width, correlation=noise.correlation,
        growth=noise.growth,
    )  # fmt: skip


GAUSSIAN: dict[str, NoiseModel] = {
    "gaussian": LAWS["gaussian"],
    "correlated": law_of(SHARED),
    "growing": law_of(GROWING),
    "clipped": law_of(CorrelatedNoise.of_channels(3, 50 / 255, 0.0, 0.0)),
    "poisson_gaussian": PoissonGaussianNoiseModel(name="poisson_gaussian", gain=1 / 60, sigma=10.0),
}
ALL = GAUSSIAN | {"poisson": LAWS["poisson"], "gamma": LAWS["gamma"]}


def drawn(law: str, clean: Tensor, seed: int) -> Tensor:
    """The picture "c h w" with noise of a law, "1 c h w"."""
    draws = torch.Generator().manual_seed(seed)
    if law in NOISY:
        return torch.from_numpy(NOISY[law](clean.numpy(), np.random.default_rng(seed)))[None]
    if law == "poisson_gaussian":
        return PoissonGaussian(name="poisson_gaussian", peak=60.0, sigma=10.0).apply(clean, draws)[None]
    if law == "clipped":
        return (clean + 50 / 255 * torch.randn(clean.shape, generator=draws, dtype=clean.dtype)).clamp(0, 1)[None]
    return (clean + (GROWING if law == "growing" else SHARED).draw(clean, draws))[None]


def mean_of(law: str, clean: Tensor) -> Tensor:
    """What such noise has as its mean, which is the image unless it was clipped."""
    if law != "clipped":
        return clean
    mean, _ = clipped_moments(clean.flatten().numpy(), np.full(clean.numel(), 50 / 255))
    return torch.from_numpy(mean).view(clean.shape)


def risk_less_error(rule: Sure, law: str, clean: Tensor, seed: int) -> float:
    """By how much Stein's risk of a linear denoiser is above its true error."""
    y = drawn(law, clean, seed)
    part = rule.hold_out(FitInput(y, Identity()), [seed])
    signs = torch.randint(2, y.shape, generator=torch.Generator().manual_seed(seed)).double() * 2 - 1
    probe = part.held_out.get("probe", signs)
    image = blurred(y)
    energy, divergence = ((first * second).flatten(1).mean(1) for first, second in (
        (image - y, image - y), (probe, blurred(probe)),
    ))  # fmt: skip
    seen = dataclasses.replace(observation(image), energy=energy, divergence=divergence)
    true = (image[0] - mean_of(law, clean)).square().mean()
    return float(rule.observe(seen, {}, part.held_out).columns["sure"] - true)


@pytest.mark.parametrize("law", GAUSSIAN)
def test_steins_risk_of_a_linear_map_is_its_true_error_on_average(law: str) -> None:
    clean = torch.from_numpy(smooth(64 if law == "clipped" else SIDE)[0])
    draws = range(150 if law == "clipped" else 800)
    rule = Sure(name="sure", sigma=None, law=GAUSSIAN[law], **WAITS)
    found = [risk_less_error(rule, law, clean, draw) for draw in draws]
    # that clipped noise is less near black and white is known of the pixels around only
    about = 0.02 * (50 / 255) ** 2 if law == "clipped" else 0
    assert abs(np.mean(found)) < 3.5 * np.std(found) / len(found) ** 0.5 + about
    if law in ("correlated", "growing"):
        white = Sure(name="sure", sigma=SIGMA, **WAITS)
        wrong = [risk_less_error(white, law, clean, draw) for draw in draws]
        assert abs(np.mean(wrong)) > 10 * np.std(wrong) / len(wrong) ** 0.5, "taken for white it is another error"


def test_a_probe_has_the_covariance_of_the_law_so_that_the_divergence_is_its_trace() -> None:
    side, rule = 8, Sure(name="sure", sigma=None, law=GAUSSIAN["correlated"], **WAITS)
    eye = torch.eye(3 * side * side, dtype=torch.float64).view(-1, 3, side, side)
    matrix, covariance = blurred(eye).flatten(1).T, dense(SHARED, side, side)
    y = torch.full((400, 3, side, side), 0.5, dtype=torch.float64)
    y[0, 0, 0, 0] = 0.6  # a picture, not a field without noise
    probe = rule.hold_out(FitInput(y, Identity()), list(range(400))).held_out["probe"]
    found = (probe * blurred(probe)).flatten(1).mean(1)
    expected = float((covariance @ matrix).trace() / covariance.trace())
    assert abs(float(found.mean()) - expected) < 3.5 * float(found.std()) / 20
    assert expected > 2 / 9, "1 / 9 for white noise"


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize("law", ALL)
def test_the_expected_energy_is_that_of_the_noise(law: str, grown: bool) -> None:
    clean = torch.from_numpy(smooth(64 if law == "clipped" else 32)[0])
    rule, found = Discrepancy(name="discrepancy", sigma=None, law=ALL[law], tau=1.0), []
    for seed in range(100 if law == "clipped" else 200):
        y = drawn(law, clean, seed)
        given = FitInput(y, Identity())
        if grown:
            if law in ("poisson", "gamma", "clipped"):
                pytest.skip("what the split adds to these is of no law")
            rules = {"split": split("gaussian").model_copy(update={"law": ALL[law]}), "discrepancy": rule}
            given, inputs = hold_out(rules, given, [seed])
            part = inputs["discrepancy"]
        else:
            part = rule.hold_out(given, [seed])
        energy = (given.measurement[0] - mean_of(law, clean)).square().mean()
        seen = dataclasses.replace(observation(y), energy=energy[None])
        found.append(
            float(rule.observe(seen, {}, part.held_out).columns["discrepancy"]) / float(part.held_out["noise"])
        )
    assert abs(np.mean(found)) < 3.5 * np.std(found) / len(found) ** 0.5 + (0.02 if law == "clipped" else 0)


def test_an_estimated_level_is_enlarged_as_that_of_white_noise_is() -> None:
    clean = torch.from_numpy(smooth(96)[0])
    y = drawn("correlated", clean, 0)
    estimated = CorrelatedNoiseModel(name="correlated", sigma=None, width=0.7, correlation=0.8, growth=0.0)
    noise = Discrepancy(name="discrepancy", sigma=None, law=estimated, tau=1.0).hold_out(FitInput(y, Identity()), [0])
    assert float(noise.held_out["noise"]) == pytest.approx(INFLATED**2 * estimated.known(y).level ** 2)
    assert noise.facts["sigma_from"] == "estimated"


def test_of_a_measurement_with_holes_the_noise_of_what_is_measured_is_expected() -> None:
    clean, known = torch.from_numpy(smooth(32)[0]), torch.zeros(1, 3, 32, 32, dtype=torch.bool)
    known[..., :16, :] = True
    y = drawn("growing", clean, 0) * known
    rule = Discrepancy(name="discrepancy", sigma=None, law=ALL["growing"], tau=1.0)
    noise = float(rule.hold_out(FitInput(y, Mask(known)), [0]).held_out["noise"])
    assert noise == pytest.approx(float(ALL["growing"].known(y).variance(y)[..., :16, :].mean()))


class Mixing(nn.Module):
    """A linear map of the channels of each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.map.weight.copy_(torch.tensor([[0.5, 0.3, 0.1], [0.2, 0.6, 0.1], [0.1, 0.2, 0.4]])[..., None, None])

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.map(image)
        return found


def test_a_fit_measures_the_divergence_by_the_probe_of_the_law() -> None:
    law = GAUSSIAN["correlated"]
    y = drawn("correlated", torch.from_numpy(smooth(32)[0]), 0)
    result = dipx.reconstruct(
        y[0].permute(1, 2, 0).numpy(), network=Mixing(), stopping="sure", iterations=1, scale="smoke", progress=False,
        latent="measurement", settings={"stopping.law": law},
        precision="float64",
    )  # fmt: skip
    part = Sure(name="sure", sigma=None, law=law, **WAITS).hold_out(FitInput(y, Identity()), [0])
    with torch.no_grad():
        probe, image = part.held_out["probe"], Mixing().double()(y)
        divergence = float((probe * Mixing().double()(probe)).mean())
    noise, energy = float(part.held_out["noise"]), float((image - y).square().mean())
    row = result.history.iloc[0]
    assert row["sure_divergence"] == pytest.approx(divergence, rel=1e-6)
    assert row["sure"] == pytest.approx(energy + 2 * noise * divergence - noise, rel=1e-6)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("stopping=discrepancy stopping/law=correlated stopping.sigma=25", r"stopping\.sigma=25 with stopping/law="),
        ("stopping=sure latent=measurement stopping/law=gamma", "Stein's risk is of Gaussian noise; use stopping/law="),
        ("stopping=sure latent=measurement stopping/law=poisson", "Stein's risk is of Gaussian noise"),
        ("stopping=discrepancy stopping/law=gaussian stopping.law.sigma=0", "with discrepancy: without noise"),
        ("task=inpainting stopping=discrepancy stopping/law=poisson", "stopping=discrepancy with task=inpainting"),
    ],
)
def test_what_a_rule_cannot_assume_is_refused(words: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        read_settings(compose_jobs(["task=denoising", *words.split()], multirun=False)[0])


def test_a_law_may_be_chosen_for_a_rule_that_watches_too() -> None:
    words = ["task=denoising", "observe=[discrepancy]", "stopping/law@observe.discrepancy.law=correlated"]
    rule = read_settings(compose_jobs(words, multirun=False)[0]).observe["discrepancy"]
    assert isinstance(rule, Discrepancy)
    assert isinstance(rule.law, CorrelatedNoiseModel)
