"""What other denoisers are told when their images are mixed in at a split's stop; and the mixture without a network."""

import numpy as np
import pytest
import torch
from test_splitting import LAWS, SIGMA, WAITS, noisy, observation, smooth, split

from dip_experiments.baselines.classical import sliding_cosines
from dip_experiments.fitting import ensemble
from dip_experiments.fitting.ensemble import denoiser_ensemble, filters_alone
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput, RuleMonitor
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel
from dip_experiments.stopping.split import Split


@pytest.mark.parametrize("a", [0.2, 1.0])
@pytest.mark.parametrize("law", ["gaussian", "gamma"])
def test_they_are_told_the_strength_of_the_noise_in_what_they_see(
    law: str, a: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def denoiser(image: torch.Tensor, *guide_and_sigma: float) -> torch.Tensor:
        told.append(guide_and_sigma[-1])
        return image

    monkeypatch.setitem(ensemble.DENOISERS, "tv", denoiser)
    monkeypatch.setattr(ensemble, "wiener", denoiser)
    clean, rule = smooth(64), Split(name="split", law=LAWS[law], a=a, mix=["tv", "wiener"], **WAITS)
    y = noisy(law, clean, 0).expand(2, -1, -1, -1)
    part = rule.hold_out(FitInput(y, Identity()), [0, 1])
    watch = RuleMonitor(rule, y, part, ends=False)
    watch.observe(observation(y.clone()))
    assert denoiser_ensemble(watch) is not None
    true = 255 * float((part.measurement - torch.from_numpy(clean)).std())
    assert told == pytest.approx([true] * 4, rel=0.03)
    if law == "gaussian":
        assert told == pytest.approx([SIGMA * (1 + a**2) ** 0.5] * 4)


@pytest.mark.parametrize("a", [0.2, 1.0])
def test_nl_ridge_is_given_the_variance_of_the_noise_in_what_it_sees(a: float, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def ridge(image: np.ndarray, *, variance: np.ndarray) -> np.ndarray:
        given.append(float(variance.mean()))
        return image

    monkeypatch.setattr(ensemble, "nl_ridge", ridge)
    y = noisy("gaussian", smooth(64), 0)
    rule = Split(name="split", law=LAWS["gaussian"], a=a, mix=["nl_ridge"], **WAITS)
    watch = RuleMonitor(rule, y, rule.hold_out(FitInput(y, Identity()), [0]), ends=False)
    watch.observe(observation(y.clone()))
    assert denoiser_ensemble(watch) is not None
    assert given == pytest.approx([(SIGMA / 255) ** 2 * (1 + a**2)])


@pytest.mark.parametrize("law", ["poisson", "gamma"])
def test_a_tile_that_is_black_has_its_mixture_too(law: str) -> None:
    y, rule = torch.zeros(1, 3, 24, 24), split(law, mix=["nlm", "dct", "nl_ridge", "lichi", "wiener"])
    watch = RuleMonitor(rule, y, rule.hold_out(FitInput(y, Identity()), [0]), ends=False)
    watch.observe(observation(y + 0.1))
    found = denoiser_ensemble(watch)
    assert found is not None
    assert sum(found.weights.values()) == pytest.approx(1, abs=0.01), "the black ones are right, the network is not"
    assert float(found.mean.abs().max()) < 0.01


def test_speckle_of_values_above_one_is_filtered_by_its_variance_too() -> None:
    clean, rule = np.full((1, 1, 24, 24), 0.5), split("gamma", mix=["nl_ridge"])
    y = torch.from_numpy(clean * np.random.default_rng(0).gamma(1, 1, clean.shape))
    rule = rule.model_copy(update={"law": LAWS["gamma"].model_copy(update={"looks": 1.0})})
    watch = RuleMonitor(rule, y, rule.hold_out(FitInput(y, Identity()), [0]), ends=False)
    watch.observe(observation(y.clone()))
    assert float(watch.held_out["noise"].max()) > 1
    assert denoiser_ensemble(watch) is not None


def test_filters_alone_are_told_the_noise_of_the_part_that_has_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setitem(ensemble.DENOISERS, "tv", lambda image, sigma: (told.append(sigma), image)[1])
    y = noisy("gaussian", smooth(64), 0)[0].numpy()
    y[:, :, :32] = 0.5
    filters_alone(y, split("gaussian", a=0.5, mix=["tv"]), 0)
    assert told == pytest.approx([SIGMA * 1.25**0.5, SIGMA])


def test_one_filter_alone_is_that_filter_of_the_picture_itself() -> None:
    y = noisy("gaussian", smooth(32), 0)[0].numpy()
    found = filters_alone(y, split("gaussian", mix=["dct"]), 0)
    np.testing.assert_allclose(found, sliding_cosines(y, SIGMA), atol=1e-6)


def test_filters_are_mixed_without_the_worst_and_better_than_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two filters with errors of their own, and one that is far off: the former are averaged."""
    clean = smooth(64)[0]
    draw = np.random.default_rng(5)
    errors = {"nlm": draw.normal(0, 0.02, clean.shape), "tv": draw.normal(0, 0.02, clean.shape), "dct": 0.3}
    for name, error in errors.items():
        monkeypatch.setitem(ensemble.DENOISERS, name, lambda image, sigma, error=error: clean + error)
    found = filters_alone(noisy("gaussian", clean[None], 0)[0].numpy(), split("gaussian", mix=["nlm", "dct", "tv"]), 0)
    assert np.square(found - clean).mean() < 0.7 * 0.02**2
    halves = clean + (errors["nlm"] + errors["tv"]) / 2
    assert np.square(found - halves).mean() < 0.1 * 0.02**2


def test_filters_alone_undo_what_clipping_did_to_the_mean() -> None:
    dark = np.full((3, 64, 64), 0.08)
    y = np.clip(dark + np.random.default_rng(0).normal(0, 50 / 255, dark.shape), 0, 1)
    rule = Split(name="split", law=clipping_law(), a=0.2, mix=["dct", "wiener"], **WAITS)
    assert abs(filters_alone(y, rule, 0).mean() - 0.08) < 0.02 < abs(sliding_cosines(y, 50.0).mean() - 0.08)


def clipping_law() -> CorrelatedNoiseModel:
    return CorrelatedNoiseModel(name="correlated", sigma=50.0, width=0.0, correlation=0.0, growth=0.0)
