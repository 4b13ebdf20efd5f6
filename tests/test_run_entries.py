"""Entries of the runs behind a figure: what is common is written once, and nothing is lost."""

import copy
import json
import random
from typing import Any

from dip_experiments.store import pack, unpack

RUNS: list[dict[str, Any]] = [
    {"run": "a", "settings": {"task": {"name": "denoising", "sigma": 25.0}, "image": {"name": "cat"}, "keep": [1, 2]}},
    {"run": "b", "settings": {"task": {"name": "denoising", "sigma": 50.0}, "image": {"name": "cat"}, "keep": [1]}},
]


def test_what_runs_have_in_common_is_written_once() -> None:
    assert pack(RUNS) == {
        "common": {"settings": {"task": {"name": "denoising"}, "image": {"name": "cat"}}},
        "runs": [
            {"run": "a", "settings": {"task": {"sigma": 25.0}, "keep": [1, 2]}},
            {"run": "b", "settings": {"task": {"sigma": 50.0}, "keep": [1]}},
        ],
    }


def test_one_run_has_its_entry_in_one_piece() -> None:
    assert pack(RUNS[:1]) == {"common": {}, "runs": RUNS[:1]}
    assert pack([]) == {"common": {}, "runs": []}


def test_files_of_earlier_versions_have_whole_entries() -> None:
    assert unpack({"runs": RUNS}) == RUNS


def entry(rng: random.Random, depth: int = 3) -> dict[str, Any]:
    leaves = [1, 1.0, True, None, "", [], {}, [1], [1.0], [{"a": 1}]]
    keys = [key for key in "abcd" if rng.random() < 0.8]
    return {key: entry(rng, depth - 1) if depth and rng.random() < 0.6 else rng.choice(leaves) for key in keys}


def test_random_entries_come_back_with_the_types_of_their_values() -> None:
    rng = random.Random(0)
    for _ in range(500):
        first = entry(rng)
        entries = [first, copy.deepcopy(first), entry(rng)][rng.randrange(2) :][: rng.randrange(1, 4)]
        packed = json.loads(json.dumps(pack(entries)))
        assert json.dumps(unpack(packed), sort_keys=True) == json.dumps(entries, sort_keys=True)
