"""No early stopping: a fit has as many iterations as it was given."""

from typing import Literal

from dip_experiments.stopping.rule import Stopping


class NoStopping(Stopping):
    """Run all iterations."""

    name: Literal["none"]
