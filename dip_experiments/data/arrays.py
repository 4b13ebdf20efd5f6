"""Pictures as users hold them in arrays and tensors, and as the fits take them: "c h w" in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layout = Callable[[NDArray[Any]], NDArray[Any]]
"""Brings an image "... c h w" into the layout of the picture that was given."""
COLOURS = (1, 3)
BRIGHTEST = 2.0
"""Above this a picture in floating point is not in [0, 1], whatever its noise (ours)."""


def to_channels_first(picture: Any, in_unit_range: bool = True) -> tuple[Array, Layout]:
    """Bring a picture into the layout "c h w" in float64.

    Args:
        picture: An array (h, w) or (h, w, c), uint8 or uint16 (divided by their maximum) or float; or a tensor
            (h, w) or (c, h, w).
        in_unit_range: Refuse floats that are not in [0, 1] but for noise.

    Returns:
        The picture, and a function that brings images into the layout of the one given, as arrays.

    Raises:
        ValueError: For another shape, another type, and values that are not finite.
    """
    if hasattr(picture, "detach"):
        return _scaled(_channels(np.asarray(picture.detach().cpu()), first=True), in_unit_range), _keep
    values = np.asarray(picture)
    flat = values.ndim == 2
    if values.ndim == 3 and values.shape[0] in COLOURS and values.shape[2] > 4:
        raise ValueError(
            f"an array of shape {values.shape}: channels come last, (h, w, c); use np.moveaxis(x, 0, 2), or a tensor"
        )
    return _scaled(_channels(values, first=False), in_unit_range), _squeezed if flat else _channels_last


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


def _channels(values: NDArray[Any], *, first: bool) -> NDArray[Any]:
    if values.ndim == 2:
        return values[None]
    if values.ndim != 3 or 0 in values.shape:
        wanted = "a tensor (c, h, w) or (h, w)" if first else "an array (h, w) or (h, w, c)"
        raise ValueError(f"a picture of shape {values.shape}; give {wanted}")
    return values if first else np.moveaxis(values, 2, 0)


def _scaled(values: NDArray[Any], in_unit_range: bool) -> Array:
    if values.dtype in (np.uint8, np.uint16):
        return values.astype(np.float64) / np.iinfo(values.dtype).max
    if values.dtype == np.bool_ or not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"a picture of type {values.dtype}; give uint8, uint16, or floats in [0, 1]")
    if not np.isfinite(values).all():
        raise ValueError("a picture with NaN or infinite values; replace them, or hide them with a mask operator")
    if in_unit_range and (values.max() > BRIGHTEST or values.min() < 1 - BRIGHTEST):
        raise ValueError(
            f"a picture of floats from {values.min():.3g} to {values.max():.3g}; scale it to [0, 1], such as x / 255"
        )
    return values.astype(np.float64)


def _keep(image: NDArray[Any]) -> NDArray[Any]:
    return image


def _squeezed(image: NDArray[Any]) -> NDArray[Any]:
    return image.squeeze(-3) if image.shape[-3] == 1 else np.moveaxis(image, -3, -1)


def _channels_last(image: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(image, -3, -1)
