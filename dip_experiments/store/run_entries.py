"""Entries of the runs behind a figure or table, in its JSON file: what they have in common is written once."""

from collections.abc import Mapping, Sequence
from typing import Any

COMMON, RUNS = "common", "runs"


def pack(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all entries have in common, at any depth of nested mappings, and what else each has."""
    common = _common(entries) if len(entries) > 1 else {}
    return {COMMON: common, RUNS: [_less(entry, common) for entry in entries]}


def unpack(packed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of `pack`."""
    return [_union(packed.get(COMMON, {}), entry) for entry in packed.get(RUNS, [])]


def _common(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = entries
    found: dict[str, Any] = {}
    for key, value in first.items():
        if not all(key in other for other in others):
            continue
        values = [entry[key] for entry in entries]
        if all(isinstance(one, Mapping) and one for one in values):
            if inner := _common(values):
                found[key] = inner
        elif len(set(map(repr, values))) == 1:  # 1 is not 1.0, and nan is nan
            found[key] = value
    return found


def _less(entry: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in common:
            found[key] = value
        elif isinstance(value, Mapping) and value and (inner := _less(value, common[key])):
            found[key] = inner
    return found


def _union(common: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**common, **{key: _union(common[key], value) if key in common else value for key, value in entry.items()}}
