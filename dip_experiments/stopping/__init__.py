"""Rules that watch one trajectory and may end it."""

from dip_experiments.stopping.none import NoStopping

Stopping = NoStopping
"""Every rule, told apart by `name`."""

__all__ = ["NoStopping", "Stopping"]
