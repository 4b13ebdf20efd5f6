"""Other methods, which a fit is compared with: functions on pictures in the layouts of `reconstruct`."""

import importlib
from typing import Any

__all__ = [
    "bicubic",
    "biharmonic",
    "block_matching",
    "coloured_block_matching",
    "coloured_lichi",
    "coloured_nl_ridge",
    "lanczos",
    "lichi",
    "nearest",
    "nearest_known",
    "nl_ridge",
    "non_local_means",
    "sliding_cosines",
    "total_variation",
    "wavelet",
    "zero_shot_n2n",
]


def __getattr__(name: str) -> Any:
    """Load a method when it is first used, as some need PyTorch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.pictures"), name)
