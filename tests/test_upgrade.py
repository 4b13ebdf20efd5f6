"""Settings of old runs are understood today."""

import json
from pathlib import Path
from typing import Any

import pytest

from dip_experiments.config.settings import Settings
from dip_experiments.runner.select_runs import run_id
from dip_experiments.store import unpack, upgrade

RESULTS = Path(__file__).parents[1] / "results"
OLD = Path(__file__).with_name("old_settings.json")


def former() -> list[dict[str, Any]]:
    """One run of every shape that settings.json had before records, and those behind the committed figures."""
    sources = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*/*/*.json"))]
    committed = [run["settings"] for source in sources for run in unpack(source)]
    return [*json.loads(OLD.read_text()), *committed]


@pytest.mark.thorough
def test_old_settings_and_those_behind_committed_figures_are_understood() -> None:
    dropped = {"paths": {"results": "results"}, "logger": {"name": "none"}, "force": False, "output": None}
    for words in former():
        upgraded = upgrade({**dropped, "device": "cpu", **words})
        again = Settings.model_validate(upgraded)
        assert again.fit.iterations == words["fit"]["iterations"]
        assert len(run_id(again, "cpu")) == 16


def test_upgrading_adds_what_came_later_and_changes_nothing_that_is_there() -> None:
    old = {"image": {"name": "astronaut"}, "fit": {"iterations": 3}, "precision": "bf16"}
    new = upgrade(old)
    assert new["image"] == {"multiple": 1, "name": "astronaut"}
    assert new["fit"] == {"keep": [], "iterations": 3}
    assert new["precision"] == "bf16"
    assert new["task"] == {"name": "reconstruction"}
    assert upgrade(new) == new
