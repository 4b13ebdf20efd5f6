from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dip_experiments.data.reading import read_image
from dip_experiments.metrics import psnr, psnr_missing, psnr_y_authors, radial_spectrum, ssim
from dip_experiments.published import find_one
from dip_experiments.tensors import mean_squared_error, psnr_from_mse

SET5 = {"baby": 31.779, "bird": 30.198, "butterfly": 22.131, "head": 31.336, "woman": 26.751}
"""Bicubic at x4, dB."""
Array = NDArray[np.float64]


def pair(height: int = 70, width: int = 97) -> tuple[Array, Array]:
    draws = np.random.default_rng(0)
    reference = draws.uniform(0.2, 0.8, (3, height, width))
    return reference + draws.normal(0, 0.1, reference.shape), reference


def test_psnr_is_that_of_the_fit() -> None:
    image, reference = pair()
    assert psnr(reference + 0.1, reference) == pytest.approx(20)
    tensors = (torch.from_numpy(x)[None] for x in (image, reference))
    assert psnr(image, reference) == pytest.approx(psnr_from_mse(mean_squared_error(*tensors)).item())
    assert psnr(reference, reference) == pytest.approx(psnr_from_mse(torch.zeros(())).item())


def test_bicubic_on_set5_has_the_psnr_of_the_authors(shared: Path) -> None:
    folder = shared / "data" / "set5"
    ours = {
        name: psnr_y_authors(*(read_image(folder / x / f"{name}.png") for x in ("bicubic_x4", ""))) for name in SET5
    }
    assert ours == pytest.approx(SET5, abs=1e-3)
    assert np.mean(list(ours.values())) == pytest.approx(28.439, abs=1e-3)
    for name, value in ours.items():
        printed = find_one(dataset="set5", setting="x4", image=name, method="bicubic", metric="psnr_y_authors")
        assert value == pytest.approx(printed.value, abs=1e-3)


def test_psnr_of_the_authors_sees_the_brightness_of_the_cropped_centre_alone() -> None:
    _, reference = pair(70, 97)  # centre: rows 3 to 66, columns 0 to 95; compared: rows 7 to 61, columns 4 to 90
    for row, column, seen in [
        (7, 4, True),
        (61, 90, True),
        (6, 4, False),
        (7, 3, False),
        (62, 90, False),
        (61, 91, False),
    ]:
        image = reference.copy()
        image[1, row, column] += 0.1
        assert (psnr_y_authors(image, reference) < 119) is seen, (row, column)
    shift = psnr_y_authors(reference + 0.1, reference)
    assert shift == pytest.approx(-20 * np.log10(0.1 * 219 / 255))


def test_psnr_of_the_authors_takes_an_image_that_is_the_centre_already() -> None:
    image, reference = pair(70, 97)
    assert psnr_y_authors(image[:, 3:67, 0:96], reference) == psnr_y_authors(image, reference)


def test_psnr_of_the_authors_counts_grey_as_three_equal_channels() -> None:
    image, reference = (x[:1] for x in pair())
    assert psnr_y_authors(image, reference) == pytest.approx(
        psnr_y_authors(*(np.repeat(x, 3, 0) for x in (image, reference)))
    )


def test_ssim_is_one_for_equal_images_and_that_of_scikit_image_with_gaussian_weights() -> None:
    image, reference = pair()
    assert ssim(reference, reference) == pytest.approx(1)
    planes = [
        structural_similarity(a, b, gaussian_weights=True, data_range=1.0)
        for a, b in zip(image, reference, strict=True)
    ]
    assert ssim(image, reference) == pytest.approx(np.mean(planes))


def test_images_of_different_shapes_are_refused() -> None:
    image, reference = pair()
    for metric in (psnr, psnr_y_authors, ssim):
        for other in (image[:1], image[:, :-1]):
            with pytest.raises(ValueError, match="cannot be compared"):
                metric(other, reference)
    with pytest.raises(ValueError, match="32 x 32 pixels or more"):
        psnr_y_authors(image[:, :31], reference[:, :31])


def test_a_spectrum_has_the_power_where_the_waves_are() -> None:
    x = np.arange(64) / 64
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * 12 * x)[None, :, None] * np.ones((3, 1, 64))
    found = radial_spectrum(wave)
    assert found.shape == (32,)
    assert found.argmax() + 1 == 12
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(radial_spectrum(0.1 + 0.5 * wave), found, rtol=1e-9)
    noise = np.mean([radial_spectrum(np.random.default_rng(seed).normal(size=(3, 64, 64))) for seed in range(20)], 0)
    assert noise[1:] == pytest.approx(np.full(31, 1 / 32), rel=0.15)  # white: the same at all frequencies


def test_psnr_of_what_was_missing_sees_nothing_else() -> None:
    image, reference = np.zeros((3, 4, 4)), np.zeros((3, 4, 4))
    known = np.ones((1, 4, 4), dtype=bool)
    known[0, 1, 2] = False
    image[:, 1, 2] = 0.1
    assert psnr_missing(image, reference, known) == pytest.approx(20)
    image[:, 0, 0] = 1
    assert psnr_missing(image, reference, known) == pytest.approx(20)
