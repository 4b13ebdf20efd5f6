"""A choice between groups of settings that was given as a bare word."""

from typing import Any, get_args

from dip_experiments.schema import Group


def kinds(union: Any) -> dict[str, type[Group]]:
    """The groups of a union by the names they go by."""
    return {name: kind for kind in get_args(union) for name in get_args(kind.model_fields["name"].annotation)}


def say(key: str, word: str, among: str = "") -> ValueError:
    """What to say instead of `key=word`, where the word is the name of a group or looks like one."""
    return ValueError(f"{key}={word}: a kind is chosen with a /; say {key.replace('.', '/')}={word}{among}")
