"""Frequency bands of an image: how much of each a fit has explained (Shi et al., IJCV 2022, "frequency-band")."""

import torch
from jaxtyping import Float
from torch import Tensor

BANDS = 5
"""Rings of equal width between frequency 0, which is in none, and half a cycle per pixel (Shi et al. 2022)."""
EDGE = 1e-9
"""Rounding of a frequency that lies on an edge."""


def band_masks(height: int, width: int) -> Float[Tensor, "b h w"]:
    """Return 1 where a frequency of `torch.fft.fft2` belongs to a band, from the lowest to the highest band.

    The radius is sqrt(u^2 + v^2) with u and v in units of half a cycle per pixel. The mean of the image and the corners
    of the spectrum, beyond the radius 1, are in no band.
    """
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64) * 2 for side in (height, width))
    radius = torch.hypot(rows[:, None], columns)
    band = torch.ceil(radius * BANDS - EDGE) - 1  # an edge belongs to the band below it
    return torch.stack([(band == index).double() * (radius > 0) for index in range(BANDS)])


def spectrum(images: Float[Tensor, "r c h w"]) -> Float[Tensor, "r h w"]:
    """Return the amplitudes |FFT| of the grey images, the means of the channels."""
    return torch.fft.fft2(images.mean(1)).abs()


def amplitude_ratio(
    images: Float[Tensor, "r c h w"], target: Float[Tensor, "r c h w"], masks: Float[Tensor, "b h w"]
) -> Float[Tensor, "b r"]:
    """Return the mean over each band of |FFT f| / |FFT y|, clipped to [0, 1] (Shi et al. 2022).

    It looks at amplitudes alone: see `explained_energy` for one that a fit of wrong phases does not raise.
    """
    ratio = (spectrum(images) / spectrum(target).clamp_min(1e-12)).clamp(max=1)
    return torch.einsum("bhw,rhw->br", masks, ratio) / masks.sum((1, 2))[:, None]


def explained_energy(
    images: Float[Tensor, "r c h w"], target: Float[Tensor, "r c h w"], masks: Float[Tensor, "b h w"]
) -> Float[Tensor, "b r"]:
    """Return 1 - |FFT (f - y)|^2 / |FFT y|^2, each summed over a band: 1 if it is fitted, 0 if f has nothing of it.

    Below 0 where f has more energy in a band than y, or other phases.
    """
    left, target_energy = (
        torch.einsum("bhw,rhw->br", masks, spectrum(each).square()) for each in (images - target, target)
    )
    return 1 - left / target_energy.clamp_min(1e-12)
