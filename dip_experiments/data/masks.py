"""Masks: pictures that say of every pixel whether it is known (white) or missing (black)."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dip_experiments.data.layers import Array
from dip_experiments.data.reading import check_image, read_layers

log = logging.getLogger("dip_experiments")

BLACK, WHITE = 0.1, 0.9
"""Values between them are neither (ours): wider than what JPEG adds to black or white."""
FEW = 0.01
"""Share of the pixels, those of softened edges, that may be neither (ours)."""


def read_mask(path: Path, key: str) -> NDArray[np.bool_]:
    """Return "1 h w", True where a pixel is known: above 0.5 in grey. A pixel hides all its channels or none.

    Where a mask is coloured, a pixel is as dark as its darkest channel, so that no marking colour is taken for white;
    of that, and of many greys, a line warns. Raises ValueError, naming the setting `key`, for no image or a transparent
    one.
    """
    layers = read_layers(path, key)
    alpha, colours = layers.alpha, layers.colours
    check_image(colours, str(path))
    if alpha is not None and alpha.min() < 1:
        raise ValueError(
            f"{key}={path}: partly transparent; a mask is white where the picture is known and black where it is "
            "missing: flatten it to these"
        )
    grey: Array = colours.min(0, keepdims=True)
    known = grey > 0.5
    _warn(f"{key}={path}", colours, grey, 1 - float(known.mean()))
    return known


def _warn(setting: str, colours: Array, grey: Array, missing: float) -> None:
    """Warn in a line of what a mask would not have, if it was meant as one."""
    if np.ptp(colours, axis=0).max() > BLACK:
        log.warning("%s: a coloured mask, read as grey by its darkest channel: %.1f %% missing", setting, 100 * missing)
    between = float(((grey > BLACK) & (grey < WHITE)).mean())
    if between > FEW:
        log.warning("%s: %.0f %% of the mask are neither black nor white; those of 0.5 and below are taken as missing",
                    setting, 100 * between)  # fmt: skip
