"""The part of a picture that is used, and its size."""

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from dip_experiments.data.layers import Array


def cut(image: Array, size: int | None, fit: str, multiple: int, resampling: Resampling = Resampling.LANCZOS) -> Array:
    """Return the part of a picture that is used.

    `size` x `size` pixels: `fit` `resize` scales the short side to `size` (antialiased) and crops the centre, `crop`
    crops the centre only, `whole` scales the short side and crops nothing; None takes all. Then rows
    and columns are cut off at the bottom and right until both sides are multiples of `multiple` (PAPER detail 9: 8 at
    x8).
    """
    height, width = image.shape[1:]
    if size is not None:
        if size > min(height, width):
            raise ValueError(
                f"the picture has {height} x {width} pixels, image.size={size} asks for more; "
                f"set image.size to {min(height, width)} or less"
            )
        image = image if fit == "crop" else shrink(image, size, resampling)
        image = image if fit == "whole" else centre_crop(image, size)
        height, width = image.shape[1:]
    if multiple > min(height, width):
        raise ValueError(
            f"the picture has {height} x {width} pixels, image.multiple={multiple} leaves none; "
            f"set image.multiple to {min(height, width)} or less"
        )
    return image[:, : height // multiple * multiple, : width // multiple * multiple]


def shrink(image: Array, size: int, resampling: Resampling = Resampling.LANCZOS) -> Array:
    """Scale the short side to `size` pixels, clipped to [0, 1], by Pillow's antialiased Lanczos-3 or another filter."""
    _, height, width = image.shape
    factor = size / min(height, width)
    return resized(image, (round(height * factor), round(width * factor)), resampling)


def resized(image: Array, size: tuple[int, int], resampling: Resampling = Resampling.LANCZOS) -> Array:
    """Scale to `size` rows and columns by Pillow's antialiased Lanczos-3 or other resampling, clipped to [0, 1]."""
    planes = [Image.fromarray(plane.astype(np.float32)).resize(size[::-1], resampling) for plane in image]
    return np.clip(np.stack([np.asarray(plane, dtype=np.float64) for plane in planes]), 0, 1)


def centre_crop(image: Array, size: int) -> Array:
    """Return the central `size` x `size` pixels."""
    top, left = (image.shape[1] - size) // 2, (image.shape[2] - size) // 2
    return image[:, top : top + size, left : left + size]
