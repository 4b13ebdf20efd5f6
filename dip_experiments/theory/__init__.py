"""Measures of why a Deep Image Prior works: functions of a network, a latent and images, and observers of a fit."""

import importlib
from typing import Any

__all__ = ["bands", "degrees_of_freedom", "dual_kernel", "jacobian", "linearised_path", "posterior", "tangent_kernel"]
"""Modules, loaded when first used: figures of formulas need no PyTorch."""


def __getattr__(name: str) -> Any:
    """Load a module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return importlib.import_module(f"{__name__}.{name}")
