import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor

from dip_experiments.tasks.jpeg import through_file as jpeg
from dip_experiments.tasks.masks import Bernoulli, Box, Text
from dip_experiments.tasks.noise import (
    BlurredGaussian,
    Gamma,
    Gaussian,
    GreyGaussian,
    Poisson,
    SaltAndPepper,
    Speckle,
    expand_shorthand,
)
from dip_experiments.tasks.super_resolution import low_resolution
from dip_experiments.tasks.targets import Noisy
from dip_experiments.tensors import generator

GREY = 0.4
SURE = 5
"""Standard errors that an estimate may be off: a chance below 1e-6 for one test."""


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(image: Tensor, sigma: float, clip: bool, drawn: torch.Generator) -> Tensor:
    return Gaussian(name="gaussian", sigma=sigma, clip=clip).apply(image, drawn)


def speckle(image: Tensor, sigma: float, drawn: torch.Generator) -> Tensor:
    return Speckle(name="speckle", sigma=sigma).apply(image, drawn)


def poisson(image: Tensor, peak: float, drawn: torch.Generator) -> Tensor:
    return Poisson(name="poisson", peak=peak).apply(image, drawn)


def salt_and_pepper(image: Tensor, fraction: float, drawn: torch.Generator) -> Tensor:
    return SaltAndPepper(name="salt_and_pepper", fraction=fraction).apply(image, drawn)


def bernoulli_mask(image: Tensor, missing: float, per: Any, drawn: torch.Generator) -> Tensor:
    return Bernoulli(name="bernoulli", missing=missing, per=per).draw(image, drawn)


def box_mask(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return Box(name="box", top=top, left=left, height=height, width=width).draw(image, draws())


def text_mask(image: Tensor, text: str, size: int) -> Tensor:
    return Text(name="text", text=text, size=size).draw(image, draws())


def flat(size: int = 128) -> Tensor:
    return torch.full((3, size, size), GREY, dtype=torch.float64)


def picture(channels: int = 3) -> Tensor:
    """A smooth picture between the grey levels of 8 bit."""
    y, x = torch.meshgrid(torch.linspace(0, 6, 64), torch.linspace(0, 4, 48), indexing="ij")
    planes = torch.stack([torch.sin(x + shift) * torch.cos(y - shift) for shift in range(channels)])
    return ((planes + 1) / 2).double()


def check_moments(values: Tensor, mean: float, variance: float, kurtosis: float = 3) -> None:
    """Mean and variance within SURE standard errors: sqrt(v / n) and v sqrt((kurtosis - 1) / n)."""
    n = values.numel()
    assert values.mean().item() == pytest.approx(mean, abs=SURE * (variance / n) ** 0.5)
    assert values.var().item() == pytest.approx(variance, abs=SURE * variance * ((kurtosis - 1) / n) ** 0.5)


def check_share(hit: Tensor, share: float, n: int) -> None:
    assert hit.double().mean().item() == pytest.approx(share, abs=SURE * (share * (1 - share) / n) ** 0.5)


def test_gamma_speckle_has_the_image_as_mean_and_its_square_by_looks_as_variance() -> None:
    noisy = Gamma(name="gamma", looks=10.0).apply(flat(), draws())
    check_moments(noisy, GREY, GREY**2 / 10, kurtosis=3 + 6 / 10)
    assert noisy.min() > 0
    assert torch.equal(noisy, Gamma(name="gamma", looks=10.0).apply(flat(), draws()))


def test_grey_noise_is_the_same_in_all_channels() -> None:
    noise = GreyGaussian(name="grey_gaussian", sigma=25.0).apply(flat(), draws()) - GREY
    assert torch.equal(noise[0], noise[2])
    check_moments(noise[:1], 0, (25 / 255) ** 2)


def test_blurred_noise_has_the_deviation_requested_and_its_neighbours_correlate() -> None:
    noise = BlurredGaussian(name="blurred_gaussian", sigma=25.0, radius=1.0).apply(flat(256), draws()) - GREY
    assert noise.std().item() == pytest.approx(25 / 255, rel=0.02)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()
    assert neighbours.item() == pytest.approx(np.exp(-1 / 4), abs=0.02)  # of a Gaussian of radius 1 with itself
    channels = (noise[0] * noise[1]).mean() / noise.square().mean()
    assert abs(channels.item()) < 0.05


def test_blurred_noise_may_be_the_same_in_all_channels() -> None:
    settings = {"name": "blurred_gaussian", "sigma": 25.0, "radius": 0.7}
    noise = BlurredGaussian(**settings, grey=True).apply(flat(256), draws()) - GREY
    assert torch.equal(noise[0], noise[2])
    assert noise.std().item() == pytest.approx(25 / 255, rel=0.02)
    assert BlurredGaussian(**settings).model_dump()["grey"] is False


def test_gaussian_noise_has_mean_0_and_the_deviation_requested() -> None:
    check_moments(gaussian(flat(), 25.0, False, draws()), GREY, (25 / 255) ** 2)


def test_clipped_noise_is_the_same_noise_in_the_unit_range() -> None:
    raw, clipped = (gaussian(flat(), 255.0, clip, draws()) for clip in (False, True))
    assert raw.min() < 0
    assert torch.equal(clipped, raw.clamp(0, 1))


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noisy_targets_are_bit_for_bit_those_of_the_formula(clip: bool, dtype: torch.dtype) -> None:
    image = picture().to(dtype)
    noise = [torch.randn(image.shape, generator=generator(s, "target"), dtype=torch.float64) for s in (3, 4)]
    expected = image + torch.stack(noise).to(dtype) * (25.0 / 255)
    signal = Noisy(name="noisy", sigma=25.0, clip=clip).signal(image, [3, 4])
    assert torch.equal(signal, expected.clamp(0, 1) if clip else expected)


def test_speckle_grows_with_the_brightness() -> None:
    check_moments(speckle(flat(), 50.0, draws()), GREY, (GREY * 50 / 255) ** 2)
    check_moments(speckle(flat() / GREY, 50.0, draws()), 1, (50 / 255) ** 2)
    assert torch.equal(speckle(torch.zeros(1, 4, 4), 50.0, draws()), torch.zeros(1, 4, 4))


def test_photons_are_counted_with_variance_equal_to_mean() -> None:
    peak = 30.0
    counted = poisson(flat(), peak, draws())
    check_moments(counted, GREY, GREY / peak, kurtosis=3 + 1 / (GREY * peak))
    torch.testing.assert_close(counted * peak, (counted * peak).round())


def test_salt_and_pepper_hit_their_share_of_the_pixels_and_leave_the_others() -> None:
    hit = salt_and_pepper(flat(), 0.1, draws())
    assert torch.equal(hit[0], hit[1])
    for value, share in ((0, 0.05), (1, 0.05), (GREY, 0.9)):
        check_share(hit == value, share, 128 * 128)


@pytest.mark.parametrize("per", ["pixel", "channel"])
def test_a_bernoulli_mask_hides_its_share(per: str) -> None:
    known = bernoulli_mask(flat(), 0.3, per, draws())
    assert known.shape == (3, 128, 128)
    check_share(~known, 0.3, 128 * 128 * (3 if per == "channel" else 1))
    together = (known[0] == known[1]).double().mean().item()
    if per == "pixel":
        assert together == 1
    else:
        check_share(known[0] == known[1], 0.3**2 + 0.7**2, 128 * 128)


def test_a_box_mask_hides_the_box_alone() -> None:
    known = box_mask(torch.zeros(2, 5, 6), top=1, left=2, height=3, width=4)
    expected = np.ones((2, 5, 6), dtype=bool)
    expected[:, 1:4, 2:6] = False
    assert np.array_equal(known.numpy(), expected)


@pytest.mark.parametrize("size", [8, 12, 20])
def test_a_text_mask_hides_some_pixels_in_lines_but_not_most_the_same_in_all_channels(size: int) -> None:
    known = text_mask(flat(), "deep image prior", size)
    assert known.shape == (3, 128, 128)
    assert torch.equal(known[0], known[1])
    assert 0.03 < (~known).double().mean() < 0.25
    hidden = (~known[0]).any(1)
    lines = int((hidden[1:] & ~hidden[:-1]).sum())
    assert lines == len(range(size // 2, 128, 3 * size))
    assert (~known[0]).any(0).nonzero().max() > 120  # written over and over, up to the right border


def test_larger_letters_are_higher() -> None:
    heights = []
    for size in (8, 16, 32):
        rows = (~text_mask(flat()[:, : 2 * size], "deep", size)[0]).any(1).nonzero()
        heights.append(int(rows.max() - rows.min() + 1))
    assert heights == sorted(set(heights))
    assert all(0.6 * size < height <= size for size, height in zip((8, 16, 32), heights, strict=True))


def test_line_breaks_in_a_text_are_spaces() -> None:
    assert torch.equal(text_mask(flat(), "deep\n image\tprior ", 12), text_mask(flat(), "deep image prior", 12))


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_the_round_trip_through_a_file(channels: int) -> None:
    image = picture(channels)
    pixels = (image * 255).round().numpy().astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels.transpose(1, 2, 0) if channels == 3 else pixels[0]).save(file, "JPEG", quality=30)
    expected = np.atleast_3d(np.asarray(PIL.Image.open(file)) / 255).transpose(2, 0, 1)
    assert np.array_equal(jpeg(image, 30).numpy(), expected)


def test_jpeg_is_close_at_quality_100_and_far_at_1() -> None:
    image = picture()
    best, middle, worst = ((jpeg(image, quality) - image).square().mean().sqrt() * 255 for quality in (100, 50, 1))
    assert best < 1.5
    assert best < middle < worst
    assert worst > 15


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_low_resolution_image_is_resized_by_pillow_in_8_bit(channels: int, factor: int) -> None:
    image = picture(channels)
    pixels = (image * 255).round().numpy().astype(np.uint8)
    small = [PIL.Image.fromarray(x).resize((48 // factor, 64 // factor), PIL.Image.Resampling.LANCZOS) for x in pixels]
    assert np.array_equal(low_resolution(image, factor).numpy(), np.stack([np.asarray(x) / 255 for x in small]))


RANDOM: list[Callable[[Tensor, torch.Generator], Tensor]] = [
    lambda x, g: gaussian(x, 25.0, True, g),
    lambda x, g: speckle(x, 25.0, g),
    lambda x, g: poisson(x, 30.0, g),
    lambda x, g: salt_and_pepper(x, 0.1, g),
    lambda x, g: bernoulli_mask(x, 0.5, "channel", g).to(x),
]


@pytest.mark.parametrize("degrade", RANDOM)
def test_a_realisation_depends_on_the_generator_and_not_on_the_precision(degrade: Callable[..., Tensor]) -> None:
    image = torch.full((3, 16, 16), 0.5)  # exact in both precisions
    single, double = degrade(image, draws(1)), degrade(image.double(), draws(1))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-6)
    assert not torch.equal(single, degrade(image, draws(2)))


@pytest.mark.parametrize(
    ("degrade", "message"),
    [
        (lambda x: gaussian(x, -1.0, True, draws()), "greater than or equal to 0"),
        (lambda x: gaussian(x, 256.0, True, draws()), "less than or equal to 255"),
        (lambda x: speckle(x, float("nan"), draws()), "finite number"),
        (lambda x: poisson(x, 0.0, draws()), "greater than 0"),
        (lambda x: poisson(x, 1e19, draws()), "less than or equal to"),
        (lambda x: salt_and_pepper(x, 0.0, draws()), "greater than 0"),
        (lambda x: bernoulli_mask(x, 1.0, "pixel", draws()), "less than 1"),
        (lambda x: low_resolution(x, 3), "factor=3: .* 8 x 12 pixels; use image.multiple=3"),
        (lambda x: low_resolution(x, 8), "factor=8"),
        (lambda x: box_mask(x, 6, 0, 3, 2), "must lie in the image of 8 x 12"),
        (lambda x: box_mask(x, 0, -1, 3, 2), "greater than or equal to 0"),
        (lambda x: box_mask(x, 2, 2, 0, 2), "greater than 0"),
        (lambda x: box_mask(x, 0, 0, 8, 12), "leave some of it known"),
        (lambda x: text_mask(x, "deep", 20), "letters of 20 pixels hides nothing of an image of 8 x 12 pixels; choose"),
        (lambda x: text_mask(x, "a", 1), "hides nothing"),
        (lambda x: text_mask(x, " ", 6), "match pattern"),
    ],
)
def test_settings_out_of_range_are_refused(degrade: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        degrade(torch.full((3, 8, 12), 0.5))


def test_a_noise_without_words_may_be_said_in_one_and_others_are_told_how() -> None:
    assert expand_shorthand("none") == {"name": "none"}
    assert expand_shorthand({"name": "gamma", "looks": 3.0}) == {"name": "gamma", "looks": 3.0}
    with pytest.raises(ValueError, match="say task/noise=gaussian"):
        expand_shorthand("gaussian")
    with pytest.raises(ValueError, match="say task/noise=gausian, with one of gaussian, "):
        expand_shorthand("gausian")
