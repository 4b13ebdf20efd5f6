"""Nothing finished is lost, nothing damaged is taken for a result, and what goes on goes on as it began."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, only_run, thorough_after
from interruptions import interrupt_at
from test_guard import poison

from dip_experiments.jobs.job_status import REUSE_RECORDS
from dip_experiments.runner import validate
from dip_experiments.store import Run, Store, locked

WORDS = ["fit.iterations=20"]


def runs_of(tmp_path: Path) -> dict[str, Run]:
    return {path.name: Run(path) for path in (tmp_path / "results" / "runs").iterdir() if path.is_dir()}


THOROUGH = pytest.mark.thorough


@pytest.mark.parametrize(
    "what",
    ["curves.csv", *(pytest.param(name, marks=THOROUGH) for name in ("summary.json", "images/average-replica0.png"))],
)
def test_a_damaged_finished_run_is_named_set_aside_and_made_again_to_the_same_numbers(
    what: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = fresh(tmp_path, dip, *WORDS)
    curves = (run.folder / "curves.csv").read_bytes()
    (run.folder / what).write_bytes(b"")
    capfd.readouterr()
    assert dip(*SMALL, *WORDS) == 0
    assert Path(what).name.split(".")[0] in caplog.text
    assert f"kept as {run.name}.damaged-1" in caplog.text
    assert "skipped" not in capfd.readouterr().out
    found = runs_of(tmp_path)
    assert set(found) == {run.name, f"{run.name}.damaged-1"}
    assert (found[f"{run.name}.damaged-1"].folder / what).read_bytes() == b""
    assert found[run.name].finished
    assert (run.folder / "curves.csv").read_bytes() == curves


@pytest.mark.parametrize(
    "content", ["cut", *(pytest.param(bad, marks=THOROUGH) for bad in (b"", b"random bytes" * 100))]
)
@pytest.mark.thorough
def test_a_damaged_checkpoint_is_named_set_aside_and_the_fit_begins_anew(
    content: bytes | str, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fresh(tmp_path, dip, *WORDS)
    curves = (whole.folder / "curves.csv").read_bytes()
    for path in whole.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 15)
        assert dip(*SMALL, *WORDS) == 130
    saved = whole.checkpoint.read_bytes()
    whole.checkpoint.write_bytes(saved[: len(saved) // 2] if isinstance(content, str) else content)
    assert dip(*SMALL, *WORDS) == 0
    assert "checkpoint.pt is damaged" in caplog.text
    assert (whole.folder / "curves.csv").read_bytes() == curves
    assert np.isfinite(Run(whole.folder).curves[0]["loss"]).all()


def test_a_run_goes_on_with_the_number_of_threads_it_began_with_and_says_so_and_keeps_every_session(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    used: list[int] = []
    before = torch.get_num_threads()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 15)
        assert dip(*SMALL, *WORDS) == 130
    torch.set_num_threads(before + 1)
    try:
        with monkeypatch.context() as patched, caplog.at_level(logging.INFO, "dip_experiments"):
            patched.setattr(
                "dip_experiments.runner.resume.run_fit", lambda *words: used.append(torch.get_num_threads()) or 1 / 0
            )
            assert dip(*SMALL, *WORDS) == 1
        assert used == [before]
        assert f"continues with {before} threads" in caplog.text
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    sittings = only_run(tmp_path).provenance["sittings"]
    assert [sitting["after_iteration"] for sitting in sittings] == [0, 10]
    assert [sitting["threads"] for sitting in sittings] == [before, before]


@pytest.mark.thorough
def test_a_run_that_another_process_fits_is_no_error_and_is_reported(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS)
    for path in run.folder.rglob("*.*"):
        path.unlink()
    with locked(run.folder):
        assert dip(*SMALL, *WORDS, "-m", "seed=0,1") == 0
    told = capfd.readouterr()
    assert "locked by another process" in told.out
    assert "Traceback" not in told.err
    assert [found.finished for name, found in runs_of(tmp_path).items() if name != run.name] == [True]


def test_more_images_requested_of_a_finished_run_are_made_and_none_is_lost(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip, *WORDS, "fit.keep=[5]")
    curves = (run.folder / "curves.csv").read_bytes()
    assert dip(*SMALL, *WORDS, "fit.keep=[7]") == 0
    again = only_run(tmp_path)
    assert again.name == run.name
    assert all(again.image(f"{kind}-{n:06d}", 0).exists() for kind in ("iteration", "average") for n in (5, 7))
    assert (again.folder / "curves.csv").read_bytes() == curves
    assert again.finished
    capfd.readouterr()
    assert dip(*SMALL, *WORDS, "fit.keep=[5,7]") == 0
    assert "skipped" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("before", "after"),
    thorough_after(
        1,
        [
            (["observe=[fixed]", "observe.fixed.iteration=3"], ["observe=[fixed]", "observe.fixed.iteration=5"]),
            ([], ["observe=[fixed]", "observe.fixed.iteration=5"]),
            (["observe=[windowed_variance]", "observe.windowed_variance.window=3"], []),
        ],
    ),
)
def test_an_interrupted_run_requested_again_with_other_rules_begins_anew_and_says_so(
    before: list[str],
    after: list[str],
    dip: Dip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = [*WORDS, "fit.block=1", "fit.checkpoint_every=1"]
    with monkeypatch.context() as patched:
        interrupt_at(patched, 10, KeyboardInterrupt)
        assert dip(*SMALL, *words, *before) != 0
    with caplog.at_level(logging.INFO, "dip_experiments"):
        assert dip(*SMALL, *words, *after) == 0
    assert "begins anew: the rules asked for are not those that watched the first" in caplog.text
    run = only_run(tmp_path)
    assert list(run.summary.get("stopping", {})) == [word[9:-1] for word in after if word.startswith("observe=")]
    assert [row["after_iteration"] for row in run.provenance["sittings"]] == [0]


def test_a_record_stands_for_its_run_where_it_completes_records_and_nowhere_else(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run, store = fresh(tmp_path, dip, *WORDS), Store(tmp_path / "results")
    store.export_record(run, "smoke", ["target"])
    for path in run.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setenv(REUSE_RECORDS, "yes")
        interrupt_at(patched, 0, AssertionError)
        assert dip(*SMALL, *WORDS) == 0
        assert "skipped" in capfd.readouterr().out
        assert dip(*SMALL, *WORDS, f"output={tmp_path / 'restored.png'}") == 1, "the record has no such picture"
    assert dip(*SMALL, *WORDS) == 0
    assert "finished" in capfd.readouterr().out
    assert run.finished
    assert not run.is_record


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_finished_runs_can_be_requested_where_nothing_can_be_written(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *WORDS)
    run.folder.chmod(0o500)
    assert dip(*SMALL, *WORDS) == 0
    run.folder.chmod(0o700)


def test_asking_for_a_finished_run_writes_nothing(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *WORDS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*")}
    assert dip(*SMALL, *WORDS) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*")} == before
    assert json.loads((run.folder / "summary.json").read_text())["iterations"] == 20


def test_a_fit_that_would_not_fit_into_memory_is_refused_before_it_is_built(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for words in (["architecture.down=[100000,100000,100000]"], ["replicas=100000"]):
        assert dip(*SMALL, *words) == 2
        told = capfd.readouterr().err
        assert "GB of memory needed" in told
        assert len(told.splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("replicas", "part"), [(4, 0.6), (4, 0.2)])
def test_a_fit_that_is_too_large_is_told_what_would_fit(
    replicas: int,
    part: float,
    dip: Dip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, needed = ["scale=smoke", "scale.width=64", "logger=none", "fit.iterations=1"], []
    check = validate.check_memory

    def noted(settings: Any, values: int, task: Any) -> None:
        needed.append(4 * settings.replicas * values)
        check(settings, values, task)

    monkeypatch.setattr(validate, "check_memory", noted)
    monkeypatch.setattr(validate, "available_memory", lambda device: int(part * needed[0]))
    assert dip(*words, f"replicas={replicas}") == 2
    fewer, smaller = capfd.readouterr().err.strip().split("there is room with ")[1].split(", or with ")
    assert dip(*words, *fewer.split(" and ")) == 0
    assert dip(*words, f"replicas={replicas}", *smaller.split()) == 0


def test_a_large_fit_says_what_it_will_take(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dip_experiments.runner.validate.LARGE", 10)
    with caplog.at_level(logging.INFO, "dip_experiments"):
        assert dip(*SMALL, "fit.iterations=2") == 0
    assert "32 x 32 pixels, replicas=1: about 0.0 GB of memory" in caplog.text


@pytest.mark.thorough
def test_a_failed_first_replica_leaves_the_picture_to_the_next(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    with monkeypatch.context() as patched:
        poison(patched, lambda at: at >= 2, replica=0)
        assert dip(*SMALL, *WORDS, "replicas=2", f"output={tmp_path / 'restored.png'}") == 0
    run = only_run(tmp_path)
    assert run.replicas == [1]
    assert (tmp_path / "restored.png").read_bytes() == run.image("average", 1).read_bytes()


def test_a_summary_is_valid_json_without_nan(dip: Dip, tmp_path: Path) -> None:
    text = (fresh(tmp_path, dip).folder / "summary.json").read_text()
    json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
