"""Import a module when it is needed: `dip --help` loads neither PyTorch nor NumPy."""

import gc
import importlib
import sys
from typing import Any


def lazy_import(module: str) -> Any:
    """Import a module by its full name, its objects out of the garbage collector's sight.

    Searching the objects of PyTorch and Lightning for garbage slows every start.
    """
    if module in sys.modules:  # garbage of the jobs before would be frozen too
        return sys.modules[module]
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()
