"""The Python API: arrays or tensors in, arrays or tensors out."""

from dip_experiments.api.deepinv_model import DeepinvModel
from dip_experiments.api.reconstruct import reconstruct, restore
from dip_experiments.api.stopping_monitor import StoppingMonitor, read_rule

__all__ = ["DeepinvModel", "StoppingMonitor", "read_rule", "reconstruct", "restore"]
