"""Masks: pictures that say of every pixel whether it is known (white) or missing (black)."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dip_experiments.data.layers import Array
from dip_experiments.data.reading import check_image, read_layers

log = logging.getLogger("dip_experiments")

BLACK, WHITE = 0.1, 0.9
"""Values between them are neither (ours): wider than what JPEG adds to black or white."""
MOST = 0.75
"""Share of the pixels from which on a mask may have been meant the other way round (ours)."""
FEW = 0.01
"""Share of the pixels, those of softened edges, that may be neither (ours)."""


def read_mask(path: Path, key: str) -> NDArray[np.bool_]:
    """Return "1 h w", True where a pixel is known: above 0.5 in grey. A pixel hides all its channels or none.

    Of a mask with 0 and one other level, such as 1, that one is white. Where a mask is coloured, a pixel is as dark as
    its darkest channel, so that no marking colour is taken for white. A line says how much is missing, and warns of
    colours, of many greys, and where most is missing. Raises ValueError, naming the setting `key`, for no image or a
    transparent one.
    """
    layers = read_layers(path, key)
    if layers.levels.dtype.kind == "u" and not layers.has_alpha and len(found := np.unique(layers.levels)) == 2:
        layers = replace(layers, largest=float(found[1])) if found[0] == 0 else layers
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
    """Say how much is missing, and warn of what a mask would not have, if it was meant as one."""
    hint = "; white is known: if white marks the hole, invert it" if missing > MOST else ""
    log.log(logging.WARNING if hint else logging.INFO, "%s: %.1f %% missing%s", setting, 100 * missing, hint)
    if np.ptp(colours, axis=0).max() > BLACK:
        log.warning("%s: a coloured mask, read as grey by its darkest channel", setting)
    between = float(((grey > BLACK) & (grey < WHITE)).mean())
    if between > FEW:
        log.warning("%s: %.0f %% of the mask are neither black nor white; those of 0.5 and below are taken as missing",
                    setting, 100 * between)  # fmt: skip
