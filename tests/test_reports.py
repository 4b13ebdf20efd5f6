"""A report says what differs between the jobs, what became of each, its PSNR, and what was lost."""

from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL, Dip, only_run

from dip_experiments.cli.main import main
from dip_experiments.jobs.job_status import JobResult, report
from dip_experiments.store import Run, locked

SUMMARY: dict[str, Any] = {
    "final": {"loss": [0.1, None], "psnr_average": [27.5, None]},
    "oracle_peak": {"psnr_average": [28.25, None]},
    "lost_iterations": [50, None],
    "failed": [{"replica": 1, "seed": 8, "iteration": 30}],
}


def result(status: str, *overrides: str, **others: Any) -> JobResult:
    values = {"run": "abc", "folder": "r [b]/runs/abc", **others}
    return JobResult(["scale=smoke", *overrides], status, **values)


def test_the_table_shows_what_differs_and_how_many_are_finished(capfd: pytest.CaptureFixture[str]) -> None:
    results = [
        result("finished", "target=noise", "image.path='a [b].png'", summary=SUMMARY, output="a.png"),
        result("skipped", "target=natural", "image.path='c.png'", summary=SUMMARY | {"lost_iterations": [0, 0]}),
        result("failed", "target=natural", "image.path='d.png'", message="NaN\nTraceback"),
    ]
    assert report(results, jobs=4, seconds=130.0) == 1
    out, err = capfd.readouterr()
    header, first, second, third, last = out.splitlines()
    assert header.split("  ")[0] == "target"
    assert "scale" not in out
    assert "a [b].png" in first
    for part in ("27.50", "28.25", "50 iterations lost", "replica 1 (seed 8) failed at iteration 30", "wrote a.png"):
        assert part in first
    assert "skipped (finished before)" in second
    assert "lost" not in second
    assert "FAILED" in third
    assert last == "2 of 4 finished (1 of them before), 1 FAILED; 2 min in all; runs are in r [b]/runs"
    assert err.splitlines()[0] == "run abc failed: NaN"
    assert "1 of 4 jobs did not start" in err


def test_a_run_with_a_rule_says_noise_stop_and_result_in_short_lines(capfd: pytest.CaptureFixture[str]) -> None:
    lines = ["noise: sigma 25, estimated", "stop: split at 30", "result: estimated PSNR 30.00 +- 0.10 dB"]
    summary = {"final": {"psnr_measurement": [20.0]}, "stops": lines, "stop": "split at 30", "failed": []}
    assert report([result("finished", summary=summary)], jobs=1, seconds=1.0) == 0
    assert capfd.readouterr().out.splitlines() == ["run abc finished: r [b]/runs/abc", *(f"  {one}" for one in lines)]
    report([result("finished", "seed=1", summary=summary), result("finished", "seed=2")], jobs=2, seconds=1.0)
    assert "split at 30\n" in capfd.readouterr().out
    summary.pop("stops")
    report([result("finished", summary=summary)], jobs=1, seconds=1.0)
    assert capfd.readouterr().out.endswith("PSNR 20.00 dB to the measurement\n")


def test_one_run_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    summary = SUMMARY | {"lost_iterations": [0, 0], "failed": []}
    assert report([result("finished", summary=summary, output="out.png")], jobs=1, seconds=1.0) == 0
    line = "run abc finished: r [b]/runs/abc; PSNR 27.50 dB average, 28.25 dB oracle peak; wrote out.png\n"
    assert capfd.readouterr().out == line


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["finished", "locked"], 0),
        (["finished", "refused"], 2),
        (["refused", "failed"], 1),
        (["failed", "interrupted"], 130),
    ],
)
def test_the_exit_code_is_that_of_the_worst(statuses: list[str], code: int) -> None:
    assert report([result(status, f"seed={n}") for n, status in enumerate(statuses)], len(statuses), 1.0) == code


@pytest.mark.thorough
def test_two_results_folders_are_reported_both(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "fit.iterations=2", "-m", f"paths.results={tmp_path}/A [1],{tmp_path}/B"]
    assert main(words) == 0
    told = capfd.readouterr().out
    for folder in ("A [1]", "B"):
        (run,) = (tmp_path / folder / "runs").iterdir()
        assert str(run) in told
    assert "2 of 2 finished" in told


def test_a_run_that_is_being_fitted_elsewhere_is_no_error(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SMALL, "fit.iterations=2") == 0
    with locked(only_run(tmp_path).folder):
        assert dip(*SMALL, "fit.iterations=2", "force=true") == 0
    assert "locked by another process" in capfd.readouterr().out


def test_keep_makes_records_of_the_finished_runs_and_names_the_others(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["scale=smoke", "logger=none", "hydra/launcher=basic"]
    assert dip("experiment=fig2", *words, "architecture=pixels", "target=natural,noise") == 0
    capfd.readouterr()
    assert main(["keep", "fig2", "scale=smoke", f"paths.results={tmp_path / 'results'}"]) == 0
    out = capfd.readouterr().out
    records = tmp_path / "results" / "smoke" / "records"
    assert f"2 of 8 runs of fig2 kept in {records}" in out
    assert "dip -m experiment=fig2" in out
    kept = [Run(path) for path in records.iterdir()]
    assert {run.settings["target"]["name"] for run in kept} == {"natural", "noise"}
    assert all(run.finished for run in kept)
    images = sorted(path.relative_to(run.folder).as_posix() for run in kept for path in run.folder.rglob("*.png"))
    assert images == ["thumbnail.png"] * 2  # what the figure shows is of the network, not of the pixels


def test_keep_refuses_runs_of_code_that_nobody_can_look_up_and_says_what_to_do(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment=fig2", "scale=smoke", "logger=none", "architecture=pixels", "hydra/launcher=basic"]
    assert dip(*words, "target=natural") == 0
    with monkeypatch.context() as patched:
        patched.setattr("dip_experiments.store.provenance._uncommitted", lambda: True)
        assert dip(*words, "target=noise") == 0
    capfd.readouterr()
    assert main(["keep", "fig2", "scale=smoke", f"paths.results={tmp_path / 'results'}"]) == 1
    told = capfd.readouterr()
    assert "1 of 8 runs of fig2 kept" in told.out
    assert "the code that fits it was not committed; fit it again from a checkout without changes" in told.err
    (kept,) = (tmp_path / "results" / "smoke" / "records").iterdir()
    assert Run(kept).settings["target"]["name"] == "natural"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["kep", "fig2"], "did you mean keep?"),
        (["keep", "fig22"], "did you mean fig2?"),
        (["keep"], "use dip keep with one of"),
    ],
)
def test_an_unknown_command_or_experiment_is_refused(
    words: list[str], wanted: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert wanted in capfd.readouterr().err
