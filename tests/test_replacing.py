"""A finished run is replaced by a finished run only, and what was asked of it once stays answered."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL, Dip, fresh, thorough_after
from fake_runs import make_run
from interruptions import interrupt_at
from test_identity import settings_of

from dip_experiments.fitting.module import DIPModule
from dip_experiments.runner.resume import check_rules, with_rules_of
from dip_experiments.stopping.fixed import Fixed
from dip_experiments.store import Run, RunFolder, Store, find_incomplete, locked, states
from dip_experiments.store.files import put_in_place

WORDS = ["fit.iterations=20"]
FIXED = ["observe=[fixed]", "observe.fixed.iteration=5"]
MOVING = ["observe=[moving_variance]", "observe.moving_variance.patience=10"]


def finished_before(dip: Dip, capfd: pytest.CaptureFixture[str], *words: str) -> bool:
    capfd.readouterr()
    assert dip(*SMALL, *WORDS, *words) == 0
    return "finished before" in capfd.readouterr().out


def folders(run: Run) -> set[str]:
    return {path.name for path in run.folder.parent.iterdir()}


@pytest.mark.thorough
def test_two_requests_that_want_other_observers_are_both_answered_once_both_were_requested(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS, *FIXED, "fit.keep=[7]")
    curves = (run.folder / "curves.csv").read_bytes()
    assert not finished_before(dip, capfd, *MOVING, "fit.keep=[9]")
    again = Run(run.folder)
    assert set(again.summary["stopping"]) == {"fixed", "moving_variance"}
    assert again.summary["stopping"]["fixed"] == run.summary["stopping"]["fixed"]
    assert again.settings["fit"]["keep"] == [7, 9]
    assert (run.folder / "curves.csv").read_bytes() != curves  # the columns of both
    assert folders(run) == {run.name}
    for words in ([], FIXED, MOVING, [*FIXED, "fit.keep=[9]"], [*MOVING, "fit.keep=[7]"]):
        assert finished_before(dip, capfd, *words)


def test_a_setting_that_a_rule_got_later_is_no_other_rule(tmp_path: Path) -> None:
    settings = settings_of("target=noisy", "observe=[discrepancy]", "observe.discrepancy.sigma=25")
    stored = settings.model_dump(mode="json", by_alias=True)["observe"]["discrepancy"]
    assert stored.pop("law") is None  # as of a run that is older than this setting
    run = make_run(tmp_path, "older", observe={"discrepancy": stored}, stopping={"name": "none"})
    check_rules(run, settings)
    other = make_run(tmp_path, "other", observe={"discrepancy": {**stored, "tau": 2.0}}, stopping={"name": "none"})
    with pytest.raises(ValueError, match=r"with tau=2\.0, not tau=1\.0"):
        check_rules(other, settings)


def test_a_rule_has_one_result_of_a_run_which_other_words_of_it_replace_only_when_forced(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, other = fresh(tmp_path, dip, *WORDS, *FIXED), [*FIXED, "observe.fixed.iteration=9"]
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    capfd.readouterr()
    assert dip(*SMALL, *WORDS, *other, "observe=[moving_variance,fixed]") == 2
    told = capfd.readouterr().err
    assert f"fixed: it has watched the finished run {run.name} with iteration=5, not iteration=9; force=true" in told
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before
    assert folders(run) == {run.name}
    assert not finished_before(dip, capfd, *other, "force=true")
    assert Run(run.folder).summary["stopping"]["fixed"]["joint"] == 9
    for words in (other, []):
        assert finished_before(dip, capfd, *words)


@pytest.mark.parametrize("words", thorough_after(1, [MOVING, ["fit.keep=[15]"], ["force=true"]]))
@pytest.mark.thorough
def test_a_finished_run_stays_until_the_one_that_takes_its_place_is_finished(
    words: list[str], dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS, *FIXED)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with monkeypatch.context() as patched:
        interrupt_at(patched, 15)
        assert dip(*SMALL, *WORDS, *words) == 130
    assert {path: path.read_bytes() for path in before} == before
    assert finished_before(dip, capfd, *FIXED)
    assert [state.status for state in states(tmp_path / "results")] == ["finished", "interrupted"]
    assert [left.folder.name for left in find_incomplete(tmp_path / "results")] == [f"{run.name}.new"]
    done: list[int] = []
    plain = DIPModule.iterate
    monkeypatch.setattr(DIPModule, "iterate", lambda self: (done.append(int(self.row)), plain(self))[1])
    assert not finished_before(dip, capfd, *words)
    assert done[0] == (0 if words == ["force=true"] else 10)
    assert Run(run.folder).finished
    assert "fixed" in Run(run.folder).summary["stopping"]
    assert folders(run) == {run.name}


def test_a_run_that_fails_leaves_the_finished_one_and_says_where_it_failed(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS)
    with monkeypatch.context() as patched:
        interrupt_at(patched, 5, RuntimeError)
        assert dip(*SMALL, *WORDS, "force=true") == 1
    assert f"{run.name}.new/failure.txt" in capfd.readouterr().err
    assert Run(run.folder).finished
    assert Run(run.folder).failure is None


def test_what_a_killed_process_left_between_two_renames_is_put_in_place(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS, *FIXED)
    shutil.copytree(run.folder, run.folder.with_name(f"{run.name}.new"))
    run.folder.rename(run.folder.with_name(f"{run.name}.old"))
    found = {state.run.folder.suffix: state.status for state in states(tmp_path / "results")}
    assert found == {".new": "finished", ".old": "quarantined"}
    assert finished_before(dip, capfd, *FIXED)
    assert folders(run) >= {run.name}
    assert f"{run.name}.new" not in folders(run)


@pytest.mark.thorough
def test_what_an_older_rule_found_is_no_answer_and_it_watches_again(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS, *FIXED)
    assert run.provenance["epochs"] == {"fixed": 1}
    monkeypatch.setattr(Fixed, "epoch", 2)
    assert finished_before(dip, capfd)  # who does not ask for the rule is answered
    assert not finished_before(dip, capfd, *FIXED)
    assert Run(run.folder).observer_epochs == {"fixed": 2}
    assert finished_before(dip, capfd, *FIXED)


def test_a_rule_with_words_of_another_version_does_not_watch_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    observe = {"fixed": {"name": "fixed", "iteration": 5}, "moving_variance": {"name": "moving_variance", "beta": 1}}
    found = with_rules_of(make_run(tmp_path, "a", observe=observe), settings_of())
    assert list(found.rules) == ["fixed"]
    assert "observe=moving_variance watched with settings that are not known today" in caplog.text


def test_a_record_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, run = Store(tmp_path), make_run(tmp_path, "a")
    record = store.export_record(run, "laptop", ["target"])
    with monkeypatch.context() as patched:
        patched.setattr("dip_experiments.store.store.write_curves", lambda *words: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.export_record(run, "laptop", ["average"])
    assert Run(record.folder).finished
    assert {state.status for state in states(tmp_path)} == {"finished"}
    store.export_record(run, "laptop", ["average"])
    assert {path.name for path in (record.folder / "images").iterdir()} == {
        "target-replica0.png", "average-replica0.png",
    }  # fmt: skip
    assert [path.name for path in record.folder.parent.iterdir()] == ["a"]


def test_what_takes_a_place_is_there_before_what_was_there_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "a.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    seen: list[set[str]] = []
    plain = shutil.rmtree

    def noted(path: Path, **words: Any) -> None:
        seen.append({path.name for path in tmp_path.iterdir()})
        plain(path, **words)

    monkeypatch.setattr(shutil, "rmtree", noted)
    put_in_place(tmp_path / "a.new", tmp_path / "a")
    assert seen == [{"a", "a.new"}, {"a", "a.old"}]
    assert (tmp_path / "a" / "which").read_text() == "a.new"


def test_a_lock_outlives_its_folder_and_one_on_a_file_without_a_name_is_none(tmp_path: Path) -> None:
    folder, lock = tmp_path / "run", tmp_path / ".run.lock"
    with locked(folder):
        opened = os.open(lock, os.O_RDWR)  # by a process that is about to take it
        shutil.rmtree(folder)
        assert lock.exists()
    assert os.fstat(opened).st_nlink == 0  # which the lock looks at, once it has it
    os.close(opened)
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_finished_since_it_was_listed_is_not_pruned(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a")
    summary = (run.folder / "summary.json").read_bytes()
    (run.folder / "summary.json").unlink()
    (left,) = find_incomplete(tmp_path)
    (run.folder / "summary.json").write_bytes(summary)
    assert not left.remove()
    assert Run(run.folder).finished
    with locked(run.folder):
        assert not RunFolder(run.folder.with_name("a.new"), "interrupted").remove()
