"""Numbers do not move unless somebody says so."""

import json

import pytest
from pinned import CASES, PINNED, denoised, differences, fitted, versions

from dip_experiments.store.files import finite

WANTED = json.loads(PINNED.read_text())


@pytest.mark.parametrize("name", [*CASES, "other methods"])
def test_numbers_stay(name: str) -> None:
    found = json.loads(json.dumps(finite(fitted(CASES[name]) if name in CASES else denoised())))
    made_with = WANTED["versions"]
    libraries = "" if made_with == versions() else f" (or libraries did it: pinned with {made_with}, here {versions()})"
    assert not differences(found, WANTED[name]), (
        f"raise an epoch in config/run_id.py, of a stopping rule or of a baseline, as CONTRIBUTING says{libraries}"
    )


def test_a_number_that_moves_by_more_than_rounding_is_seen() -> None:
    assert not differences({"a": [1.0, None, 3]}, {"a": [1.0 + 1e-12, None, 3]})
    for other in ({"a": [1.0 + 1e-7, None, 3]}, {"a": [1.0, None]}, {"a": [1.0, 2.0, 3]}, {"b": [1.0, None, 3]}):
        assert differences({"a": [1.0, None, 3]}, other)


def test_what_is_new_hides_no_number_that_has_moved() -> None:
    ours, theirs = {"old": {"loss": 1.0}, "new": {"loss": 2.0}}, {"old": {"loss": 1.5}, "gone": {"loss": 2.0}}
    assert differences(ours, theirs) == ["new: new", "gone: no longer there", "old loss: 1.0 where 1.5 was"]
