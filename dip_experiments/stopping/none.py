"""No rule ends the loop: a fit has as many iterations as it was given."""

from typing import Literal

from dip_experiments.schema import Group


class NoStopping(Group):
    name: Literal["none"]
