"""Upsampling by zeros and a low-pass filter: its frequency response, its borders, and a dense definition."""

import numpy as np
import pytest
import torch
from scipy.signal import firwin, freqz
from scipy.signal import kaiser_beta as scipys_beta

from dip_experiments.architectures import FastSkip, build_replicas
from dip_experiments.architectures.layers import Kind, Upsample, upsampling_layer
from dip_experiments.architectures.lowpass import LOWPASS, TAPS, LowPass, kaiser_beta, lowpass

PADDING = {"reflection": "reflect", "zero": "constant"}


def response(taps: np.ndarray, count: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, 1 being half of the sampling rate, and what the filter lets pass there, in dB."""
    frequencies, found = freqz(taps / taps.sum(), worN=count)
    return frequencies / np.pi, 20 * np.log10(np.abs(found) + 1e-12)


@pytest.mark.parametrize("attenuation", LOWPASS.values())
def test_beyond_the_pass_band_the_filter_has_the_attenuation_of_its_name(attenuation: float) -> None:
    frequencies, passed = response(lowpass(attenuation).numpy())
    transition = max(attenuation - 7.95, 13.2) / (2.285 * (TAPS - 1)) / np.pi  # Kaiser 1974; of no window 0.9 / taps
    stop, band = 0.5 + transition / 2, 0.5 - transition / 2
    assert passed[frequencies >= stop].max() <= -0.94 * attenuation
    assert np.abs(passed[frequencies <= band]).max() < 3 * 10 ** (-attenuation / 20) * 8.7
    assert passed[np.searchsorted(frequencies, 0.5)] == pytest.approx(-6, abs=0.5)
    wider = [response(lowpass(each).numpy())[1][frequencies >= 0.9].max() for each in LOWPASS.values()]
    assert wider == sorted(wider, reverse=True)


@pytest.mark.parametrize("attenuation", [15.0, 30.0, *LOWPASS.values()])
def test_it_is_scipys_filter_with_equal_sums_for_even_and_odd_rows(attenuation: float) -> None:
    assert kaiser_beta(attenuation) == pytest.approx(scipys_beta(attenuation))
    taps = lowpass(attenuation).numpy()
    window = np.kaiser(TAPS, scipys_beta(attenuation))
    plain, signs = firwin(TAPS, 0.5, window=("kaiser", scipys_beta(attenuation))), (-1.0) ** np.arange(TAPS)
    changed = plain - signs * window * (signs * plain).sum() / window.sum()
    np.testing.assert_allclose(taps, 2 * changed / changed.sum(), atol=1e-12)
    assert (taps[0::2].sum(), taps[1::2].sum()) == pytest.approx((1, 1))


@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize(("rows", "columns"), [(12, 9), (5, 3), (1, 2)])
@pytest.mark.parametrize("mode", LOWPASS)
def test_a_map_is_filtered_between_zeros_and_its_border_padded(
    mode: Upsample, rows: int, columns: int, padding: str
) -> None:
    x = torch.randn(1, 4, rows, columns, dtype=torch.float64)
    spread = np.zeros((4, 2 * rows, 2 * columns))
    spread[:, ::2, ::2] = x[0].numpy()
    margin, taps = TAPS // 2, lowpass(LOWPASS[mode]).numpy()
    framed = np.pad(spread, ((0, 0), (margin, margin), (margin, margin)), mode=PADDING[padding])  # type: ignore[call-overload]
    expected = np.zeros_like(spread)
    for k in range(TAPS):
        for m in range(TAPS):
            expected += taps[k] * taps[m] * framed[:, k : k + 2 * rows, m : m + 2 * columns]
    found = LowPass(rows, columns, LOWPASS[mode], padding).double()
    exact = [matrix(rows, mode, padding), matrix(columns, mode, padding)]
    found.down, found.across = exact[0], exact[1]
    np.testing.assert_allclose(found(x)[0].numpy(), expected, atol=1e-12)


def matrix(side: int, mode: Upsample, padding: str) -> torch.Tensor:
    """The module's own matrix in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        return LowPass(side, side, LOWPASS[mode], padding).down
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("mode", LOWPASS)
def test_a_constant_map_stays_constant_where_the_border_is_reflected(mode: Upsample) -> None:
    x = torch.full((1, 2, 6, 3), 0.7)
    layer = upsampling_layer(mode, 2, (6, 3), Kind(1, "reflection"))
    assert layer is not None
    torch.testing.assert_close(layer(x), torch.full((1, 2, 12, 6), 0.7))
    dark = upsampling_layer(mode, 2, (24, 24), Kind(1, "zero"))
    assert dark is not None
    there = dark(torch.full((1, 2, 24, 24), 0.7))
    torch.testing.assert_close(there[..., 8:-8, 8:-8], torch.full((1, 2, 32, 32), 0.7))
    assert float(there[..., -1, -1].max()) < 0.5  # half of its taps lie beyond the last pixel, along either axis


def test_the_hourglass_takes_it_at_any_scale_in_any_precision() -> None:
    network = build_replicas(
        lambda r: FastSkip(2, 3, (21, 34), [4, 5, 5], [5, 4, 4], [3, 0, 2], upsample="lowpass100", replicas=r), [0, 1]
    )
    z = torch.rand(2, *network.latent_shape)
    image = network(z)
    assert image.shape == (2, 3, 21, 34)
    torch.testing.assert_close(network.double()(z.double()).float(), image, rtol=1e-4, atol=1e-4)
    assert {name for name in network.state_dict() if "across" in name or "down.weight" in name} == set()
    with torch.autocast("cpu", torch.bfloat16):
        assert float((network.float()(z) - image).detach().abs().max()) < 0.1
