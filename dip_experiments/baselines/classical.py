"""Restoration methods of well-maintained libraries, the alternatives to a Deep Image Prior, by name.

Images are "c h w" in [0, 1], grey (c = 1) or RGB (c = 3); so is what comes back, clipped to that range. A noisy image
may lie outside. `sigma` is the noise's standard deviation in grey levels of 255, above 0 and up to 255.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pywt
from numpy.typing import NDArray
from PIL.Image import Resampling
from scipy.fft import dctn, idctn
from scipy.ndimage import distance_transform_edt
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet, inpaint_biharmonic

from dip_experiments.baselines.arguments import check_shape, checked_sigma
from dip_experiments.baselines.linear_patches import lichi, nl_ridge
from dip_experiments.data.cropping import resized
from dip_experiments.data.layers import OPPONENT

try:
    import bm3d
except ImportError:  # an extra, because of its licence: see `block_matching`
    bm3d = None

Array = NDArray[np.float64]
Known = NDArray[np.bool_]
FLAT = 1e-9
"""Range below which one of the OPPONENT planes, in which `bm3d_rgb` works, counts as constant."""
CHOICES: dict[str, dict[str, Any]] = {
    "nlm": {"patch_size": 5, "patch_distance": 6, "h": 0.8},
    "tv": {"weight": 0.6},
    "wavelet": {"wavelet": "sym4", "wavelet_levels": 3},
    "dct": {"block": 8, "threshold": 2.7},
    "nl_ridge": {},
    "lichi": {},
    "bm3d": {},
}
"""Constants of the denoisers that are our choice; `h`, `weight` and `threshold` in units of sigma."""
LIBRARIES = {
    "noisy": ("numpy",),
    "nlm": ("scikit-image",),
    "tv": ("scikit-image",),
    "wavelet": ("scikit-image", "PyWavelets"),
    "dct": ("scipy",),
    "nl_ridge": ("numpy",),
    "lichi": ("numpy",),
    "bm3d": ("bm3d",),
    "coloured_nl_ridge": ("numpy",),
    "coloured_lichi": ("numpy",),
    "coloured_bm3d": ("bm3d",),
    "filters": ("numpy", "scipy"),
    "zs_n2n": ("torch",),
    "nearest": ("numpy",),
    "bicubic": ("pillow",),
    "lanczos": ("pillow",),
    "nearest_known": ("scipy",),
    "biharmonic": ("scikit-image",),
}
"""Libraries that do the work of each method, for the stored numbers to say with which version."""
EPOCHS = {
    "dct": 1,
    "nl_ridge": 1,
    "lichi": 1,
    "coloured_nl_ridge": 1,
    "coloured_lichi": 1,
    "filters": 1,
    "zs_n2n": 1,
    "nearest": 1,
    "nearest_known": 1,
}
"""Of the methods that are written here, raised by hand when one begins to give other pictures: stored numbers of older
ones are computed anew then. `wiener` and what is mixed in change runs: their epoch is that of `Split`."""


def non_local_means(noisy: Array, sigma: float) -> Array:
    """Return means over pixels with similar surroundings (Buades et al. 2005), in scikit-image's slower, original mode.

    Patches of 5 x 5 pixels at most 6 pixels away, as in scikit-image's own example. h = 0.8 sigma is our choice: at
    sigma 25 it gains 0.1 to 0.8 dB on the 0.6 sigma that scikit-image proposes for this mode.
    """
    scale, choices = checked_sigma(noisy, sigma), CHOICES["nlm"]
    settings = {**choices, "h": choices["h"] * scale, "sigma": scale, "fast_mode": False}
    return _of_grey_or_colour(denoise_nl_means, noisy, settings)


def total_variation(noisy: Array, sigma: float) -> Array:
    """Return argmin_u ||u - noisy||^2 / 2 + weight TV(u) (Rudin, Osher, Fatemi 1992), channelwise.

    Solved by Chambolle 2004. weight = 0.6 sigma is our choice: the best of 0.5, 0.6 ... 0.8 on astronaut at 128 pixels
    with sigma 25.
    """
    weight = CHOICES["tv"]["weight"] * checked_sigma(noisy, sigma)
    return _clipped(denoise_tv_chambolle(noisy, weight=weight, channel_axis=0))


def wavelet(noisy: Array, sigma: float) -> Array:
    """Apply soft thresholds per subband by BayesShrink (Chang et al. 2000), in YCbCr for RGB.

    Symlets of 4 vanishing moments at 3 levels, or as many as the picture's size allows, are our choice.
    """
    scale = checked_sigma(noisy, sigma)
    choices = CHOICES["wavelet"]
    levels = min(choices["wavelet_levels"], pywt.dwt_max_level(min(noisy.shape[1:]), choices["wavelet"]))
    settings = {**choices, "sigma": scale, "wavelet_levels": levels, "rescale_sigma": True}
    return _of_grey_or_colour(denoise_wavelet, noisy, settings | {"convert2ycbcr": len(noisy) == 3})


def sliding_cosines(noisy: Array, sigma: float) -> Array:
    """Apply hard thresholds to the cosine transform of every 8 x 8 block, the mean of what overlaps (Yu, Sapiro 2011).

    RGB in its opponent colours, which are the cosine transform over channels. The threshold of 2.7 sigma is our choice,
    the paper's is 3; the blocks' means stay.
    """
    least = CHOICES["dct"]["threshold"] * checked_sigma(noisy, sigma)

    def thresholded(waves: Array) -> Array:
        large = np.abs(waves) >= least
        large[:, :, 0, :, 0] = True
        return waves * large

    return _of_blocks(thresholded, noisy)


def wiener(noisy: Array, guide: Array, sigma: float) -> Array:
    """Multiply each wave of the blocks of `sliding_cosines` by g^2 / (g^2 + sigma^2), g that of the better `guide`.

    The second step of BM3D (Dabov et al. 2007) without its groups of similar blocks.
    """
    noise = checked_sigma(noisy, sigma) ** 2
    return _of_blocks(lambda waves, better: waves * better**2 / (better**2 + noise), noisy, guide)


def _of_blocks(change: Callable[..., Array], *images: Array) -> Array:
    """Return the mean of what `change` makes of the cosine transforms "c down 8 across 8" of all 8 x 8 blocks."""
    block = min(CHOICES["dct"]["block"], *images[0].shape[1:])
    colours, border = OPPONENT if len(images[0]) == 3 else np.eye(1), block - 1  # so every pixel lies in as many blocks
    around = [(0, 0), (border, border), (border, border)]
    planes = [np.pad(np.tensordot(colours, image, 1), around, mode="reflect") for image in images]
    found = np.zeros_like(planes[0])
    for top, left in np.ndindex(block, block):
        down, across = (found.shape[1] - top) // block, (found.shape[2] - left) // block
        tiles = (..., slice(top, top + down * block), slice(left, left + across * block))
        cut = [plane[tiles].reshape(-1, down, block, across, block) for plane in planes]
        waves = change(*(dctn(part, axes=(2, 4), norm="ortho") for part in cut))
        found[tiles] += idctn(waves, axes=(2, 4), norm="ortho").reshape(found[tiles].shape)
    inside = (..., slice(border, -border), slice(border, -border))
    return _clipped(np.tensordot(colours.T, found[inside] / block**2, 1))


def block_matching(noisy: Array, sigma: float) -> Array:
    """Apply BM3D (Dabov et al. 2007) with its authors' settings; to RGB CBM3D, which matches blocks by brightness.

    Their package `bm3d` is for non-commercial use only and not installed by default: `make setup EXTRAS=bm3d`
    or `pip install 'dip_experiments[bm3d]'`. Without it, DENOISERS has no `bm3d`.
    """
    scale, profile = checked_sigma(noisy, sigma), bm3d.BM3DProfile()
    profile.num_threads = 1  # several add in no fixed order: the same picture would differ by 1e-7 from time to time
    if len(noisy) == 3 and np.ptp(np.tensordot(OPPONENT, noisy, 1), axis=(1, 2)).min() > FLAT:
        return _clipped(np.moveaxis(bm3d.bm3d_rgb(np.moveaxis(noisy, 0, 2), scale, profile), 2, 0))
    # Grey, or RGB with a flat opponent plane, by whose range bm3d_rgb would divide.
    return _clipped(np.stack([bm3d.bm3d(plane, scale, profile).reshape(plane.shape) for plane in noisy]))


def nearest(small: Array, factor: int) -> Array:
    """Repeat every pixel `factor` x `factor` times."""
    _check_factor(small, factor)
    return _clipped(small.repeat(factor, axis=1).repeat(factor, axis=2))


def bicubic(small: Array, factor: int) -> Array:
    """Enlarge `factor` times by Pillow's cubic convolution with a = -1/2 (Keys 1981), in floating point."""
    return _enlarged(small, factor, Resampling.BICUBIC)


def lanczos(small: Array, factor: int) -> Array:
    """Enlarge `factor` times by Pillow's Lanczos-3 (Duchon 1979), in floating point."""
    return _enlarged(small, factor, Resampling.LANCZOS)


def nearest_known(holes: Array, known: Known) -> Array:
    """Replace every missing value by the one of the nearest known pixel in its channel."""
    _check_known(holes, known)
    found = [distance_transform_edt(~mask, return_distances=False, return_indices=True) for mask in known]
    return _clipped(np.stack([plane[tuple(pixel)] for plane, pixel in zip(holes, found, strict=True)]))


def biharmonic(holes: Array, known: Known) -> Array:
    """Fill missing values so that the squared Laplacian is zero (Damelin, Hoang 2018), within the range of the known.

    Channels that share a mask are solved for together.
    """
    _check_known(holes, known)
    image = holes.copy()
    for mask in np.unique(known, axis=0):
        if not mask.all():
            sharing = (known == mask).all(axis=(1, 2))
            image[sharing] = inpaint_biharmonic(holes[sharing], ~mask, channel_axis=0)
    return _clipped(image)


DENOISERS: dict[str, Callable[[Array, float], Array]] = {
    "nlm": non_local_means,
    "tv": total_variation,
    "wavelet": wavelet,
    "dct": sliding_cosines,
    "nl_ridge": nl_ridge,
    "lichi": lichi,
}
if bm3d is not None:
    DENOISERS["bm3d"] = block_matching
UPSAMPLERS: dict[str, Callable[[Array, int], Array]] = {"nearest": nearest, "bicubic": bicubic, "lanczos": lanczos}
INPAINTERS: dict[str, Callable[[Array, Known], Array]] = {"nearest": nearest_known, "biharmonic": biharmonic}


def _of_grey_or_colour(method: Callable[..., Array], noisy: Array, settings: dict[str, Any]) -> Array:
    if len(noisy) == 3:
        return _clipped(method(noisy, channel_axis=0, **settings))
    return _clipped(method(noisy[0], **settings)[None])


def _enlarged(small: Array, factor: int, resampling: Resampling) -> Array:
    _check_factor(small, factor)
    return resized(small, (small.shape[1] * factor, small.shape[2] * factor), resampling)


def _clipped(image: Array) -> Array:
    return np.clip(image, 0, 1)


def _check_factor(small: Array, factor: int) -> None:
    check_shape(small)
    if factor < 2:
        raise ValueError(f"factor={factor}: how many times more pixels a side; give 2 or more")


def _check_known(holes: Array, known: Known) -> None:
    check_shape(holes)
    if known.shape != holes.shape:
        raise ValueError(f"a mask of shape {known.shape}, an image of {holes.shape}: the mask must be as large")
    if not known.any(axis=(1, 2)).all():
        raise ValueError(f"known pixels per channel {known.sum(axis=(1, 2)).tolist()}: at least one in each is needed")
