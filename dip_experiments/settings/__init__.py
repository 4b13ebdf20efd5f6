"""The settings of one run, and what its name is made of."""

from dip_experiments.settings.identity import identity
from dip_experiments.settings.settings import Settings, TotalVariation, Wandb

__all__ = ["Settings", "TotalVariation", "Wandb", "identity"]
