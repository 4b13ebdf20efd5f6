import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import load_image
from PIL import Image

from dip_experiments.baselines import classical
from dip_experiments.baselines.classical import DENOISERS, INPAINTERS, UPSAMPLERS, Array, Known, wiener
from dip_experiments.data.cropping import shrink
from dip_experiments.data.reading import read_image
from dip_experiments.metrics import psnr, psnr_y_authors
from dip_experiments.published import find_one
from dip_experiments.tasks.super_resolution import low_resolution

SIZE = (64, 80)
GAINS = {"nlm": (3, 5.5), "tv": (2.5, 4), "wavelet": (3, 4), "dct": (4, 5), "bm3d": (5.5, 7)}
"""Least gain in dB at sigma 10 and 25."""
SET5 = ("baby", "bird", "butterfly", "head", "woman")
denoisers = pytest.mark.parametrize("name", GAINS)
pictures = pytest.mark.parametrize("picture", ["astronaut", "camera"])


def crop(picture: str) -> Array:
    image = load_image(picture, None, None, "crop")
    height, width = SIZE
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    return image[:, top : top + height, left : left + width]


def noisy(image: Array, sigma: float) -> Array:
    return np.clip(image + np.random.default_rng(0).normal(0, sigma / 255, image.shape), 0, 1)


def half_known(shape: tuple[int, ...]) -> Known:
    return np.random.default_rng(0).random(shape) < 0.5


def field() -> Array:
    """Three planes, each with a slope of its own."""
    y, x = np.mgrid[:20, :24] / 24
    return np.stack([0.1 + 0.3 * y + 0.5 * x, 0.9 - 0.6 * x, 0.2 + 0.5 * y])


def denoise(name: str, image: Array, sigma: float) -> Array:
    if name not in DENOISERS:
        pytest.skip("the package bm3d is not installed: make setup EXTRAS=bm3d")
    return DENOISERS[name](image, sigma)


@denoisers
@pytest.mark.parametrize("which", [0, 1], ids=["sigma10", "sigma25"])
@pictures
def test_denoisers_gain(name: str, which: int, picture: str) -> None:
    clean, sigma = crop(picture), (10.0, 25.0)[which]
    measured = noisy(clean, sigma)
    assert psnr(denoise(name, measured, sigma), clean) > psnr(measured, clean) + GAINS[name][which]


@pictures
def test_bm3d_is_the_best_of_them(picture: str) -> None:
    clean = crop(picture)
    found = {name: psnr(denoise(name, noisy(clean, 25.0), 25.0), clean) for name in GAINS}
    best = found.pop("bm3d")
    assert best > max(found.values()) + 0.3


@denoisers
def test_colours_help_each_other_but_in_tv(name: str) -> None:
    clean = crop("astronaut")
    measured = noisy(clean, 25.0)
    jointly = denoise(name, measured, 25.0)
    alone = np.concatenate([denoise(name, plane[None], 25.0) for plane in measured])
    if name == "tv":
        np.testing.assert_allclose(jointly, alone, atol=1e-12)
    else:
        assert psnr(jointly, clean) > psnr(alone, clean) + 0.3


@denoisers
@pytest.mark.parametrize("colour", [(0.3,), (0.5, 0.5, 0.5), (0.2, 0.5, 0.7)], ids=str)
def test_a_constant_picture_stays_constant(name: str, colour: tuple[float, ...]) -> None:
    image = np.broadcast_to(np.array(colour)[:, None, None], (len(colour), 16, 21))
    np.testing.assert_allclose(denoise(name, image, 25.0), image, atol=5e-4)


@denoisers
def test_a_picture_in_green_alone_is_denoised_too(name: str) -> None:
    clean = crop("camera") * np.array([0, 1, 0])[:, None, None]
    measured = noisy(clean, 25.0) * np.array([0, 1, 0])[:, None, None]
    assert psnr(denoise(name, measured, 25.0), clean) > psnr(measured, clean) + 3


@denoisers
def test_noise_beyond_white_and_black_is_taken_and_the_result_lies_in_the_range(name: str) -> None:
    clean = crop("astronaut")
    measured = clean + np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    assert measured.min() < 0 < 1 < measured.max()
    found = denoise(name, measured, 25.0)
    assert found.min() >= 0
    assert found.max() <= 1
    assert psnr(found, clean) > psnr(measured, clean) + 4


def test_sliding_cosines_keep_a_tint_that_is_weaker_than_the_noise() -> None:
    tinted = np.full((3, 20, 20), 0.5) + np.array([2e-3, -1e-3, 1e-3])[:, None, None]
    np.testing.assert_allclose(denoise("dct", tinted, 100.0), tinted, atol=1e-12)
    dark = np.full((1, 20, 20), 0.01)
    np.testing.assert_allclose(denoise("dct", dark, 100.0), dark, atol=1e-12)


@pictures
def test_sliding_cosines_lose_nothing_where_there_is_no_noise(picture: str) -> None:
    clean = crop(picture)
    np.testing.assert_allclose(DENOISERS["dct"](clean, 1e-6), clean, atol=1e-6)


@pictures
def test_the_wiener_filter_improves_what_guides_it(picture: str) -> None:
    clean = crop(picture)
    measured = noisy(clean, 25.0)
    guide = DENOISERS["tv"](measured, 25.0)
    assert psnr(wiener(measured, guide, 25.0), clean) > psnr(guide, clean) + 0.5
    assert psnr(wiener(measured, clean, 25.0), clean) > psnr(DENOISERS["dct"](measured, 25.0), clean) + 1.5


@pytest.mark.slow
def test_a_denoiser_gives_the_same_bits_again() -> None:
    picture = noisy(crop("astronaut"), 25.0)
    for name, denoiser in DENOISERS.items():
        first = denoiser(picture, 25.0)
        assert all(np.array_equal(denoiser(picture, 25.0), first) for _ in range(2)), name


def test_without_its_package_bm3d_is_not_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm3d", None)  # an import of it now fails
    spec = importlib.util.spec_from_file_location("without_bm3d", classical.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.DENOISERS) == {"nlm", "tv", "wavelet", "dct", "nl_ridge", "lichi"}


def test_nearest_repeats_pixels() -> None:
    small = np.random.default_rng(0).random((3, 5, 7))
    large = UPSAMPLERS["nearest"](small, 4)
    assert large.shape == (3, 20, 28)
    for row in range(4):
        for column in range(4):
            np.testing.assert_array_equal(large[:, row::4, column::4], small)


@pytest.mark.parametrize(("name", "error"), [("bicubic", 1e-6), ("lanczos", 1e-3)])
def test_cubic_convolution_keeps_a_ramp_and_lanczos_nearly(name: str, error: float) -> None:
    small = field()
    large = UPSAMPLERS[name](small, 3)
    y, x = ((np.arange(3 * side) + 0.5) / 3 - 0.5 for side in small.shape[1:])  # centres, in pixels of the small
    ramp = 0.1 + 0.3 * y[:, None] / 24 + 0.5 * x[None] / 24
    inside = (slice(9, -9), slice(9, -9))
    np.testing.assert_allclose(large[0][inside], ramp[inside], atol=error)
    if name == "lanczos":
        assert np.abs(large[0][inside] - ramp[inside]).max() > 1e-5, "its weights do not reproduce slopes exactly"


@pictures
def test_smooth_kernels_beat_nearest(picture: str) -> None:
    reference = load_image(picture, None, 128, "resize")
    small = shrink(reference, 32)
    found = {name: psnr(method(small, 4), reference) for name, method in UPSAMPLERS.items()}
    assert found["nearest"] + 0.5 < found["bicubic"] < found["lanczos"]


def test_bicubic_on_set5_is_that_of_the_authors_if_the_small_pictures_are_bicubic_too(shared: Path) -> None:
    published = [set5(name) for name in SET5]
    theirs, ours = [], []
    for name in SET5:
        reference = read_image(shared / "data" / "set5" / f"{name}.png")
        _, height, width = reference.shape
        pixels = Image.fromarray(np.uint8(np.moveaxis(reference, 0, 2) * 255 + 0.5))
        reduced = pixels.resize((width // 4, height // 4), Image.Resampling.BICUBIC)
        theirs.append(quality(np.moveaxis(np.asarray(reduced) / 255, 2, 0), reference))
        top, left, high, wide = height % 32 // 2, width % 32 // 2, height // 32 * 32, width // 32 * 32
        centre = torch.from_numpy(reference[:, top : top + high, left : left + wide])
        ours.append(quality(low_resolution(centre, 4).numpy(), reference))
    assert theirs == pytest.approx(published, abs=0.005)
    assert np.mean(theirs) == pytest.approx(28.438, abs=1e-3)
    assert np.mean(ours) == pytest.approx(28.715, abs=1e-3), "the task's small pictures are Lanczos: 0.28 dB easier"


def set5(name: str) -> float:
    """The PSNR in dB of the authors' own bicubic image at x4."""
    return find_one(dataset="set5", setting="x4", image=name, method="bicubic", metric="psnr_y_authors").value


def quality(small: Array, reference: Array) -> float:
    return psnr_y_authors(UPSAMPLERS["bicubic"](small, 4), reference)


@pytest.mark.parametrize("name", INPAINTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_inpainters_keep_what_is_known_and_do_not_look_into_holes(name: str, channels: int) -> None:
    image = crop("astronaut")[:channels]
    known = half_known(image.shape)
    found = INPAINTERS[name](np.where(known, image, np.nan), known)
    np.testing.assert_array_equal(found[known], image[known])
    assert psnr(found, image) > psnr(image * known, image) + 10
    np.testing.assert_array_equal(INPAINTERS[name](image, np.ones_like(known)), image)


def test_nearest_copies_a_value_at_the_smallest_distance() -> None:
    draws = np.random.default_rng(0)
    image, known = draws.random((3, 12, 12)), draws.random((3, 12, 12)) < 0.15
    found = INPAINTERS["nearest"](np.where(known, image, 0), known)
    for plane, mask, filled in zip(image, known, found, strict=True):
        places = np.argwhere(mask)
        for pixel in np.ndindex(12, 12):
            distances = np.square(places - pixel).sum(axis=1)
            choices = [plane[tuple(place)] for place in places[distances == distances.min()]]
            assert filled[pixel] in choices


def test_biharmonic_continues_a_slope() -> None:
    image = field()
    known = np.ones(image.shape, dtype=bool)
    known[:, 6:12, 8:15] = False
    np.testing.assert_allclose(INPAINTERS["biharmonic"](image * known, known), image, atol=1e-12)
    assert np.abs(INPAINTERS["nearest"](image * known, known) - image).max() > 0.01


@pytest.mark.parametrize("name", INPAINTERS)
def test_every_channel_has_its_own_mask(name: str) -> None:
    image = crop("astronaut")
    known = half_known(image.shape)
    known[2] = known[0]  # two share theirs, which is solved for once
    jointly = INPAINTERS[name](image * known, known)
    for channel in range(3):
        one = slice(channel, channel + 1)
        np.testing.assert_allclose(jointly[one], INPAINTERS[name]((image * known)[one], known[one]), atol=1e-12)


@pytest.mark.parametrize("shape", [(16, 16), (2, 16, 16), (4, 16, 16), (1, 3, 16, 16)], ids=str)
def test_pictures_neither_grey_nor_rgb_are_refused(shape: tuple[int, ...]) -> None:
    image = np.zeros(shape)
    calls = [lambda method=method: method(image, 25.0) for method in DENOISERS.values()]
    calls += [lambda method=method: method(image, 4) for method in UPSAMPLERS.values()]
    calls += [lambda method=method: method(image, image == 0) for method in INPAINTERS.values()]
    for call in calls:
        with pytest.raises(ValueError, match=r"\(1, h, w\), grey, or \(3, h, w\), RGB"):
            call()


def test_noise_factor_and_mask_out_of_range_are_refused() -> None:
    image = np.zeros((3, 16, 16))
    for method in DENOISERS.values():
        for sigma in (0.0, -1.0, 256.0, np.nan):
            with pytest.raises(ValueError, match="above 0, up to 255"):
                method(image, sigma)
    for upsample in UPSAMPLERS.values():
        with pytest.raises(ValueError, match="give 2 or more"):
            upsample(image, 1)
    for inpaint in INPAINTERS.values():
        with pytest.raises(ValueError, match="must be as large"):
            inpaint(image, np.ones((1, 16, 16), dtype=bool))
        with pytest.raises(ValueError, match=r"\[256, 0, 256\]: at least one"):
            inpaint(image, np.ones((3, 16, 16), dtype=bool) & np.array([True, False, True])[:, None, None])
