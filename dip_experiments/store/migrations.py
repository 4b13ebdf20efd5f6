"""Upgrade the settings of old settings.json: a setting that came later has the value it had before it came."""

from typing import Any

LATER: dict[str, dict[str, Any]] = {
    "": {"task": {"name": "reconstruction"}, "precision": "float32", "output": None, "shared": [], "blend": 0.0},
    "scale": {"crop": None, "replicas": 3, "gamma": "ones"},
    "image": {"multiple": 1},
    "fit": {"keep": []},
}
"""By group (the empty one: the settings themselves)."""


def upgrade(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the same settings in today's form; those that are present stay as they are."""
    complete = {**LATER[""], **settings}
    later = {group: more for group, more in LATER.items() if group and isinstance(complete.get(group), dict)}
    return complete | {group: {**more, **complete[group]} for group, more in later.items()}
