"""Frequency bands: an image of one frequency is in one band, and explained parts are what they say."""

import math

import pytest
import torch

from dip_experiments.theory.bands import BANDS, amplitude_ratio, band_masks, explained_energy

SIDE = 40


def wave(cycles: int, phase: float = 0.0) -> torch.Tensor:
    """A grey image of one horizontal frequency, in cycles a side."""
    column = torch.cos(2 * math.pi * cycles * torch.arange(SIDE, dtype=torch.float64) / SIDE + phase)
    return column.expand(1, 1, SIDE, SIDE)


@pytest.mark.parametrize("band", range(BANDS))
def test_an_image_of_one_frequency_is_in_one_band(band: int) -> None:
    cycles = SIDE // 2 * (band + 1) // BANDS  # the outer edge of the band belongs to it
    masks = band_masks(SIDE, SIDE)
    energy = (torch.fft.fft2(wave(cycles)[0, 0]).abs().square() * masks).sum((1, 2))
    assert energy.argmax() == band
    assert energy[band] == pytest.approx(energy.sum().item())
    assert energy[band] == pytest.approx((torch.fft.fft2(wave(cycles)[0, 0]).abs().square()).sum().item())


def test_bands_do_not_overlap_and_leave_out_the_mean_and_the_corners() -> None:
    masks = band_masks(32, 48)
    assert masks.sum(0).max() == 1
    assert masks[:, 0, 0].sum() == 0
    assert masks[:, 16, 24].sum() == 0  # the highest frequency in both directions
    assert masks[-1, 16, 0] == masks[-1, 0, 24] == 1


def test_the_fitted_target_is_all_explained_and_a_flat_image_explains_nothing() -> None:
    target = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    masks = band_masks(32, 32)
    for look in (explained_energy, amplitude_ratio):
        torch.testing.assert_close(look(target, target, masks), torch.ones(BANDS, 2, dtype=torch.float64))
        torch.testing.assert_close(
            look(torch.full_like(target, 0.3), target, masks), torch.zeros(BANDS, 2, dtype=torch.float64),
            atol=1e-9, rtol=0,
        )  # fmt: skip


def test_half_of_an_amplitude_is_half_of_the_ratio_and_three_quarters_of_the_energy() -> None:
    masks, target = band_masks(SIDE, SIDE), wave(2) + wave(18)
    image = 0.5 * wave(2) + wave(18)
    energy = explained_energy(image, target, masks)[:, 0]
    assert energy[0] == pytest.approx(0.75)
    assert energy[4] == pytest.approx(1)


def test_a_wrong_phase_is_no_explained_energy_though_the_amplitudes_agree() -> None:
    masks, target = band_masks(SIDE, SIDE), wave(2)
    shifted = wave(2, math.pi)
    ring = masks[0].bool()
    amplitudes = torch.fft.fft2(shifted[0, 0]).abs()[ring]
    torch.testing.assert_close(amplitudes, torch.fft.fft2(target[0, 0]).abs()[ring])
    assert explained_energy(shifted, target, masks)[0, 0] == pytest.approx(-3)


def test_an_amplitude_above_the_target_s_counts_as_fitted() -> None:
    target = torch.rand(1, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert amplitude_ratio(3 * target, target, band_masks(32, 32)).max() == 1
