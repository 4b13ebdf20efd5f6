"""Pictures as users hold them in arrays and tensors, and as the fits take them: "c h w" in float64."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layout = Callable[[NDArray[Any]], NDArray[Any]]
"""Brings an image "... c h w" into the layout of the picture that was given."""
COLOURS = (1, 3)
BRIGHTEST, BRIGHT, MOST_BRIGHT = 2.0, 1.5, 0.05
"""Of a picture in [0, 1] no value is above the first, whatever its noise, and of the values that part at most above the
second; below 0 likewise (ours)."""


def to_channels_first(picture: Any, in_unit_range: bool = True, known: Any = None) -> tuple[Array, Layout]:
    """Bring a picture into the layout "c h w" in float64.

    Args:
        picture: An array (h, w) or (h, w, c), uint8 or uint16 (divided by their maximum) or float; or a tensor
            (h, w) or (c, h, w).
        in_unit_range: Refuse floats that are not in [0, 1] but for noise.
        known: A mask, see `known_values`; hidden values, which may be NaN, become 0.

    Returns:
        The picture, and a function that brings images into the layout of the one given, as arrays.

    Raises:
        ValueError: For another shape, another type, and values that are not finite.
    """
    if hasattr(picture, "detach"):
        return _scaled(_channels(np.asarray(picture.detach().cpu()), first=True), in_unit_range, known), _keep
    if isinstance(picture, str | os.PathLike):
        raise ValueError(f"a picture is given as an array; of a file: skimage.io.imread({str(picture)!r})")
    values = np.asarray(picture)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    flat = values.ndim == 2
    if values.ndim == 3 and values.shape[0] in COLOURS and values.shape[2] > 4:
        raise ValueError(
            f"an array of shape {values.shape}: channels come last, (h, w, c); use np.moveaxis(x, 0, 2), or a tensor"
        )
    return _scaled(_channels(values, first=False), in_unit_range, known), _squeezed if flat else _channels_last


def known_values(known: Any, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Bring a mask into the shape of an image.

    Args:
        known: An array or tensor (h, w), or in the layout of a picture, True where a value is known.
        shape: "... c h w", that of the image.

    Raises:
        ValueError: For a mask of another size.
    """
    given = known if hasattr(known, "detach") else np.asarray(known)
    mask = to_channels_first(given * 1.0, in_unit_range=False)[0] != 0
    if mask.shape[-2:] != tuple(shape[-2:]):
        raise ValueError(f"a mask of shape {tuple(given.shape)} for a picture of {tuple(shape[-2:])} pixels")
    return np.broadcast_to(mask, tuple(shape)).copy()


def is_grey(image: Array) -> bool:
    """Return True for three equal channels "c h w"."""
    return len(image) == 3 and bool((image == image[:1]).all())


def repeated(layout: Layout) -> Layout:
    """Return a layout for images of one channel, which it gives back as three equal ones in another layout."""
    return lambda image: layout(np.repeat(image, 3, axis=-3))


def _channels(values: NDArray[Any], *, first: bool) -> NDArray[Any]:
    if values.ndim == 2 and values.size:
        return values[None]
    if values.ndim != 3 or not values.size:
        wanted = "a tensor (c, h, w) or (h, w)" if first else "an array (h, w) or (h, w, c)"
        raise ValueError(f"a picture of shape {values.shape}; give {wanted}")
    if first and values.shape[2] in COLOURS and values.shape[0] > 4:
        raise ValueError(
            f"a tensor of shape {values.shape}: channels come first, (c, h, w); use x.permute(2, 0, 1), or an array"
        )
    return values if first else np.moveaxis(values, 2, 0)


def _scaled(values: NDArray[Any], in_unit_range: bool, known: Any) -> Array:
    if known is not None:
        values = np.where(known_values(known, values.shape), values, values.dtype.type(0))
    if values.dtype in (np.uint8, np.uint16):
        return values.astype(np.float64) / np.iinfo(values.dtype).max
    if values.dtype == np.bool_ or not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"a picture of type {values.dtype}; give uint8, uint16, or floats in [0, 1]")
    if not np.isfinite(values).all():
        raise ValueError("a picture with NaN or infinite values; replace them, or hide them with a mask operator")
    away = np.abs(values - 0.5)  # from the middle of [0, 1]
    if in_unit_range and (away.max() > BRIGHTEST - 0.5 or (away > BRIGHT - 0.5).mean() > MOST_BRIGHT):
        raise ValueError(
            f"a picture of floats from {values.min():.3g} to {values.max():.3g}; scale it to [0, 1], such as x / 255 "
            "or (x + 1) / 2"
        )
    return values.astype(np.float64)


def _keep(image: NDArray[Any]) -> NDArray[Any]:
    return image


def _squeezed(image: NDArray[Any]) -> NDArray[Any]:
    return image.squeeze(-3) if image.shape[-3] == 1 else np.moveaxis(image, -3, -1)


def _channels_last(image: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(image, -3, -1)
