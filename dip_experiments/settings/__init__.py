"""The settings of one run, and what its name is made of."""

from dip_experiments.settings.identity import identity
from dip_experiments.settings.settings import Settings, Stream, TotalVariation, Wandb, read_settings

__all__ = ["Settings", "Stream", "TotalVariation", "Wandb", "identity", "read_settings"]
