"""Denoisers of noise that neighbouring pixels and channels share, stationary: by its spectrum, or after whitening.

Images are "c h w" in [0, 1], grey or RGB; so is what comes back, clipped to that range. `noise` is a law, its power
spectrum, or None: estimated from the picture. A power spectrum "c h w" is that of the planes of `to_opponent`
(brightness, then two colour differences; grey itself), in the order of np.fft.fft2, its mean in a plane the variance.
"""

from types import SimpleNamespace

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from dip_experiments.baselines.arguments import check_shape
from dip_experiments.baselines.classical import FLAT
from dip_experiments.baselines.linear_patches import LEAST_SIGMA, lichi_of_planes, nl_ridge_of_planes
from dip_experiments.baselines.patches import from_opponent, to_opponent
from dip_experiments.noise import CorrelatedNoise, estimated_noise
from dip_experiments.noise.covariance import NEIGHBOURS
from dip_experiments.noise.estimation import Array

try:
    import bm3d
    import bm4d
except ImportError:  # an extra, because of its licence: see `classical.block_matching`
    bm3d = None
else:
    if not hasattr(np, "trapz"):  # NumPy 2.4 has no such name any more; bm4d needs it for spectra
        bm4d.np = SimpleNamespace(**vars(np), trapz=np.trapezoid)

Noise = CorrelatedNoise | Array | None
FLOOR = 0.05
"""Of the largest value of a plane's spectrum, added to all when it is divided by: as in the whitened loss (ours)."""
SAME = 1e-6
"""Relative range below which a spectrum counts as flat: that of white noise."""


def coloured_block_matching(noisy: Array, noise: Noise = None) -> Array:
    """Apply BM3D for noise with a spectrum (Mäkinen, Azzari, Foi, TIP 2020), in opponent colours for RGB.

    Each plane is denoised with its own spectrum, in groups that are matched by brightness; as in CBM3D, each is first
    brought to the range [0, 1]. If all spectra are flat, that is `block_matching` with the planes' standard deviations.

    Args:
        noisy: The image.
        noise: Law or spectrum of the noise; None: estimated. Noise that grows with brightness counts as its mean.

    Raises:
        ValueError: For another shape of image or spectrum, and a picture that is too small for an estimate.
    """
    spectrum, planes = spectrum_of(noisy, noise), to_opponent(noisy)
    low, high = (extreme(axis=(1, 2), keepdims=True) for extreme in (planes.min, planes.max))
    if len(planes) == 1:
        low, high = np.zeros_like(low), np.ones_like(high)
    scale = np.where(high - low > FLAT, high - low, 1.0)
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1  # as in `block_matching`
    scaled = np.moveaxis((planes - low) / scale, 0, 2)
    found = bm3d.bm3d(scaled, _strength(spectrum / scale**2), profile).reshape(scaled.shape)
    return np.clip(from_opponent(np.moveaxis(found, 2, 0) * scale + low), 0, 1)


def coloured_lichi(noisy: Array, noise: Noise = None) -> Array:
    """Apply LIChI to the whitened image: see `whitening`.

    Args:
        noisy: The image.
        noise: Law or spectrum of the noise; None: estimated. Noise that grows with brightness counts as its mean.

    Raises:
        ValueError: As `coloured_block_matching`.
    """
    weights, sigma = whitening(spectrum_of(noisy, noise))
    planes = filtered(lichi_of_planes(filtered(to_opponent(noisy), weights), sigma), 1 / weights)
    return np.clip(from_opponent(planes), 0, 1)


def coloured_nl_ridge(noisy: Array, noise: Noise = None) -> Array:
    """Apply NL-Ridge to the whitened image, with the variance that the law gives to each pixel's brightness.

    Args:
        noisy: The image.
        noise: Law or spectrum of the noise; None: estimated. A spectrum is that of noise which is the same everywhere.

    Raises:
        ValueError: As `coloured_block_matching`.
    """
    law = known(noisy, noise)
    weights, sigma = whitening(spectrum_of(noisy, law))
    relative = relative_variance(noisy, law) if isinstance(law, CorrelatedNoise) else np.ones(noisy.shape[1:])
    variance = np.broadcast_to(sigma**2 * relative / relative.mean(), noisy.shape)
    planes = filtered(nl_ridge_of_planes(filtered(to_opponent(noisy), weights), variance), 1 / weights)
    return np.clip(from_opponent(planes), 0, 1)


def relative_variance(noisy: Array, law: CorrelatedNoise) -> Array:
    """Return the variance "h w" of a law's noise by that at mid-grey, from the brightness of the pixels around each."""
    return law.relative(torch.from_numpy(uniform_filter(noisy.mean(axis=0), NEIGHBOURS))).numpy()


def whitening(spectrum: Array) -> tuple[Array, float]:
    """Return by what to multiply the Fourier transform of each plane so that its noise is white, and its deviation.

    That is w / sqrt(S + floor max S). Fine detail, of which the noise has hardly any, is left with less than white
    noise has. So w is such that the mean strength of what is left over all waves, and over the waves where the noise
    was, have the mean of S as their geometric mean: images have their power where such noise has it. That is our
    choice: on F16 with noise of width 0.7 NL-Ridge gains 0.5 dB and LIChI 1.4 dB on the plain mean.
    """
    level = float(np.sqrt(spectrum.mean()))
    weights = 1 / np.sqrt(spectrum + FLOOR * spectrum.max(axis=(1, 2), keepdims=True))
    left = spectrum * weights**2
    over_all, over_noise = (
        (left * by).sum(axis=(1, 2), keepdims=True) / by.sum(axis=(1, 2), keepdims=True)
        for by in (np.ones_like(left), spectrum)
    )
    return level * weights / (over_all * over_noise) ** 0.25, level


def filtered(planes: Array, weights: Array) -> Array:
    """Multiply the Fourier transforms of planes "c h w" by weights."""
    return np.fft.ifft2(np.fft.fft2(planes) * weights).real


def spectrum_of(noisy: Array, noise: Noise) -> Array:
    """Return the power spectrum of the noise in each opponent plane, at least that of noise of LEAST_SIGMA.

    Raises ValueError as `coloured_block_matching`.
    """
    found = known(noisy, noise)
    if isinstance(found, CorrelatedNoise):
        found = relative_variance(noisy, found).mean() * found.deviations(*noisy.shape[1:]).square().numpy()
    spectrum = np.asarray(found, dtype=np.float64)
    if spectrum.shape != noisy.shape or not (np.isfinite(spectrum).all() and (spectrum >= 0).all()):
        raise ValueError(
            f"a spectrum of shape {spectrum.shape} for an image of {noisy.shape}: give one value, 0 or above, for each "
            "frequency of each opponent plane"
        )
    return np.maximum(spectrum, LEAST_SIGMA**2)


def mean_spectrum(noisy: Float[Array, "n c h w"]) -> Array:
    """Return the power spectrum of the noise, from several noisy versions of one image: what differs between them."""
    noise = np.stack([to_opponent(one) for one in noisy - noisy.mean(axis=0)])
    power = np.square(np.abs(np.fft.fft2(noise))).mean(axis=0) / noise[0, 0].size
    return np.asarray(power * len(noisy) / (len(noisy) - 1))


def known(noisy: Array, noise: Noise) -> CorrelatedNoise | Array:
    """Return the noise that was given, or that of the picture. Raises ValueError as `coloured_block_matching`."""
    check_shape(noisy)
    found = estimated_noise(noisy, growth=None) if noise is None else noise
    if isinstance(found, CorrelatedNoise) and len(found.sigmas) != len(noisy):
        raise ValueError(f"noise of {len(found.sigmas)} channels for an image of {len(noisy)}: give as many")
    return found


def _strength(spectrum: Array) -> Array:
    """Return the planes' standard deviations if all spectra are flat, else the spectra as the package takes them."""
    largest, mean = spectrum.max(axis=(1, 2)), spectrum.mean(axis=(1, 2))
    if (largest - spectrum.min(axis=(1, 2)) <= SAME * mean).all():
        return np.sqrt(mean)
    return np.moveaxis(spectrum * spectrum[0].size, 0, 2)
