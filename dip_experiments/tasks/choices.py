"""A choice between groups of settings."""

from typing import Any, get_args

from dip_experiments.schema import Group


def kinds(union: Any) -> dict[str, type[Group]]:
    """The groups of a union by the names they go by."""
    return {name: kind for kind in get_args(union) for name in get_args(kind.model_fields["name"].annotation)}
