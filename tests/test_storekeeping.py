"""`dip status`, `show`, `plot`, `prune` and `merge` tell what is there, and touch nothing that is a result."""

import json
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL
from fake_runs import make_run
from PIL import Image

from dip_experiments.cli.main import main
from dip_experiments.cli.status_view import row
from dip_experiments.cli.store_commands import find_run
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.store import Run, Store, locked, states, write_json

Dip = Callable[..., int]


def told(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    return (code, *capfd.readouterr())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one run of each state, and a record."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    run = make_run(results, "1111aaaa11111111")
    kept = make_run(results, "2222bbbb22222222")
    Store(results).export_record(kept, "laptop")
    shutil.rmtree(kept.folder)
    for name in ("3333cccc33333333", "4444dddd44444444", "5555eeee55555555", "6666ffff66666666"):
        shutil.copytree(run.folder, results / "runs" / name)
        (results / "runs" / name / "summary.json").unlink()
    places = {state.run.name[0]: state.run.folder for state in states(results)}
    (places["3"] / "checkpoint.pt").write_bytes(b"state")
    Run(places["3"]).write_progress(10, 5.0)
    (places["4"] / "failure.txt").write_text("out of luck\n\nTraceback")
    (places["6"] / "summary.json").write_text("{")
    (results / "runs" / "1111aaaa11111111.damaged-1").mkdir()
    return results


def test_the_state_of_every_run_is_told_and_one_that_is_being_fitted_has_its_owner_and_time_left(
    store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def words() -> dict[str, str]:
        return {state.run.name[:4] + state.run.name[16:]: state.status for state in states(store)}

    assert words() == {
        "1111": "finished", "2222": "record", "3333": "interrupted", "4444": "failed", "5555": "aborted",
        "6666": "damaged", "1111.damaged-1": "quarantined",
    }  # fmt: skip
    code, out, _ = told(capfd, "status")
    assert code == 0
    assert "1 record" in out
    with locked(store / "runs" / "3333cccc33333333"):
        assert words()["3333"] == "running"
        (state,) = [state for state in states(store) if state.status == "running"]
        assert state.seconds_left == pytest.approx(0.5 * (state.config["fit"]["iterations"] - 10))
        assert f"process {state.owner['pid']}" in row(state, datetime.now(UTC))["state"]
    write_json(store / "runs" / "5555eeee55555555" / "owner.json", {"host": "elsewhere", "pid": 1, "since": "now"})
    assert words()["5555"] == "running"  # nobody here knows better


def test_a_process_that_was_killed_owns_nothing(store: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    with locked(store / "runs" / "3333cccc33333333"):
        owner = json.loads((store / "runs" / "3333cccc33333333" / "owner.json").read_text())
    write_json(store / "runs" / "3333cccc33333333" / "owner.json", owner | {"pid": int(gone.stdout)})
    assert [state.status for state in states(store) if state.run.name[0] == "3"] == ["interrupted"]


def test_a_clock_that_jumps_makes_no_age_negative(store: Path) -> None:
    began = store / "runs" / "1111aaaa11111111" / "provenance.json"
    now = datetime.now(UTC)
    write_json(began, {"sittings": [{"began": (now + timedelta(days=2)).isoformat()}]})
    (state,) = [state for state in states(store) if state.status == "finished"]
    begun = [row(state, now + timedelta(days=days))["started"] for days in (0, 2, 5)]
    assert begun == ["0 s ago", "0 s ago", "3 days ago"]


@pytest.mark.thorough
def test_one_run_is_shown_by_the_beginning_of_its_name_with_what_differs_and_its_curve(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dip(*SMALL, "image=camera", "seed=4", "replicas=2") == 0
    (state,) = states(tmp_path / "results")
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    code, out, _ = told(capfd, "show", state.run.name[:5], "--open")
    assert code == 0
    for part in ("image.name", "camera", "fit.iterations", "40", "4 5", "average", "PSNR of the average"):
        assert part in out
    assert "optimizer.lr" not in out  # as plain dip has it
    assert f"{np.mean(state.summary['oracle_peak']['psnr_average']):.4g}" in out
    (figure,) = opened
    with Image.open(figure.removeprefix("file://")) as picture:
        assert picture.width > 500


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "show: give one run, by its id"),
        (["show", "9999"], "no run id in results has this beginning"),
        (["show", ""], "run ids have this beginning"),
        (["plot"], "plot: give runs, by their ids"),
        (["plot", "1111aaaa11111111", "output=a.jpg"], "ends in .png"),
        (["status", "fig3"], "has no runs of it; it has"),
        (["status", "--json", "--csv"], "choose one of the two"),
        (["status", "--alle"], "not known here (did you mean --all?)"),
        (["remove"], "remove: give runs, by their ids"),
        (["remove", "1111aaaa11111111"], "no terminal to ask in; add --yes"),
        (["remove", "2222", "--yes"], "that is a record"),
        (["prune"], "no terminal to ask in; add --yes"),
        (["prune", "3333"], "it takes all unfinished runs"),
        (["merge"], "give the results folder of one other store"),
        (["merge", "nowhere"], "give the results folder of one other store"),
        (["merge", "results"], "that is the store itself"),
    ],
)
def test_wrong_overrides_are_refused_and_change_nothing(
    words: list[str], said: str, store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    code, _, err = told(capfd, *words)
    assert code == 2
    assert said in err
    assert err.count("\n") <= 2
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


def test_what_is_written_beside_a_finished_run_is_distinguished_and_shown_only_by_its_folder(
    store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "1111aaaa11111111"
    shutil.copytree(store / "runs" / "3333cccc33333333", store / "runs" / f"{name}.new")
    shutil.rmtree(store / "runs" / f"{name}.damaged-1")
    mine = [state.status for state in states(store) if state.run.name == name]
    assert mine == ["finished", "interrupted"]
    with locked(store / "runs" / name):
        assert [state.status for state in states(store) if state.run.name == name] == ["finished", "running"]
    assert find_run("1111", store).run.folder == store / "runs" / name
    code, out, _ = told(capfd, "prune", "--yes")
    assert (code, Run(store / "runs" / name).finished) == (0, True)
    assert f"{name}.new  interrupted" in out
    assert {path.name for path in (store / "runs").iterdir()} == {name}


def test_what_is_no_result_is_pruned_and_nothing_else(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (store / "dip-sweep-old").mkdir()
    with locked(store / "runs" / "3333cccc33333333"):
        code, out, _ = told(capfd, "prune", "--yes")
        assert code == 0
    assert "5 of 5 removed" in out
    assert {state.run.name[:4]: state.status for state in states(store)} == {
        "1111": "finished", "2222": "record", "3333": "interrupted",
    }  # fmt: skip
    assert not (store / "dip-sweep-old").exists()


def test_a_run_that_other_hardware_fitted_too_is_no_conflict_and_ours_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = read_settings(compose_jobs(["scale=smoke", "replicas=2"], multirun=False)[0]).to_dict()
    names = twin, otherwise, alike = tuple(digit * 16 for digit in "abc")
    for folder, threads, off in (("results", 1, 0.0), ("other", 2, 0.25)):
        for name in names:
            curves = {
                "psnr_average": np.linspace(20, 30, 240).reshape(2, 120) + off,
                "loss": np.full((2, 120), 1 + off),
            }
            told_apart = {"seed": 7} if (name, folder) == (otherwise, "other") else {}
            run = make_run(tmp_path / folder, name, curves=curves, **words | told_apart)
            sitting = {**run.provenance["sittings"][0], "threads": 1 if name == alike else threads}
            sittings = [sitting] * threads  # taken up again elsewhere, which changes no number
            write_json(run.folder / "provenance.json", {**run.provenance, "sittings": sittings})
            summary = {key: value for key, value in run.summary.items() if key not in ("files", "seal")}
            run.finish(summary | {"stopping": {"fixed": {}, **({"split": {}} if folder == "other" else {})}})
    before = (tmp_path / "results" / "runs" / twin / "curves.csv").read_bytes()
    code, out, err = told(capfd, "merge", "other")
    assert code == 1
    apart = "PSNR at most 0.25 dB apart; theirs alone was watched by split"
    assert f"runs/{twin}: same run, other threads: ours is kept, {apart}" in out
    assert f"runs/{otherwise}: other settings under this name" in err
    assert f"runs/{alike}: other bytes under this name: curves.csv, provenance.json, " in err
    assert "1 of other hardware" in out
    assert (tmp_path / "results" / "runs" / twin / "curves.csv").read_bytes() == before


def test_two_stores_become_one_by_signature_and_other_bytes_under_one_name_are_refused_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    mine, other = tmp_path / "results", tmp_path / "other"
    same, conflict, damaged, new = (f"{digit * 16}" for digit in "abcd")
    for name in (same, conflict, damaged, new):
        Store(other).export_record(make_run(other, name), "laptop")
    shutil.copytree(other / "runs" / same, mine / "runs" / same)
    make_run(mine, conflict, curves={"loss": np.ones((2, 120))})
    before = (mine / "runs" / conflict / "curves.csv").read_bytes()
    (other / "runs" / damaged / "curves.csv").write_text("")
    (other / "laptop" / "records" / "baselines").mkdir()
    (other / "laptop" / "records" / "baselines" / "bm3d-1.json").write_text("{}")
    code, out, err = told(capfd, "merge", "other")
    assert code == 1
    assert f"runs/{conflict}: other bytes under this name: curves.csv" in err
    assert f"runs/{damaged}: damaged there: curves.csv was changed" in err
    assert (mine / "runs" / conflict / "curves.csv").read_bytes() == before
    assert Store(mine).run(new).finished
    assert not (mine / "runs" / damaged / "summary.json").exists()
    assert (mine / "laptop" / "records" / "baselines" / "bm3d-1.json").exists()
    assert not list((mine / "laptop").rglob("lock"))
    assert "6 copied" in out
    assert "1 there already" in out
    shutil.rmtree(other / "runs" / conflict)
    shutil.rmtree(other / "runs" / damaged)
    assert told(capfd, "merge", "other")[:2] == (0, "7 there already\n")
