"""A run is its signature; what is written is whole or not there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dip_experiments.compose import compose_jobs
from dip_experiments.experiment import plan, read_settings
from dip_experiments.settings import identity
from dip_experiments.store import Run, Store, atomic, provenance, read_columns, signature, write_columns, write_json


def name_of(*words: str) -> str:
    (job,) = compose_jobs(["scale=smoke", "logger=none", *words], multirun=False)
    return plan(read_settings(job)).run.name


def test_a_signature_changes_with_what_changes_numbers_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = name_of()
    assert name_of("logger=wandb", "paths.results=elsewhere", "force=true", "fit.checkpoint_every=7") == plain
    assert name_of("experiment.name=other", "device=cpu") == plain
    changes = ["seed=1", "replicas=2", "optimizer.lr=0.02", "target.sigma=26", "precision=float64", "image=coffee"]
    assert len({name_of(change) for change in changes} | {plain}) == 7


def test_a_picture_counts_by_its_content_and_not_by_its_name() -> None:
    words: dict[str, Any] = {"image": {"name": "file", "path": "a.png"}, "fit": {"checkpoint_every": 1}, "seed": 0}
    other = {**words, "image": {"name": "file", "path": "b.png"}}
    assert signature(identity(words, {"image": "same"})) == signature(identity(other, {"image": "same"}))
    assert signature(identity(words, {"image": "same"})) != signature(identity(words, {"image": "changed"}))


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError), atomic(path) as file:
        file.write("half of it is no bytes")  # type: ignore[arg-type]
    assert json.loads(path.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_columns_come_back_bit_for_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=50) * 10.0 ** np.arange(-25, 25)
    write_columns(tmp_path / "a.csv", {"x": values, "n": np.arange(50)})
    back = read_columns(tmp_path / "a.csv")
    np.testing.assert_array_equal(back["x"], values)
    np.testing.assert_array_equal(back["n"], np.arange(50))


def test_json_has_null_where_a_number_is_not_finite(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [np.float64("nan"), float("inf"), np.float32(0.5)]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [None, None, 0.5]}


def test_a_run_that_is_being_fitted_is_locked(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with run.locked(), pytest.raises(ValueError, match="another process"), Run(tmp_path / "run").locked():
        pass
    with run.locked():
        pass


def test_the_runs_of_an_experiment_are_those_last_asked_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_grid("fig2", "smoke", ["a"])
    store.write_grid("fig2", "smoke", ["b"])
    write_json(store.run("b").folder / "summary.json", {})
    assert [run.name for run in store.read_grid("fig2", "smoke")] == ["b"]
    with pytest.raises(ValueError, match="no runs"):
        store.read_grid("fig2", "laptop")


def test_provenance_says_which_code_on_which_machine() -> None:
    record = provenance([0, 1], "cpu", 2, ["dip"])
    assert record["versions"]["python"].startswith("3.")
    assert "cores" in record["machine"]
    assert record["commit"] is None or len(record["commit"]) == 40
