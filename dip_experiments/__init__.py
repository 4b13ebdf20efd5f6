"""dip_experiments: reproducible Deep Image Prior experiments (Ulyanov, Vedaldi, Lempitsky, CVPR 2018)."""

import importlib
import os
from typing import Any

SPINS = "20000"
"""Looks of a waiting OpenMP thread for work, before it lets others have its core: some 0.3 ms.

GNU's own 300,000, 5 ms, are longer than the system's time slices: where threads are more than free cores, each waits
that long for one that cannot run. 200 iterations of scale=laptop on two Zen 3 cores, start included, took 28 s alone,
36 s two at once and 36 s next to a busy process; with 2000 looks 37, 38 and 38 s, with 300,000 33, 39 and 37 s.
"""

# Heard by PyTorch's OpenMP (GNU's, as in its builds for Linux) as it is loaded, and by processes that this one starts.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = SPINS

_MODULES = {
    "DeepinvModel": "api",
    "Guidance": "guidance",
    "Latent": "latents",
    "Loss": "losses",
    "Mask": "tasks.masks:DrawnMask",
    "Network": "architectures",
    "Noise": "tasks.noise:AddedNoise",
    "Observer": "stopping",
    "Operator": "operators",
    "Optimizer": "optimizers",
    "Reconstruction": "runner.reconstruct",
    "Regularizer": "regularizers",
    "Runs": "runner.runs",
    "StoppingMonitor": "api",
    "StoppingRule": "stopping",
    "TiledReconstruction": "runner.reconstruct_tiles",
    "load_runs": "runner.runs",
    "reconstruct": "api",
    "restore": "api",
    "run": "runner.run_overrides",
}
"""Public name -> module, and its name in it if that is another; loaded when first used: `dip --help` needs none."""

_PACKAGES = ("baselines", "theory")
"""Packages of functions, loaded likewise."""

__all__ = sorted([*_MODULES, *_PACKAGES])


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    module, _, inner = _MODULES[name].partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), inner or name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
