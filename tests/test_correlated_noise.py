"""Noise that neighbours and channels share: drawn, split, estimated from a picture, and whitened in the loss."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_image, thorough_after
from test_splitting import WAITS, blurred, observation, smooth
from torch import Tensor

import dip_experiments as dipx
from dip_experiments.data.layers import OPPONENT
from dip_experiments.losses import MSE, Whitened
from dip_experiments.noise import CorrelatedNoise, estimated_noise, known_covariance, local_mean
from dip_experiments.noise.band_fit import band_variances
from dip_experiments.noise.covariance import opponent_basis
from dip_experiments.noise.covariance_estimation import flat_variances, windows_with_noise
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel
from dip_experiments.stopping.split import Split

SIGMA = 25 / 255
KINDS = {
    "white": CorrelatedNoise.of_channels(3, SIGMA, 0.0, 0.0),
    "neighbours": CorrelatedNoise.of_channels(3, SIGMA, 0.7, 0.0),
    "channels": CorrelatedNoise.of_channels(3, SIGMA, 0.0, 0.8),
    "both": CorrelatedNoise.of_channels(3, SIGMA, 0.7, 0.8),
}
NOISES = KINDS | {
    "wide": CorrelatedNoise.of_channels(3, SIGMA, 1.0, 0.0),
    "colours wider": CorrelatedNoise((2**0.5 * SIGMA, 0.5**0.5 * SIGMA, 0.5**0.5 * SIGMA), 0.5, colour_width=1.1),
}


def drawn(kind: str, clean: np.ndarray, seed: int) -> Tensor:
    """The picture "c h w" with such noise, "1 c h w"."""
    image = torch.from_numpy(clean)
    return (image + NOISES[kind].draw(image, torch.Generator().manual_seed(seed)))[None]


def law(kind: str) -> CorrelatedNoiseModel:
    noise = KINDS[kind]
    return CorrelatedNoiseModel(
        name="correlated", sigma=25.0, width=noise.width, correlation=noise.correlation, growth=0.0
    )


def split(kind: str, a: float = 0.5) -> Split:
    return Split(name="split", law=law(kind), a=a, mix=[], **WAITS)


def whitened(kind: str, floor: float = 0.05) -> Whitened:
    noise = KINDS[kind]
    return Whitened(name="whitened", width=noise.width, correlation=noise.correlation, floor=floor)


def dense(noise: CorrelatedNoise, rows: int, columns: int) -> Tensor:
    """The covariance matrix of all values, from the definition: planes, each filtered on the torus."""
    size = len(noise.sigmas) * rows * columns
    fields = torch.eye(size, dtype=torch.float64).view(size, -1, rows, columns)
    filtered = torch.fft.ifft2(torch.fft.fft2(fields) * noise.deviations(rows, columns)).real
    images = torch.einsum("pc,nphw->nchw", opponent_basis(len(noise.sigmas)), filtered).flatten(1)
    return images.T @ images


def test_the_planes_of_rgb_are_those_of_all_other_estimates() -> None:
    torch.testing.assert_close(opponent_basis(3), torch.from_numpy(OPPONENT))
    for channels in (1, 2, 4):
        basis = opponent_basis(channels)
        torch.testing.assert_close(basis @ basis.T, torch.eye(channels, dtype=torch.float64))


@pytest.mark.parametrize("kind", thorough_after(2, ["both", *(kind for kind in NOISES if kind != "both")]))
def test_draws_have_the_covariance_of_the_definition(kind: str) -> None:
    noise, draws = NOISES[kind], torch.Generator().manual_seed(0)
    fields = torch.stack([noise.draw(torch.zeros(3, 6, 5, dtype=torch.float64), draws) for _ in range(2000)]).flatten(1)
    expected = dense(noise, 6, 5)
    found = fields.T @ fields / len(fields)
    error = ((expected.diag()[:, None] * expected.diag() + expected.square()) / len(fields)).sqrt()
    z = (found - expected) / error
    assert z.square().mean() == pytest.approx(1, abs=0.1)
    assert noise.sigma == pytest.approx(SIGMA)
    assert expected.diag().mean() == pytest.approx(SIGMA**2)
    assert expected[0, 30] / expected[0, 0] == pytest.approx(noise.correlation, abs=1e-9)
    correlations = expected / expected[0, 0]
    assert noise.inflation(6, 5) == pytest.approx(float(correlations.square().sum(1).mean()))


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_of_a_split_share_nothing_of_the_noise_at_any_lag_or_channel(kind: str) -> None:
    clean, a = np.full((3, 200, 200), 0.4), 0.5
    y = drawn(kind, clean, 1)
    known = law(kind).known(y)
    extra = known.extra(y[0], a, torch.Generator().manual_seed(2))
    parts = [part - 0.4 for part in (y[0] + extra, y[0] - extra / a**2)]
    for shift in ((0, 0), (0, 1), (1, 1)):
        for channel in range(3):
            other = torch.roll(parts[1], shift, (1, 2))[channel]
            product = parts[0][0] * other
            error = product.std() / product.numel() ** 0.5 * KINDS[kind].inflation(200, 200) ** 0.5
            assert abs(product.mean()) < 4 * error
    assert parts[0].var() == pytest.approx((1 + a**2) * SIGMA**2, rel=0.05)


@pytest.mark.parametrize("kind", ["neighbours", "both"])
def test_the_estimated_error_is_the_true_one_within_its_standard_error(kind: str) -> None:
    clean, rule, z = smooth(48)[0], split(kind), []
    for seed in range(150):
        part = rule.hold_out(FitInput(drawn(kind, clean, seed), Identity()), [seed])
        image = blurred(part.measurement)
        columns = rule.observe(observation(image), {}, part.held_out).columns
        true = float((image - torch.from_numpy(clean)).square().mean())
        z.append((float(columns["split_mse"]) - true) / float(columns["split_mse_se"]))
    assert abs(np.mean(z)) < 3 / len(z) ** 0.5
    assert np.std(z) == pytest.approx(1, abs=0.2)


def test_one_that_takes_such_noise_for_white_is_wrong() -> None:
    clean, y = smooth(48)[0], drawn("both", smooth(48)[0], 0)
    white = split("white").hold_out(FitInput(y, Identity()), [0])
    image = blurred(white.measurement)
    columns = split("white").observe(observation(image), {}, white.held_out).columns
    true = float((image - torch.from_numpy(clean)).square().mean())
    assert abs(float(columns["split_mse"]) - true) > 5 * float(columns["split_mse_se"])
    assert (split("white").assumes_white_noise, split("both").law.is_white) == (False, False)


@pytest.mark.parametrize("kind", thorough_after(3, ["both", "wide", *(kind for kind in NOISES if kind != "both")]))
def test_choosing_flat_windows_does_not_make_the_variances_smaller(kind: str) -> None:
    noise, ratios, sigmas = NOISES[kind], [], []
    expected = np.square(noise.sigmas)[:, None] * np.stack([band_variances(width) for width in noise.widths])
    for seed in range(12):
        y = drawn(kind, np.full((3, 96, 96), 0.5), seed)[0].numpy()
        energies, _ = windows_with_noise(y)
        ratios.append(flat_variances(energies, noise)[0] / expected)
        sigmas.append(estimated_noise(y).sigma / SIGMA)
    seen = expected > 0.01 * expected.max()
    assert np.mean(ratios, axis=0)[seen].mean() == pytest.approx(1, abs=0.015)
    assert np.mean(sigmas) == pytest.approx(1, abs=0.05 if kind == "wide" else 0.03)


def test_what_is_given_is_taken_and_the_rest_estimated() -> None:
    y = drawn("both", smooth(96)[0], 0)
    assert known_covariance(y, 25.0, 0.7, 0.8) == CorrelatedNoise.of_channels(3, 25 / 255, 0.7, 0.8)
    found = known_covariance(y, 20.0, None, 0.5)
    assert (255 * found.sigma, found.correlation) == pytest.approx((20, 0.5))
    assert found.width == estimated_noise(y[0].numpy()).width
    with pytest.raises(ValueError, match="too few"):
        estimated_noise(y[0, :, :16, :16].numpy())
    with pytest.raises(ValueError, match="too few"):
        estimated_noise(np.full((3, 64, 64), 0.5))
    strip = drawn("both", np.full((3, 16, 72), 0.5), 0)[0].numpy()
    assert estimated_noise(strip).sigma == pytest.approx(SIGMA, rel=0.3), "without a warning of the wavelets' size"


@pytest.mark.parametrize("kind", KINDS)
def test_the_whitened_loss_is_the_likelihood_of_the_noise(kind: str) -> None:
    noise, floor = KINDS[kind], 1e-9
    residual = torch.randn(2, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    precision = torch.linalg.inv(dense(noise, 6, 5))
    expected = torch.einsum("ri,ij,rj->r", residual.flatten(1), precision, residual.flatten(1)) / precision.diag().sum()
    y = torch.rand(2, 3, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(whitened(kind, floor)(y + residual, y), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("growth", [1.5, -1.0])
def test_of_noise_that_grows_with_brightness_it_is_the_likelihood_too(growth: float) -> None:
    """That of covariance D C D, with D^2 the variance at the brightness around, but for a factor."""
    noise, y = KINDS["both"], torch.rand(1, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    loss = whitened("both", 1e-9).model_copy(update={"growth": growth}).for_measurement(y, complete=True)
    variance = 1 + growth * (local_mean(y) - 0.5)
    precision = torch.linalg.inv(dense(noise, 6, 5))
    residuals = torch.randn(20, 1, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = torch.stack([loss(y + residual, y)[0] for residual in residuals])
    white = (residuals / variance.sqrt()).flatten(1)
    expected = torch.einsum("ni,ij,nj->n", white, precision, white)
    ratio = found / expected
    torch.testing.assert_close(ratio, ratio.mean().expand(20), rtol=1e-4, atol=0)
    of_mean_square = precision.diag().mean() * (1 / variance).mean() * y.numel()
    assert float(ratio.mean() * of_mean_square) == pytest.approx(1, rel=1e-4)
    plain = whitened("both", 1e-9).for_measurement(y, complete=True)
    other = torch.stack([plain(y + residual, y)[0] for residual in residuals]) / expected
    assert float(other.std() / other.mean()) > 0.02, "without the growth it is not"


@pytest.mark.parametrize("replicas", [2, 3])
def test_several_replicas_are_fitted_where_it_grows_with_brightness(replicas: int) -> None:
    y = picture(drawn("both", smooth(32)[0], 0))
    loss = whitened("both").model_copy(update={"growth": 1.0})
    found = dipx.reconstruct(y, loss=loss, replicas=replicas, iterations=1, scale="smoke", progress=False)
    assert len(found.output) == replicas


def test_for_white_noise_it_is_the_mean_squared_error_with_its_gradient() -> None:
    for shape in ((2, 3, 7, 6), (1, 1, 6, 9)):
        x, y = (torch.rand(shape, dtype=torch.float64, requires_grad=True) for _ in range(2))
        loss = Whitened(name="whitened", width=0.0, correlation=0.0, floor=0.05)
        torch.testing.assert_close(loss(x, y.detach()), MSE(x, y.detach()), rtol=1e-12, atol=0)
    loss = whitened("both").for_measurement(torch.rand(1, 3, 6, 5, dtype=torch.float64), complete=True)
    x, y = (torch.rand(1, 3, 6, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda image: loss(image, y.detach()), x)


def test_a_measurement_with_holes_cannot_be_whitened() -> None:
    y, known = picture(drawn("neighbours", smooth(32)[0], 0)), np.ones((32, 32), bool)
    known[10:20, 10:20] = False
    with pytest.raises(ValueError, match="without holes"):
        dipx.reconstruct(y, known, loss=whitened("neighbours"), scale="smoke", progress=False)


def test_noise_that_cannot_be_estimated_has_to_be_given() -> None:
    loss = Whitened(name="whitened", width=None, correlation=0.0, floor=0.05)
    y = picture(drawn("neighbours", smooth(32)[0], 0))
    with pytest.raises(ValueError, match=r"cannot be estimated; give loss\.width"):
        dipx.reconstruct(y, lambda images: images, loss=loss, scale="smoke", progress=False)


@pytest.mark.slow
def test_a_fit_with_whitened_loss_is_better_where_neighbours_share_the_noise(shared: Path) -> None:
    clean, best = load_image("file", str(shared / "data" / "cset9" / "f16.png"), 64, "crop"), {}
    y = drawn("neighbours", clean, 0)
    for name, loss in {"plain": MSE, "whitened": whitened("neighbours")}.items():
        found = dipx.reconstruct(
            picture(y),
            loss=loss,
            reference=picture(torch.from_numpy(clean)[None]),
            stopping="split",
            settings={"stopping.law": law("neighbours")},
            iterations=400,
            progress=False,
        )
        best[name] = found.history["psnr_average"].max()
    assert best["whitened"] > best["plain"] + 0.5


def picture(image: Tensor) -> np.ndarray:
    """An image "1 c h w" as an array "h w c"."""
    return image[0].permute(1, 2, 0).numpy()
