"""Further files of a picture: the user's, and those that the authors published with it."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from dip_experiments.data import datasets
from dip_experiments.data.pictures import ExtraInput, Kind

ExtraInputs = Mapping[str, Tensor]
"""By role, cut as the picture is: `noisy`, `flash` "c h w" in [0, 1]; `mask` "1 h w", True where known."""
KINDS: Mapping[str, Kind] = {"mask": "mask", "masked50": "holes"}
"""How a published part is read, if it is not a picture like any other."""


def own(path: str, key: str, kind: Kind = "picture") -> ExtraInput:
    """Return a file of the user's. `key`: the setting that names it."""
    return ExtraInput(Path(path), key, kind)


def published(picture: str, key: str, instead: str, *parts: str) -> ExtraInput:
    """Return the one of these parts that the authors published with the picture, on this machine or not.

    Raises ValueError, saying with which pictures they did and what to do `instead`, if they did not with this one.
    """
    for part in datasets.parts(picture):
        if part in parts:
            return ExtraInput((picture, part), key, KINDS.get(part, "picture"))
    having = ", ".join(other for other in datasets.PICTURES if set(parts) & set(datasets.parts(other)))
    raise ValueError(f"{key} with image={picture}: the authors published none; use {instead} or one of {having}")
