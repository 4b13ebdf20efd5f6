"""Losses that compare distributions and spectra, against their definitions."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import logit, ndtr, ndtri
from scipy.stats import gamma, poisson
from torch import Tensor

import dip_experiments as dip
from dip_experiments.losses import MSE, DistributionalConsistency, Fourier
from dip_experiments.noise.distributions import gamma_logits, poisson_logits
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput
from dip_experiments.stopping.noise_models.model import KnownNoise
from dip_experiments.stopping.noise_models.signal_dependent import GammaNoise, PoissonNoise
from dip_experiments.tensors import generator

SIGMA = 25.0
SHAPE = (3, 8, 7)


def distributional(sigma: float | None = SIGMA) -> DistributionalConsistency:
    return DistributionalConsistency(name="distributional", sigma=sigma)


def fourier(slope: float) -> Fourier:
    return Fourier(name="fourier", slope=slope)


def drawn(name: str, replicas: int = 2, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(replicas, *shape, generator=generator(0, name), dtype=torch.float64)


def quantiles(shape: tuple[int, ...] = SHAPE) -> Tensor:
    """The values of Gaussian noise at equal steps of probability, in any order, "1 c h w"."""
    count = int(np.prod(shape))
    order = torch.randperm(count, generator=generator(0, "order"))
    return torch.from_numpy(ndtri((np.arange(count) + 0.5) / count))[order].view(1, *shape)


def test_residuals_with_the_values_of_the_noise_cost_nothing_and_smaller_or_larger_ones_more() -> None:
    y, noise = torch.rand(1, *SHAPE, dtype=torch.float64), quantiles() * SIGMA / 255
    loss = {scale: float(distributional()(y - scale * noise, y)) for scale in (0, 0.5, 0.9, 1, 1.1, 2, 5)}
    assert loss[1] == pytest.approx(0, abs=1e-12)
    assert loss[0] > loss[0.5] > loss[0.9] > 0.01
    assert loss[5] > loss[2] > loss[1.1] > 0.01
    assert float(distributional()(y - noise.flip(3), y)) == pytest.approx(0, abs=1e-12)  # whichever pixel has which
    assert float(distributional(50.0)(y - 2 * noise, y)) == pytest.approx(0, abs=1e-12)
    assert float(distributional()(y - noise - 0.05, y)) > 0.5  # a bias is none of the noise


def test_the_distributional_loss_is_that_of_its_definition() -> None:
    y = torch.rand(2, *SHAPE, dtype=torch.float64)
    f = y + 1.5 * SIGMA / 255 * drawn("residual")
    z = (y - f).numpy().reshape(2, -1) * 255 / SIGMA
    count = z.shape[1]
    t = np.sort(-np.sign(z) * logit(ndtr(-np.abs(z))), axis=1)  # s of the smaller side has all its digits
    assert 3.72 < np.abs(z).max() < 8  # beyond the paper's 1e-4 too
    expected = np.abs(t - logit((np.arange(count) + 0.5) / count)).mean(1)
    np.testing.assert_allclose(distributional()(f, y).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_residuals_have_the_asymptote_of_the_paper_and_the_gradient_of_the_squared_error(
    dtype: torch.dtype,
) -> None:
    for z in (4.0, 8.0, 20.0, 50.0, -50.0):
        y = torch.zeros(1, 1, 1, 1, dtype=dtype)
        f = torch.full_like(y, -z * SIGMA / 255).requires_grad_()
        loss = distributional()(f, y)  # of one value, whose quantile is 0
        asymptote = z**2 / 2 + np.log(abs(z)) + np.log(2 * np.pi) / 2
        assert loss.item() == pytest.approx(asymptote, abs=1.1 / z**2, rel=1e-6)
        (gradient,) = torch.autograd.grad(loss.sum(), f)
        assert gradient.item() == pytest.approx(-np.sign(z) * (abs(z) + 1 / abs(z)) * 255 / SIGMA, rel=3 / z**4 + 1e-4)
    near = torch.linspace(-6, 6, 20001, dtype=torch.float64)
    steps = (torch.special.log_ndtr(near) - torch.special.log_ndtr(-near)).diff()
    assert (steps > 0).all()  # no seam, where the paper changes from one formula to the other
    assert steps.max() < 1e-2


def counts(gain: float, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """A clean image, and counted photons of it."""
    clean = torch.rand(shape, generator=generator(0, "clean"), dtype=torch.float64) * 0.8 + 0.1
    return clean, gain * torch.poisson(clean / gain, generator=generator(0, "photons"))


def speckle(looks: float, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    clean = torch.rand(shape, generator=generator(0, "clean"), dtype=torch.float64) * 0.8 + 0.1
    drawn = np.random.default_rng(0).gamma(looks, 1 / looks, shape)
    return clean, clean * torch.from_numpy(drawn)


Draw = Callable[[float, tuple[int, ...]], tuple[Tensor, Tensor]]


def with_law(**level: float) -> DistributionalConsistency:
    return DistributionalConsistency.model_validate({"name": "distributional", "sigma": None, **level})


@pytest.mark.parametrize(
    ("name", "level", "draw"), [("gain", 0.02, counts), ("gain", 0.2, counts), ("looks", 10, speckle)]
)
def test_noise_of_photons_and_speckle_costs_little_at_the_clean_image_and_more_elsewhere(
    name: str, level: float, draw: Draw
) -> None:
    clean, y = draw(level, (1, 3, 40, 40))
    loss = with_law(**{name: level})
    of = loss.for_measurement(y, complete=True)
    chance = 4 / (3 * 40 * 40) ** 0.5  # distance of that many logistic values to their law, some standard errors
    assert float(of(clean, y)) < chance + 0.05
    for other in (clean.mean().expand_as(clean), 1.1 * clean, 0.9 * clean, y.clamp(min=0.01), (clean + y) / 2):
        assert float(of(other, y)) > 2 * float(of(clean, y))
    assert loss.facts(y) == {name: level, f"{name}_from": "given"}
    with pytest.raises(ValueError, match="values below 0"):
        loss.for_measurement(y - 1, complete=True)


def test_counts_and_speckle_lie_where_scipy_says() -> None:
    clean, y = counts(0.2, (1, 1, 5, 5))
    place = torch.rand(clean.shape, generator=generator(0, "place"), dtype=torch.float64)
    k, rate = (y / 0.2).round().numpy(), (clean / 0.2).numpy()
    below, at = poisson.cdf(k - 1, rate), poisson.pmf(k, rate)
    np.testing.assert_allclose(
        poisson_logits(clean / 0.2, y / 0.2, place), logit(below + place.numpy() * at), rtol=1e-8
    )
    clean, y = speckle(4.0, (1, 1, 5, 5))
    np.testing.assert_allclose(gamma_logits(clean, y, 4.0), logit(gamma.cdf(y / clean, 4.0, scale=0.25)), rtol=1e-8)
    far = gamma_logits(torch.ones(1), torch.tensor([9.0]), 4.0)
    assert far.item() == pytest.approx(16**2 / 2 + np.log(16) + np.log(2 * np.pi) / 2)


@pytest.mark.parametrize(
    ("name", "level", "draw", "law"), [("gain", 0.05, counts, PoissonNoise), ("looks", 8.0, speckle, GammaNoise)]
)
def test_a_split_of_photons_and_speckle_has_the_law_of_a_larger_gain_and_of_fewer_looks(
    name: str, level: float, draw: Draw, law: type[KnownNoise]
) -> None:
    clean, y = draw(level, (1, 3, 40, 40))
    a = 0.7
    noisier = y + law(level, {}).extra(y[0], a, generator(1, "extra"))
    loss = with_law(**{name: level})
    assert float(loss.for_measurement(y, True, 1 + a**2)(clean, noisier)) < 0.1
    assert float(loss.for_measurement(y, True)(clean, noisier)) > 0.15


def test_only_one_law_is_given_and_the_loss_says_which() -> None:
    (error,) = with_law(sigma=25, looks=5).config_errors("denoising", noise_can_be_estimated=True)
    assert error.startswith("loss.sigma=25 loss.looks=5: ")
    assert not list(with_law(gain=0.1).config_errors("inverse", noise_can_be_estimated=False))
    assert list(with_law().config_errors("inverse", noise_can_be_estimated=False))
    y = 0.5 + SIGMA / 255 * drawn("noise", 1, (3, 64, 64))
    assert distributional().facts(y) == {"sigma": pytest.approx(SIGMA), "sigma_from": "given"}
    assert distributional(None).facts(y) == {"sigma": pytest.approx(SIGMA, rel=0.05), "sigma_from": "estimated"}


@pytest.mark.parametrize(
    "loss",
    [
        distributional(),
        fourier(1.0),
        with_law(gain=0.1),
        with_law(looks=5.0),
    ],
    ids=["gaussian", "fourier", "gain", "looks"],
)
def test_gradients_are_those_of_finite_differences_and_of_each_replica_alone(
    loss: DistributionalConsistency | Fourier,
) -> None:
    y, f = torch.rand(2, *SHAPE, dtype=torch.float64), torch.rand(2, *SHAPE, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda image: loss(image, y), f)
    (together,) = torch.autograd.grad(loss(f, y).sum(), f)
    alone = torch.cat([torch.autograd.grad(loss(f[r : r + 1], y[r : r + 1]), f)[0][r : r + 1] for r in range(2)])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(loss(f, y), torch.cat([loss(f[r : r + 1], y[r : r + 1]) for r in range(2)]))


def test_sigma_is_estimated_where_it_is_not_given_and_grows_with_what_a_rule_adds() -> None:
    clean = torch.full((1, 3, 64, 64), 0.5, dtype=torch.float64)
    y = clean + SIGMA / 255 * drawn("noise", 1, (3, 64, 64))
    estimated = distributional(None).for_measurement(y, complete=True)
    assert float(estimated(clean, y)) == pytest.approx(0, abs=0.05)
    assert float(distributional(None)(clean, y)) == pytest.approx(float(estimated(clean, y)))
    added = clean + np.hypot(1, 0.75) * (y - clean)
    assert float(distributional().for_measurement(y, True, 1 + 0.75**2)(clean, added)) == pytest.approx(0, abs=0.05)
    assert float(distributional().for_measurement(y, True)(clean, added)) > 0.1
    with pytest.raises(ValueError, match=r"no noise is found in the measurement; give loss\.sigma"):
        distributional(None)(clean, clean)
    with pytest.raises(ValueError, match="without holes"):
        distributional().for_measurement(y, complete=False)


def test_a_fit_to_what_a_split_has_made_noisier_knows_its_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    found, plain = [], DistributionalConsistency.for_measurement

    def seen(self: DistributionalConsistency, measurement: Tensor, complete: bool, growth: float = 1.0) -> object:
        found.append(growth)
        return plain(self, measurement, complete, growth)

    monkeypatch.setattr(DistributionalConsistency, "for_measurement", seen)
    y = (0.5 + SIGMA / 255 * drawn("noise", 1, (3, 32, 32)))[0].permute(1, 2, 0).numpy()
    rule = {"stopping.law.sigma": SIGMA, "stopping.a": 0.5, "stopping.patience": 50}
    dip.reconstruct(
        y, loss=distributional(), stopping="split", settings=rule, scale="smoke", iterations=3, progress=False
    )
    assert found[-1] == 1.25
    assert FitInput(torch.zeros(1, 3, 2, 2), Identity()).growth == 1


@pytest.mark.parametrize("shape", [(3, 8, 7), (1, 6, 9), (2, 5, 1)])
def test_spectra_without_weights_are_compared_as_pixels_are(shape: tuple[int, ...]) -> None:
    f, y = drawn("f", shape=shape), drawn("y", shape=shape)
    torch.testing.assert_close(fourier(0.0)(f, y), MSE(f, y), rtol=1e-12, atol=0)


@pytest.mark.parametrize("slope", [0.5, 2.0])
@pytest.mark.parametrize(("rows", "columns"), [(8, 7), (5, 6)])
def test_the_fourier_loss_is_that_of_its_dense_definition(slope: float, rows: int, columns: int) -> None:
    f, y = drawn("f", shape=(3, rows, columns)), drawn("y", shape=(3, rows, columns))
    expected, weights = np.zeros(2), np.zeros((rows, columns))
    at = np.arange(rows)[:, None], np.arange(columns)
    for k in range(rows):
        for m in range(columns):
            frequency = np.hypot(min(k, rows - k) / rows, min(m, columns - m) / columns)
            weights[k, m] = max(frequency, 1 / max(rows, columns)) ** -slope
            wave = np.exp(-2j * np.pi * (k * at[0] / rows + m * at[1] / columns))
            spectrum = ((f - y).numpy() * wave).sum((2, 3)) / (rows * columns) ** 0.5
            expected += weights[k, m] * (np.abs(spectrum) ** 2).sum(1)
    expected /= weights.mean() * 3 * rows * columns
    np.testing.assert_allclose(fourier(slope)(f, y).numpy(), expected, rtol=1e-10)


def test_a_slope_lets_coarse_differences_count_more_than_fine_ones() -> None:
    y = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * torch.arange(16, dtype=torch.float64) / 16).expand_as(y)
    stripes = (2.0**0.5 / 2) * (-1.0) ** torch.arange(16, dtype=torch.float64).expand_as(y)
    torch.testing.assert_close(MSE(wave, y), MSE(stripes, y))
    torch.testing.assert_close(fourier(1.0)(wave, y) / fourier(1.0)(stripes, y), torch.full((1,), 8.0).double())
