"""The settings of one run, and what its name is made of."""

from dip_experiments.settings.identity import by_content, identity, same_settings
from dip_experiments.settings.settings import Settings, Stream, TotalVariation, Wandb, read_settings

__all__ = [
    "Settings",
    "Stream",
    "TotalVariation",
    "Wandb",
    "by_content",
    "identity",
    "read_settings",
    "same_settings",
]
