"""NL-Ridge and LIChI do what their formulas say, and denoise as well as pinned."""

from typing import Any

import numpy as np
import pytest
from conftest import load_image

import dip_experiments as dipx
from dip_experiments.baselines import classical
from dip_experiments.baselines.linear_patches import (
    affine_estimates,
    affine_weights,
    first_estimate,
    guided_risk,
    lichi,
    next_estimates,
    nl_ridge,
    unbiased_risk,
)
from dip_experiments.baselines.patches import (
    Array,
    Matching,
    filter_groups,
    from_opponent,
    inverse_squares,
    match_patches,
    ridge_inverse,
    to_opponent,
)
from dip_experiments.metrics import psnr

SMALL = Matching(side=5, count=8, window=21, stride=3)
methods = pytest.mark.parametrize("method", [nl_ridge, lichi])


def crop(side: int) -> Array:
    """Part of a photograph with edges and texture."""
    return load_image("astronaut", None, None, "crop")[:, 60 : 60 + side, 180 : 180 + side]


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, sigma / 255, shape)


def groups(count: int = 3, patches: int = 6, pixels: int = 9) -> Array:
    return np.random.default_rng(1).uniform(0.2, 0.8, (count, patches, pixels))


def errors(estimates: Array, truth: Array) -> float:
    return float(np.square(estimates - truth).mean())


def test_groups_of_identical_patches_are_averaged() -> None:
    patch, sigma = groups(patches=1, pixels=49), 10 / 255
    noisy = patch + noise((3, 18, 49), 10.0)
    same, mean = np.broadcast_to(patch, noisy.shape), np.broadcast_to(noisy.mean(1, keepdims=True), noisy.shape)
    variance = np.full(noisy.shape, sigma**2)
    (guided,), _ = guided_risk(noisy, same, variance)
    np.testing.assert_allclose(guided, mean, rtol=1e-3)  # shrunk by what is not affine
    (affine, _), weights = next_estimates(noisy, same, noisy, sigma, 0.0)
    np.testing.assert_allclose(affine, mean, atol=1e-12)
    np.testing.assert_allclose(weights, 18)
    for (estimate,), weights in (unbiased_risk(noisy, variance), first_estimate(noisy, sigma)):
        assert errors(estimate, patch) < 0.6 * errors(noisy, patch)
        assert weights.shape == (3, 18)


def test_the_second_step_has_the_least_error_that_linear_combinations_can_have() -> None:
    truth, sigmas = groups(), np.array([0.02, 0.3, 0.05, 0.1, 0.2, 0.15])
    variance = np.broadcast_to(np.square(sigmas)[:, None], truth.shape)
    (product,), weights = guided_risk(np.broadcast_to(np.eye(6), (3, 6, 6)), truth[:, :, :6], variance[:, :, :6])
    theta = product.transpose(0, 2, 1)

    def risk(theta: Array) -> float:
        bias = theta.transpose(0, 2, 1) @ truth[:, :, :6] - truth[:, :, :6]
        return float(np.square(bias).sum() + (np.square(theta) * 6 * np.square(sigmas)[:, None]).sum())

    assert all(risk(theta) < risk(theta + 0.01 * noise(theta.shape, 255.0, seed)) for seed in range(20))
    np.testing.assert_allclose(1 / weights, np.square(theta).sum(1))


def test_the_first_step_by_hand() -> None:
    """Of one patch with g = |G|^2 and d = n sigma^2: Theta = 1 - (1 + alpha) d / (g + alpha d), alpha = 0.05."""
    noisy, variance = np.full((1, 1, 9), 0.5), np.full((1, 1, 9), 0.01)
    theta = 1 - 1.05 * 0.09 / (2.25 + 0.05 * 0.09)
    (estimate,), weights = unbiased_risk(noisy, variance)
    np.testing.assert_allclose(estimate, 0.5 * theta)
    np.testing.assert_allclose(weights, theta**-2)


def test_without_noise_the_second_step_returns_the_group() -> None:
    noisy, pilot = groups(patches=6), groups(patches=6)[::-1]
    (estimate,), _ = guided_risk(noisy, pilot, np.zeros(noisy.shape))
    np.testing.assert_allclose(estimate, noisy, atol=1e-5)


def test_affine_weights_sum_to_one_and_the_next_z_holds_the_share_of_noise() -> None:
    truth = groups(2, 6, 36)
    theta = affine_weights(truth, np.array([0.1, 2.0]), np.array([0.3, 2.0]))
    np.testing.assert_allclose(theta.sum(1), 1)
    np.testing.assert_allclose(inverse_squares(theta), 1 / np.square(theta).sum(1))
    same = np.array([0.3, 2.0])
    noisy = truth + noise(truth.shape, 50.0)
    theta = affine_weights(truth, same, same)
    estimate, weights = affine_estimates(noisy, truth, same)
    np.testing.assert_allclose(estimate, theta.transpose(0, 2, 1) @ noisy)
    np.testing.assert_allclose(weights, inverse_squares(theta))
    z = truth + 0.5 * (noisy - truth)  # half of the noise is left
    (estimate, following), _ = next_estimates(z, truth, noisy, 50 / 255, 0.25)
    share = 0.25 / (1 - np.std(noisy - z, axis=(1, 2)) / (50 / 255))
    assert share == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(following, estimate + share[:, None, None] * (z - estimate))
    (_, following), _ = next_estimates(truth, truth, noisy, 60 / 255, 0.25)  # t = tau, as less noise is left than tau
    np.testing.assert_allclose(following, truth)


@pytest.mark.parametrize("pixels", [4, 90])
def test_inverses_are_those_of_the_formula(pixels: int) -> None:
    seen, ridge = groups(2, 70, pixels), np.random.default_rng(0).uniform(0.1, 1, (2, 70))
    q = seen @ seen.transpose(0, 2, 1) + np.eye(70) * ridge[:, None]
    np.testing.assert_allclose(ridge_inverse(seen, ridge) @ q, np.broadcast_to(np.eye(70), q.shape), atol=1e-10)


@methods
def test_without_noise_the_image_comes_back(method: Any) -> None:
    clean = crop(32)
    np.testing.assert_allclose(method(clean, 1e-6), clean, atol=1e-4)


def test_opponent_colours_are_orthonormal_and_come_back() -> None:
    image = crop(16)
    planes = to_opponent(image)
    np.testing.assert_allclose(from_opponent(planes), image, atol=1e-15)
    np.testing.assert_allclose(np.square(planes).sum(0), np.square(image).sum(0))
    np.testing.assert_allclose(planes[0], image.sum(0) / np.sqrt(3))
    np.testing.assert_array_equal(to_opponent(image[:1]), image[:1])


def test_matching_finds_the_copy_of_a_patch_and_only_within_the_window() -> None:
    plane = np.random.default_rng(0).random((40, 44))
    plane[20:26, 30:36] = plane[12:18, 24:30]
    plane[30:36, 0:6] = plane[12:18, 24:30]  # too far away
    (strip,) = match_patches(plane, Matching(side=6, count=2, window=25, stride=6))
    columns, first = 44 - 6 + 1, strip.rows.start
    groups = [{divmod(int(one) + first * columns, columns) for one in row} for row in strip.members]
    assert {(12, 24), (20, 30)} in groups
    assert not any({(12, 24), (30, 0)} <= group for group in groups)


def test_matching_is_that_of_a_plain_search() -> None:
    plane = np.random.default_rng(0).random((33, 30))
    (strip,) = match_patches(plane, SMALL)
    patches, places = strip.patches(plane), list(np.ndindex(29, 26))
    references = [(top, left) for top in [*range(0, 28, 3), 28] for left in [*range(0, 25, 3), 25]]
    for (top, left), found in zip(references, strip.members, strict=True):
        near = [index for index, (y, x) in enumerate(places) if max(abs(y - top), abs(x - left)) <= 10]
        distances = np.square(patches[near] - patches[26 * top + left]).sum(1)
        assert set(found) == {near[one] for one in np.argsort(distances)[:8]}


@pytest.mark.thorough
def test_strips_together_are_the_groups_of_the_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    image = crop(32) + noise((3, 32, 32), 25.0)
    in_one = nl_ridge(image, 25.0)
    monkeypatch.setattr("dip_experiments.baselines.patches.REFERENCES", 20)
    monkeypatch.setattr("dip_experiments.baselines.patches.ROWS", 1)
    monkeypatch.setattr("dip_experiments.baselines.patches.BATCH", 7)
    np.testing.assert_allclose(nl_ridge(image, 25.0), in_one, atol=1e-10)


def test_overlapping_estimates_are_averaged_by_their_weights() -> None:
    image = crop(24)
    strips = match_patches(image[0], SMALL)
    (same,) = filter_groups(lambda seen: ([seen], np.full(seen.shape[:2], 3.0)), [image], strips)
    np.testing.assert_allclose(same, image, atol=1e-12)

    def flattened(seen: Array) -> tuple[list[Array], Array]:
        means = seen.mean((1, 2), keepdims=True)
        return [np.broadcast_to(means, seen.shape), seen], np.broadcast_to(means[..., 0], seen.shape[:2])

    found = filter_groups(flattened, [image[:1]], strips, outputs=2)
    sums, weights = np.zeros((2, 24, 24)), np.zeros((24, 24))
    (strip,) = strips
    for members in strip.members:
        mean = strip.patches(image[0])[members].mean()
        for top, left in (divmod(int(one), 20) for one in members):
            area = slice(top, top + 5), slice(left, left + 5)
            sums[(0, *area)] += mean * mean
            sums[(1, *area)] += mean * image[(0, *area)]
            weights[area] += mean
    np.testing.assert_allclose(found[:, 0], sums / weights)


@pytest.mark.parametrize(
    ("method", "sigma", "pinned"),
    [(nl_ridge, 10.0, 34.12), (nl_ridge, 25.0, 29.47), (nl_ridge, 50.0, 25.73), (lichi, 25.0, 29.78)],
)
def test_they_denoise_better_than_non_local_means(method: Any, sigma: float, pinned: float) -> None:
    clean = crop(48)
    noisy = np.clip(clean + noise(clean.shape, sigma), 0, 1)
    found = psnr(method(noisy, sigma), clean)
    assert found > psnr(classical.non_local_means(noisy, sigma), clean) + 0.5
    assert found == pytest.approx(pinned, abs=0.01)


def test_equal_channels_are_denoised_as_grey_of_less_noise() -> None:
    """Brightness is sqrt 3 times the grey image, of noise of the same sigma; the other colours stay 0."""
    grey = crop(32)[:1] + noise((1, 32, 32), 7.0)
    found = nl_ridge(grey.repeat(3, axis=0), 12.0)
    np.testing.assert_allclose(found, nl_ridge(grey, 12 / np.sqrt(3)).repeat(3, axis=0), atol=1e-9)


def test_a_variance_that_is_the_same_everywhere_is_a_sigma() -> None:
    noisy = crop(32) + noise((3, 32, 32), 15.0)
    wanted = nl_ridge(noisy, 15.0)
    for shape in ((32, 32), (3, 32, 32)):
        np.testing.assert_allclose(nl_ridge(noisy, variance=np.full(shape, (15 / 255) ** 2)), wanted, atol=1e-9)


def test_knowing_where_the_noise_is_helps() -> None:
    clean = crop(48)
    sigmas = np.broadcast_to(np.linspace(2, 60, 48), (48, 48))
    noisy = clean + noise(clean.shape, 1.0) * sigmas
    of_mean = psnr(nl_ridge(noisy, float(np.sqrt(np.square(sigmas).mean()))), clean)
    assert psnr(nl_ridge(noisy, variance=np.square(sigmas / 255)), clean) > of_mean + 1


def test_the_variance_of_one_channel_counts_in_the_colours_that_hold_it() -> None:
    """Noise in green alone: its variance is 1/3 in the brightness, 0 in (R - B), 2/3 in (R - 2 G + B)."""
    clean, seen = crop(40), np.array([0.0, 1.0, 0.0])[:, None, None]
    noisy = clean + noise(clean.shape, 40.0) * seen
    variance = np.broadcast_to(seen * (40 / 255) ** 2, clean.shape)
    one_for_all = nl_ridge(noisy, 40 / np.sqrt(3))
    assert psnr(nl_ridge(noisy, variance=variance), clean) > psnr(one_for_all, clean) + 0.5


@pytest.mark.parametrize("shape", [(1, 5, 9), (3, 12, 7), (3, 16, 16), (1, 1, 1)], ids=str)
@methods
def test_small_images_are_denoised_in_smaller_groups(method: Any, shape: tuple[int, ...]) -> None:
    noisy = 0.5 + noise(shape, 25.0)
    found = method(noisy, 25.0)
    assert found.shape == shape
    assert np.isfinite(found).all()
    assert np.abs(found - 0.5).mean() <= np.abs(noisy - 0.5).mean()


@methods
def test_flat_images_stay(method: Any) -> None:
    for level in (0.0, 0.7):
        flat = np.full((3, 16, 16), level)
        np.testing.assert_allclose(method(flat, 25.0), flat, atol=0.02)


def test_wrong_variances_are_refused() -> None:
    noisy = crop(16)
    for arguments in ({}, {"sigma": 5.0, "variance": np.ones((16, 16))}):
        with pytest.raises(ValueError, match="one of them"):
            nl_ridge(noisy, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(16, 17\) for an image"):
        nl_ridge(noisy, variance=np.ones((16, 17)))
    for wrong in (-1.0, 2.0, np.nan):
        with pytest.raises(ValueError, match="below 0, above 1 or NaN"):
            nl_ridge(noisy, variance=np.full((16, 16), wrong))
    with pytest.raises(ValueError, match=r"\(1, h, w\), grey"):
        nl_ridge(noisy[:2], variance=np.full((16, 16), 0.1))


def test_pictures_in_any_layout_are_taken_and_their_variance_too() -> None:
    picture = np.moveaxis(crop(24), 0, 2)
    variance = np.random.default_rng(0).random(picture.shape) / 100
    wanted = np.moveaxis(nl_ridge(crop(24), variance=np.moveaxis(variance, 2, 0)), 0, 2)
    np.testing.assert_array_equal(dipx.baselines.nl_ridge(picture, variance=variance), wanted)
    one = nl_ridge(crop(24), variance=variance[..., 0])
    np.testing.assert_array_equal(dipx.baselines.nl_ridge(picture, variance=variance[..., 0]), np.moveaxis(one, 0, 2))
    np.testing.assert_array_equal(dipx.baselines.lichi(picture[..., 0], sigma=9.0), lichi(crop(24)[:1], 9.0)[0])
