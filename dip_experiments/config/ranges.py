"""Ranges of the numbers of parts, read without PyTorch: a number outside is refused before it is loaded."""

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from dip_experiments.schema import TARGET

BOUNDS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "exclusiveMinimum": (operator.gt, "greater than"),
    "minimum": (operator.ge, "greater than or equal to"),
    "exclusiveMaximum": (operator.lt, "less than"),
    "maximum": (operator.le, "less than or equal to"),
}
"""Bounds in a JSON schema."""
OWN_PARTS = (TARGET, "--config-dir", "hydra.searchpath")
"""In a request with one of these, parts are the user's, with ranges of their own."""


@cache
def ranges() -> dict[str, dict[str, int | float]]:
    """Return setting -> bound -> value, as the classes of the parts have them: ranges.json, which a test compares."""
    found: dict[str, dict[str, int | float]] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return found


def check_ranges(overrides: Sequence[str]) -> None:
    """Raise ValueError for a number of a part that is out of range in each part which has the setting."""
    if any(own in one for one in overrides for own in OWN_PARTS):
        return
    for key, _, given in (one.lstrip("+").partition("=") for one in overrides):
        for text, value in _numbers(given) if key in ranges() else ():
            for bound, limit in ranges()[key].items():
                holds, relation = BOUNDS[bound]
                if not holds(value, limit):
                    raise ValueError(f"{key}: got {text}; input should be {relation} {limit:g}")


def _numbers(given: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers of an override's value, which a sweep separates by commas, as given and as numbers."""
    for text in given.split(","):
        try:
            yield text, float(text)
        except ValueError:
            continue
