"""What a run's name is made of."""

from collections.abc import Mapping
from typing import Any

WITHOUT_EFFECT = ("paths", "output", "logger", "force", "experiment", "scale")
"""Settings that cannot change a run's numbers (what `scale` sets is in the other groups)."""


def identity(words: dict[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """What a run's signature is made of: all words that can change its numbers, files by their content, not their name.

    `digests`: of each file that the run reads, by what it is to the run.
    """
    kept = {name: _without_paths(value) for name, value in words.items() if name not in WITHOUT_EFFECT}
    kept["fit"] = {name: value for name, value in words["fit"].items() if name != "checkpoint_every"}
    return {**kept, "files": dict(digests)}


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_paths(item) for name, item in value.items() if name not in ("path", "flash")}
    return value
