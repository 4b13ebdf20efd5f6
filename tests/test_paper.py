"""The queue of the paper's own size: it holds every row of the tables, skips what is done, stops at Ctrl-C, counts."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Dip
from omegaconf import OmegaConf

from dip_experiments import devices
from dip_experiments.cli import commands, paper_queue
from dip_experiments.cli.paper_queue import Done, Row, fit_rows, progress, read_rows
from dip_experiments.config.compose import expand_grid
from dip_experiments.config.groups import conf_folder, options
from dip_experiments.store import Store

A, B, C = (Row("fig10", (f"seed={seed}",), 30.0) for seed in range(3))
OURS = ("fig4_stand_in", "fig9", "fig9_pixels")
"""Not in the paper at this size, or in need of a file that few have: the classifier's weights."""


def clean() -> None:
    """Code that is committed."""


def grid(experiment: str) -> set[frozenset[str]]:
    """The jobs that an experiment asks for by itself, in words."""
    words = OmegaConf.load(conf_folder() / "experiment" / f"{experiment}.yaml")
    params = OmegaConf.select(words, "hydra.sweeper.params") or {}
    return {frozenset(job) for job in expand_grid([f"{key}={value}" for key, value in params.items()])}


def test_every_row_of_the_papers_tables_and_figures_is_in_the_queue_once() -> None:
    asked = [name for name in options("experiment") if name.startswith(("fig", "table_", "pixels_", "kate", "prior"))]
    rows = read_rows()
    assert {row.experiment for row in rows} == {*asked, "trajectory"} - set(OURS)
    for name in set(asked) - {*OURS, "fig7_missing"}:  # its grid is that of the table, but for the picture
        found = [job for row in rows if row.experiment == name for job in grid(name) if set(row.overrides) <= job]
        assert len(found) == len(set(found)), f"{name}: twice"
        assert set(found) == grid(name)


def test_rows_are_fitted_in_turn_kept_and_counted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found, kept = {A: Done(3600.0), B: None, C: None}, []
    codes = {B: 0, C: 1}

    def fit(row: Row, further: list[str]) -> int:
        assert further == ["scale=paper"]
        found[row] = Done(3600.0) if codes[row] == 0 else None
        return codes[row]

    monkeypatch.setattr(paper_queue, "fit", fit)
    assert fit_rows([A, B, C], ["scale=paper"], found.get, lambda row: kept.append(row) or 0, clean) == 1
    assert kept == [B, C]  # also what a row that failed has finished
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        "paper: 1 rows done, 2 left, about 2.0 hours left",
        "paper: 2 rows done, 1 left, about 1.0 hours left",
        "paper: 2 rows done, 1 left, about 1.0 hours left",
    ]
    assert err == "failed: fig10 seed=2\n"


def test_a_row_whose_runs_are_not_kept_has_failed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found: dict[Row, Done | None] = {A: None}
    monkeypatch.setattr(paper_queue, "fit", lambda row, further: found.update({row: Done(3600.0)}) or 0)
    assert fit_rows([A], [], found.get, lambda row: 1, clean) == 1
    assert capfd.readouterr().err == "failed: fig10 seed=0\n"


def test_a_row_that_is_missing_after_its_fit_has_failed_whatever_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paper_queue, "fit", lambda row, further: 0)
    assert fit_rows([A], [], lambda row: None, lambda row: 0, clean) == 1
    assert capfd.readouterr().err == "failed: fig10 seed=0\n"


def test_at_a_small_scale_the_precision_that_is_fitted_is_looked_for(dip: Dip, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[str]] = {}

    def selected(experiment: str, scale: str, results: Path, overrides: list[str], origin: str) -> SimpleNamespace:
        asked[scale] = overrides
        return SimpleNamespace(missing=1)

    monkeypatch.setattr("dip_experiments.runner.select_runs.select", selected)
    monkeypatch.setattr("dip_experiments.store.doubtful_code", lambda provenance: "")
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda device: True)
    monkeypatch.setattr(commands, "read_rows", lambda: [A])
    monkeypatch.setattr(commands, "fit_rows", lambda rows, further, finished, *others: int(bool(finished(rows[0]))))
    for scale in ("smoke", "paper"):
        assert dip("paper", f"scale={scale}") == 0
    assert {scale: "precision=bf16" in overrides for scale, overrides in asked.items()} == {
        "smoke": True,
        "paper": False,
    }


def test_records_are_fitted_by_committed_code_or_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"rev-parse": "0" * 40, "status": " M conf/config.yaml"}
    monkeypatch.setattr("dip_experiments.store.provenance._git", lambda *words: changed[words[0]])
    with pytest.raises(ValueError, match="dip paper keeps records, and the code that fits it was not committed"):
        commands.paper(["scale=smoke"])


def test_code_that_changes_between_two_rows_fits_no_further_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Row] = []
    monkeypatch.setattr(paper_queue, "fit", lambda row, further: fitted.append(row) or 0)

    def check() -> None:
        if fitted:
            raise ValueError("the code that fits it was not committed")

    with pytest.raises(ValueError, match="not committed"):
        fit_rows([A, B], [], lambda row: None, lambda row: 0, check)
    assert fitted == [A]


CHILD = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
open(sys.argv[1], "w").close()
time.sleep(60)
"""


def test_sigterm_reaches_the_process_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = tmp_path / "ready"
    monkeypatch.setattr(paper_queue, "FIT", (sys.executable, "-c", CHILD, str(ready)))

    def end() -> None:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=end)
    thread.start()
    assert paper_queue.fit(A, []) == 130
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_row_is_done_where_its_record_has_the_pictures_of_its_figure(tmp_path: Path) -> None:
    run = SimpleNamespace(folder=tmp_path, replicas=[1])
    job = SimpleNamespace(run=run, config={"experiment": {"pictures": ["average", "iteration-*"]}})
    (tmp_path / "images").mkdir()
    for name, complete in (
        ("average-replica1", False),
        ("iteration-5-replica0", False),
        ("iteration-5-replica1", True),
    ):
        (tmp_path / "images" / f"{name}.png").touch()
        assert commands.has_pictures(job) is complete
    assert commands.has_pictures(SimpleNamespace(run=run, config={"experiment": {}}))


@pytest.mark.parametrize(
    "words", ["scale.width=4", "device=gpu", "paths=foo", "logger.mode=xx", "logger=wandb logger.mode=xx"]
)
def test_a_wrong_setting_is_refused_before_the_first_row(
    words: str, dip: Dip, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "check_code", clean)
    monkeypatch.setattr(commands, "fit_rows", lambda *_: pytest.fail("a row was fitted"))
    assert dip("paper", "scale=smoke", *words.split()) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "Traceback" not in line


def test_a_row_that_says_its_precision_is_fitted_in_no_other() -> None:
    asked = Row("fig10", ("seed=1", "precision=float32"), 1.0).overrides_with(["scale=paper", "precision=bf16"])
    assert asked == ["seed=1", "precision=float32", "scale=paper"]


def test_after_ctrl_c_no_further_row_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Row] = []
    monkeypatch.setattr(paper_queue, "fit", lambda row, further: begun.append(row) or 130)
    assert fit_rows([A, B], [], lambda row: None, lambda row: 0, clean) == 130
    assert begun == [A]


def test_overrides_that_would_make_all_rows_the_same_are_refused(dip: Dip, capfd: pytest.CaptureFixture[str]) -> None:
    assert dip("paper", "device=cpu", "image=cset9/f16") == 2
    assert "dip paper image=cset9/f16: its rows bring their own settings" in capfd.readouterr().err


def test_before_a_row_is_done_the_hours_are_those_of_the_list() -> None:
    assert progress({A: None, B: None}) == "paper: 0 rows done, 2 left, about 1.0 hours left"
    assert progress({A: Done(60.0)}) == "paper: 1 rows done, 0 left, all is done"


def test_rows_that_another_kind_of_device_has_done_say_nothing_of_the_hours_left() -> None:
    on_a_gpu = Done(60.0, comparable=False)
    assert progress({A: on_a_gpu, B: None}) == "paper: 1 rows done, 1 left, about 0.5 hours left"
    assert progress({A: on_a_gpu, B: None, C: Done(3600.0)}) == "paper: 2 rows done, 1 left, about 1.0 hours left"


@pytest.mark.slow
def test_a_row_is_a_run_and_a_record_and_is_skipped_when_it_is_there(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    queue = tmp_path / "paper.yaml"
    queue.write_text("requests: [{words: experiment=precision image=camera replicas=1 fit.iterations=20, minutes: 1}]")
    monkeypatch.setattr(paper_queue, "QUEUE", queue)
    monkeypatch.setattr("dip_experiments.store.doubtful_code", lambda provenance: "")  # a row is a process of its own
    words = ["scale=smoke", "logger=none", "precision=float32"]
    assert dip("paper", *words) == 0
    assert "0 rows done, 1 left" in capfd.readouterr().out
    (record,) = (tmp_path / "results" / "smoke" / "records").iterdir()
    assert Store(tmp_path / "results").run(record.name).settings["experiment"]["name"] == "precision"
    assert dip("paper", *words) == 0
    assert "1 rows done, 0 left, all is done" in capfd.readouterr().out
    seen: list[Done | None] = []

    def only_look(rows: list[Row], further: list[str], finished: paper_queue.Finished, *others: object) -> int:
        seen.extend(map(finished, rows))
        return 0

    monkeypatch.setattr(commands, "fit_rows", only_look)
    assert dip("paper", *words) == 0
    monkeypatch.setattr(devices, "device_name", lambda device: "a GPU")
    assert dip("paper", *words) == 0
    took = Store(tmp_path / "results").run(record.name).summary["wall_seconds"]
    assert seen == [Done(took, comparable=True), Done(took, comparable=False)]
