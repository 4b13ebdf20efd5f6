"""Upsampling by zeros between the pixels and a low-pass filter (Liu et al., ICCV 2023)."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LOWPASS: Mapping[str, float] = MappingProxyType({"lowpass20": 20.0, "lowpass60": 60.0, "lowpass100": 100.0})
"""Attenuation in dB of the stop band of each filter."""
TAPS = 17
"""Of the filter, as in the authors' code."""


class LowPass(nn.Module):
    """Double the size: zeros between the pixels, then each channel filtered by `lowpass` along both axes.

    Both are done at once, by a matrix for each axis, so that maps of any size have their border: what lies beyond is
    reflected, again and again where a map is smaller than the filter, or 0.

    Args:
        rows, columns: Of the small map.
        attenuation: Of the stop band, in dB.
        padding: reflection or zero.
    """

    down: Tensor
    across: Tensor

    def __init__(self, rows: int, columns: int, attenuation: float, padding: str) -> None:
        super().__init__()
        taps = lowpass(attenuation)
        for name, side in (("down", rows), ("across", columns)):
            matrix = doubling_matrix(side, taps, padding).to(torch.get_default_dtype())
            self.register_buffer(name, matrix, persistent=False)

    def forward(self, x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h2 w2"]:
        return self.down @ x @ self.across.mT


def lowpass(attenuation: float) -> Float[Tensor, " taps"]:
    """Return a half-band low-pass filter of `TAPS` taps by Kaiser's window, in float64.

    The window and the cut-off at half of the band are ours. The two sets of taps that fall on pixels, for even and odd
    rows, have the sum 1, so that a constant map stays constant: the window, with alternating signs, is added for it,
    which costs up to 6 dB of the attenuation at 100 dB, and nothing at 20 and 60.

    Args:
        attenuation: Of the stop band in dB. The more, the wider is the transition from half of the band to it.
    """
    offset = torch.arange(TAPS, dtype=torch.float64) - TAPS // 2
    window = torch.kaiser_window(TAPS, periodic=False, beta=kaiser_beta(attenuation), dtype=torch.float64)
    taps = torch.sinc(offset / 2) * window
    signs = 1 - 2 * (offset % 2)
    taps = taps - signs * window * (signs * taps).sum() / window.sum()
    return 2 * taps / taps.sum()


def kaiser_beta(attenuation: float) -> float:
    """Return the shape of Kaiser's window for an attenuation in dB (Kaiser 1974)."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)


def doubling_matrix(side: int, taps: Float[Tensor, " taps"], padding: str) -> Float[Tensor, "twice side"]:
    """Return the matrix that puts a zero behind each value and filters.

    Args:
        side: Values of the small map along the axis.
        taps: An odd number of them.
        padding: reflection or zero, of the values with zeros between them.
    """
    margin, twice = len(taps) // 2, 2 * side
    spread = taps.new_zeros(twice, side)
    spread[::2] = torch.eye(side, dtype=taps.dtype)
    if padding == "zero":
        framed = F.pad(spread, (0, 0, margin, margin))
    else:
        beyond = torch.arange(-margin, twice + margin).abs() % (2 * (twice - 1))
        framed = spread[torch.minimum(beyond, 2 * (twice - 1) - beyond)]
    return torch.einsum("t,wst->ws", taps, framed.unfold(0, len(taps), 1))
