"""Pure tensor arithmetic that every room above may use: named seeds, errors per replica, the Lanczos kernel."""

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TINY = 1e-12
"""Smallest mean squared error that still has a PSNR (120 dB); keeps a perfect fit finite."""


Margins = tuple[int, int, int, int]
"""Columns at the left and right, rows at the top and bottom."""


def margins_around(rows: int, columns: int) -> Margins:
    """Return so many more rows and columns around an image in the middle, the odd one at the bottom and right."""
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def derive_seed(seed: int, name: str) -> int:
    """Return the seed of one named source of randomness (`target`, `task`, `init`, `latent`, `perturbation`).

    A hash, so that changing how much noise is drawn never changes the weights. Result in [0, 2^63).
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator of its own for one named source of randomness."""
    return torch.Generator(device).manual_seed(derive_seed(seed, name))


def gamma_values(shape: float, like: Tensor, draws: torch.Generator) -> Tensor:
    """Draw values of Gamma's law with that shape and scale 1, as many as a tensor has."""
    # PyTorch draws this law from no generator.
    seed = int(torch.randint(2**62, (1,), generator=draws))
    return torch.from_numpy(np.random.default_rng(seed).gamma(shape, size=tuple(like.shape))).to(like)


def gaussian_response(rows: int, columns: int, width: float) -> Float[Tensor, "h w"]:
    """Return the transfer function of a Gaussian of `width` pixels standard deviation on the torus, mean square 1.

    White noise that is filtered by it keeps its variance. In float64.
    """
    down, across = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (rows, columns))
    response = torch.exp(-2 * (torch.pi * width) ** 2 * (down[:, None] ** 2 + across**2))
    return response / response.square().mean().sqrt()


def mean_squared_error(x: Float[Tensor, "r c h w"], y: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
    """Return mean((x - y)^2) over channels and pixels, one value per replica."""
    return (x - y).square().flatten(1).mean(1)


def psnr_from_mse(mse: Tensor) -> Tensor:
    """Return 10 log10(1 / MSE) in dB for range 1, all channels pooled (PAPER detail 9); at most 120 dB."""
    return -10 * torch.log10(mse.clamp_min(TINY))


def lanczos_kernel(factor: int, lobes: int) -> Float[Tensor, "k k"]:
    """Return the Lanczos window for downsampling by `factor`, sum 1, float64.

    L(d) = sinc(d) sinc(d / lobes), centred between the pixels that one pixel is made of: an even factor has 2 * lobes *
    factor taps a side (phase 0.5, PAPER detail 7; 16 for Lanczos-2 at x4), an odd one, whose centre is a pixel, one
    less.
    """
    taps = 2 * lobes * factor - factor % 2
    distance = (torch.arange(taps, dtype=torch.float64) + 0.5 - taps / 2) / factor
    profile = torch.sinc(distance) * torch.sinc(distance / lobes)
    kernel = torch.outer(profile, profile)
    return kernel / kernel.sum()


def decimate(x: Float[Tensor, "n c h w"], kernel: Float[Tensor, "k k"], factor: int) -> Float[Tensor, "n c hy wy"]:
    """Filter every channel by `kernel` and sample it at each `factor`-th pixel.

    The borders are replicated so far that the size is divided by `factor`: 6 pixels for 16 x 16 taps at x4 (PAPER
    detail 7).
    """
    channels = x.shape[1]
    margin = (kernel.shape[-1] - factor) // 2
    weight = kernel.to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(F.pad(x, [margin] * 4, mode="replicate"), weight, stride=factor, groups=channels)


def total_variation(x: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
    """Return the isotropic total variation, mean over pixels and channels of sqrt(dx^2 + dy^2), per replica.

    The R(x) of E(x; x0) + R(x) (Ulyanov et al. 2018, Eq. 1). The mean instead of the sum makes the weight independent
    of the image size (our choice); 1e-12 under the root keeps the gradient finite where the image is flat.
    """
    vertical = x[..., 1:, :-1] - x[..., :-1, :-1]
    horizontal = x[..., :-1, 1:] - x[..., :-1, :-1]
    return torch.sqrt(vertical.square() + horizontal.square() + TINY).flatten(1).mean(1)


def half_spectrum(weights: Float[Tensor, "*c h w"]) -> Float[Tensor, "*c h half"]:
    """Return weights of all frequencies for those of `rfft2`: what a real image has at two of them counts twice."""
    columns = weights.shape[-1]
    half = weights[..., : columns // 2 + 1].clone()
    half[..., 1 : (columns + 1) // 2] *= 2
    return half


def mean_power(image: Float[Tensor, "r c h w"], weights: Float[Tensor, "*c h half"]) -> Float[Tensor, " r"]:
    """Return the weighted mean of |F image|^2 over channels and frequencies; `weights`: see `half_spectrum`."""
    spectrum = torch.fft.rfft2(image, norm="ortho")
    power = spectrum.real.square() + spectrum.imag.square()
    return (weights * power).flatten(1).sum(1) / image[0].numel()
