"""Ranges of the numbers of parts, which config/ranges.json has: `PYTHONPATH=tests python tests/ranges.py`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import dip_experiments.config
from dip_experiments.cli.explain import _hints
from dip_experiments.config.comments import known_settings
from dip_experiments.config.plain_settings import PlainSettings
from dip_experiments.config.ranges import BOUNDS
from dip_experiments.config.settings import Settings

RANGES = Path(dip_experiments.config.__file__).parent / "ranges.json"


def bounds(schema: Mapping[str, Any]) -> dict[str, float]:
    """Bounds of a number in a JSON schema, also of one that may be null."""
    branches = [one for one in schema.get("anyOf", [schema]) if one.get("type") in ("number", "integer")]
    return {name: branches[0][name] for name in BOUNDS if name in branches[0]} if len(branches) == 1 else {}


def ranges() -> dict[str, dict[str, float]]:
    """Setting -> its bounds, of those of parts that are the same in every part which has the setting."""
    found = {}
    for key in sorted({setting.key for setting in known_settings() if "." in setting.key}):
        if key.split(".")[0] in PlainSettings.model_fields:
            continue
        alike = [bounds(TypeAdapter(hint).json_schema()) for hint in _hints(Settings, key.split("."))]
        if alike and alike[0] and all(one == alike[0] for one in alike):
            found[key] = alike[0]
    return found


if __name__ == "__main__":
    RANGES.write_text(json.dumps(ranges(), indent=1) + "\n")
