"""`dip status` lists one's own runs by what they are, for people and for programs; `latest` and `remove` go by it."""

import csv
import io
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_runs import make_run

from dip_experiments.cli.main import main
from dip_experiments.store import Run, Store, locked, write_json

OLD, NEW, RECORD = "1111aaaa11111111", "2222bbbb22222222", "3333cccc33333333"
PHOTO = {"image": {"name": "file", "path": "/home/me/my photo.png", "size": None, "fit": "resize"}}


def begin(run: Run, day: int, command: Sequence[str], swept: Sequence[str]) -> None:
    """Let a run have begun on a day of December, by a command."""
    session = {"began": f"2026-12-0{day}T10:00:00+00:00", "command": ["dip", *command], "swept": list(swept)}
    write_json(run.folder / "provenance.json", {**run.provenance, "sittings": [session]})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with two runs of one's own, of which the first by name is the newer one, and a record."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results"
    begin(make_run(folder, OLD, **PHOTO, experiment={"name": "single"}), 2, ["image.path='/home/me/my photo.png'"], [])
    begin(
        make_run(folder, NEW, experiment={"name": "single"}),
        1,
        ["target=natural", "optimizer.lr=0.003"],
        ["target", "optimizer.lr"],
    )
    record = make_run(folder, RECORD, experiment={"name": "fig2"})
    Store(folder).export_record(record, "laptop")
    shutil.rmtree(record.folder)
    return folder


def told(capfd: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(list(argv)) == 0
    return capfd.readouterr().out


def test_own_runs_are_listed_with_the_newest_last_and_records_counted(
    results: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, "status").splitlines()
    assert lines[0] == "single: 2 finished"
    columns = ["run", "picture", "fit", "state", "iterations", "oracle peak", "fit time", "started"]
    assert re.split(r"\s{2,}", lines[1].strip()) == columns
    assert [line.split()[0] for line in lines[2:4]] == [NEW, OLD]
    assert "  coffee  " in lines[2]
    assert "  natural lr=0.003, width 8  " in lines[2]
    assert "  my photo.png  reconstruction" not in lines[3]
    assert "  my photo.png  natural, width 8  " in lines[3]
    assert lines[-1] == "1 record of figures and tables: dip status --all"
    assert RECORD not in "\n".join(lines)


def test_all_lists_the_records_too(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = told(capfd, "status", "--all")
    assert f"{RECORD}" in out
    assert "fig2: 1 record" in out
    assert "dip status" not in out
    assert told(capfd, "status", "fig2").splitlines() == [
        "no runs of your own in results", "1 record of figures and tables: dip status fig2 --all",
    ]  # fmt: skip


def test_programs_get_the_same_as_json_and_as_csv(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(told(capfd, "status", "--json"))
    by_run = {row["run"]: row for row in rows}
    assert set(by_run) == {OLD, NEW}
    assert by_run[NEW]["label"] == "natural lr=0.003"
    assert by_run[NEW]["oracle_peak_psnr"] == pytest.approx(
        sum(Run(results / "runs" / NEW).summary["oracle_peak"]["psnr_average"]) / 2
    )
    assert by_run[OLD]["picture"] == "my photo.png"
    assert by_run[OLD]["began"] == "2026-12-02T10:00:00+00:00"
    table = list(csv.DictReader(io.StringIO(told(capfd, "status", "--csv", "--all"))))
    assert {row["run"]: row["state"] for row in table} == {OLD: "finished", NEW: "finished", RECORD: "record"}
    assert list(table[0]) == list(rows[0])


def test_a_folder_without_runs_gives_programs_an_empty_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert json.loads(told(capfd, "status", "--json")) == []
    assert told(capfd, "status", "--csv").startswith("run,experiment,label,")
    assert told(capfd, "status") == "no runs of your own in results\n"
    assert main(["show", "latest"]) == 2
    assert capfd.readouterr().err.startswith("latest: no runs of your own in results")


def test_latest_is_the_run_of_ones_own_that_began_last(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert told(capfd, "show", "latest").startswith(f"{OLD}: natural my photo.png, single, finished, ")


def test_a_run_is_removed_after_a_yes_and_no_other(
    results: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert "nothing removed" in told(capfd, "remove", OLD[:4])
    assert (results / "runs" / OLD).exists()
    with locked(results / "runs" / OLD):
        assert main(["remove", OLD[:4], "--yes"]) == 1
    assert (results / "runs" / OLD / "summary.json").exists()
    assert "1 of 1 removed" in told(capfd, "remove", OLD[:4], "--yes")
    assert [path.name for path in (results / "runs").iterdir()] == [NEW]
