"""Reads W&B's offline files back: LevelDB's log format, https://github.com/google/leveldb/blob/main/doc/log_format.md."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, PREAMBLE, HEADER = 32768, 7, struct.Struct("<IHB")
WHOLE, LAST = 1, 4
"""Kinds of pieces with which a record ends."""


def records(folder: Path) -> Iterator[Record]:
    """All records of an offline run, in order."""
    (file,) = folder.glob("*.wandb")
    content, at, pieces = file.read_bytes(), PREAMBLE, b""
    while at + HEADER.size <= len(content):
        left = BLOCK - at % BLOCK
        if left < HEADER.size:
            at += left
            continue
        _, length, kind = HEADER.unpack_from(content, at)
        at += HEADER.size + length
        pieces += content[at - length : at]
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(pieces)
            yield record
            pieces = b""


def history(folder: Path) -> list[dict[str, Any]]:
    """What was logged, entry by entry; of an image what W&B keeps of it."""
    entries = []
    for record in records(folder):
        if record.WhichOneof("record_type") == "history":
            entry: dict[str, Any] = {}
            for item in record.history.item:
                name, *inside = item.nested_key or [item.key]
                value = json.loads(item.value_json)
                entry[name] = {**entry.get(name, {}), inside[0]: value} if inside else value
            entries.append(entry)
    return entries


def summary_values(folder: Path) -> dict[str, Any]:
    """The summary as it is at the end; of an image what W&B keeps of it."""
    values: dict[str, Any] = {}
    for record in records(folder):
        for item in record.summary.update if record.WhichOneof("record_type") == "summary" else ():
            name, *inside = item.nested_key or [item.key]
            value = json.loads(item.value_json)
            values[name] = {**values.get(name, {}), inside[0]: value} if inside else value
    return values


def sent(folder: Path) -> tuple[Any, set[str], set[str]]:
    """The run record, and the names in its configuration and its summary, nested ones with a dot."""
    run, config, summary = None, set(), set()
    for record in records(folder):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            config |= {found for item in run.config.update for found in named(item)}
        elif kind == "summary":
            summary |= {found for item in record.summary.update for found in named(item)}
    return run, config, summary


def named(item: Any) -> set[str]:
    """The name of an item and of what its value holds, one deep."""
    name = item.key or ".".join(item.nested_key)
    value = json.loads(item.value_json)
    return {name, *(f"{name}.{inside}" for inside in value)} if isinstance(value, dict) else {name}
