"""What a request and the environment choose of a W&B run: the environment counts unless the request says otherwise."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from conftest import SMALL, Dip, only_run

from dip_experiments.cli.main import main
from dip_experiments.fitting.wandb_options import run_options, valid_tags, wandb_mode
from dip_experiments.fitting.wandb_summary import summary_scalars
from dip_experiments.jobs.job_status import JobResult, report

VARIABLES = ("MODE", "DISABLED", "PROJECT", "TAGS", "NAME", "RUN_GROUP", "ENTITY", "NOTES", "JOB_TYPE", "API_KEY")
WORDS = [*[word for word in SMALL if word != "logger=none"], "logger=wandb", "fit.iterations=10"]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


def options(mode: str | None = None, project: str | None = None, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    logger = {"mode": mode, "project": project, "tags": list(tags)}
    return run_options({"logger": logger, "experiment": {"name": "fig2"}}, "noisy lr=0.01", ["noisy", "f16", "smoke"])


@pytest.mark.parametrize(
    ("variables", "requested", "mode"),
    [
        ({}, None, "offline"),
        ({"MODE": ""}, None, "offline"),
        ({"MODE": "online"}, None, "online"),
        ({"MODE": "disabled"}, None, "disabled"),
        ({"MODE": "dryrun"}, None, "offline"),
        ({"MODE": "run"}, None, "online"),
        ({"DISABLED": "true"}, None, "disabled"),
        ({"DISABLED": "1", "MODE": "online"}, None, "disabled"),
        ({"DISABLED": "false", "MODE": "online"}, None, "online"),
        ({"MODE": "disabled"}, "offline", "offline"),
        ({"MODE": "online"}, "offline", "offline"),
        ({"DISABLED": "true"}, "online", "online"),
        ({"MODE": "online"}, "disabled", "disabled"),
    ],
)
def test_the_environment_chooses_the_mode_unless_the_request_does(
    variables: dict[str, str], requested: str | None, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    assert wandb_mode(requested) == options(mode=requested)["mode"] == mode


def test_without_request_and_environment_there_are_defaults() -> None:
    assert options() == {
        "mode": "offline",
        "project": "dip_experiments",
        "entity": None,
        "name": "noisy lr=0.01",
        "group": "fig2",
        "job_type": "fit",
        "notes": None,
        "tags": ["noisy", "f16", "smoke"],
    }


@pytest.mark.parametrize(
    ("variable", "option"),
    [
        ("PROJECT", "project"),
        ("ENTITY", "entity"),
        ("NAME", "name"),
        ("RUN_GROUP", "group"),
        ("NOTES", "notes"),
        ("JOB_TYPE", "job_type"),
    ],
)
def test_a_variable_chooses_its_option_and_no_other(
    variable: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = options()
    monkeypatch.setenv(f"WANDB_{variable}", "mine")
    assert options() == before | {option: "mine"}
    monkeypatch.setenv(f"WANDB_{variable}", "")
    assert options() == before


def test_a_project_and_tags_of_the_request_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "of the environment")
    monkeypatch.setenv("WANDB_TAGS", "one, two")
    assert options()["tags"] == ["noisy", "f16", "smoke", "one", "two"]
    asked = options(project="mine", tags=("own",))
    assert (asked["project"], asked["tags"]) == ("mine", ["noisy", "f16", "smoke", "own"])


def test_tags_are_as_wandb_takes_them() -> None:
    tags = valid_tags([" a ", "", "  ", "b" * 70, "a", "c" * 64])
    assert tags == ["a", "b" * 64, "c" * 64]
    assert wandb.Settings(run_tags=tuple(tags)).run_tags is not None


def test_a_disabled_wandb_is_not_called_and_leaves_nothing(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("called"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert dip(*WORDS) == 0
    assert only_run(tmp_path).finished
    assert not (tmp_path / "results" / "wandb").exists()
    told = capfd.readouterr()
    assert "W&B" not in told.out + told.err


@pytest.mark.parametrize(
    ("mode", "words", "line"),
    [
        ("offlin", [], "WANDB_MODE=offlin: no mode of W&B's; choose online, offline or disabled, or unset it"),
        ("offlin", ["logger.mode=offline"], "WANDB_MODE=offlin"),
        ("online", [], "wandb login"),
    ],
)
def test_a_mode_that_cannot_be_is_refused_in_a_line_before_the_fit(
    mode: str,
    words: list[str],
    line: str,
    dip: Dip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    assert dip(*WORDS, *words) == 2
    (told,) = capfd.readouterr().err.splitlines()
    assert line in told
    assert not list(tmp_path.iterdir())


def test_wandb_writes_where_its_variable_says(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    assert dip(*WORDS) == 0
    assert not (tmp_path / "results" / "wandb").exists()
    assert len(list((tmp_path / "elsewhere" / "wandb").glob("offline-run-*"))) == 1
    assert f"W&B: 1 offline run in {tmp_path / 'elsewhere' / 'wandb'};" in capfd.readouterr().out


@pytest.mark.thorough
def test_two_runs_of_one_process_are_written_where_each_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert main(WORDS) == 0
        assert len(list((tmp_path / name / "results" / "wandb").glob("offline-run-*/*.wandb"))) == 1


def test_the_logger_moves_no_run_id(dip: Dip, tmp_path: Path) -> None:
    asked = ["fit.iterations=10", "logger.mode=disabled", "logger.project=mine", "logger.tags=[a]"]
    assert dip(*WORDS, *asked) == 0
    assert dip(*SMALL, "fit.iterations=10") == 0
    assert only_run(tmp_path).finished


def made_summary() -> dict[str, Any]:
    """Three replicas, of which the second failed."""
    return {
        "iterations": 500,
        "wall_seconds": 1.5,
        "parameters": 7,
        "lost_iterations": [10, 0, 20],
        "failed": [{"replica": 1, "seed": 1, "iteration": 30}],
        "final": {"psnr_average": [20.0, math.nan, 23.0], "loss": [0.1, None, 0.3]},
        "oracle_peak": {"psnr_average": [25.0, math.nan, 28.0]},
        "oracle_iteration": {"psnr_average": [100, None, 220]},
        "iterations_explained": [50, None, 90],
        "scores": {"mean": {"psnr": [24.5]}, "stop-split-average": {"psnr": [24.0, None, 26.0]}},
        "stopping": {"split": {"iteration": [90, None, 150], "joint": 120}},
        "ended_by": None,
    }


def test_summary_numbers_are_mean_and_sample_deviation_over_the_seeds_that_did_not_fail() -> None:
    values = {
        "final/psnr_average": [20, 23],
        "final/loss": [0.1, 0.3],
        "oracle/psnr_average": [25, 28],
        "oracle/iteration": [100, 220],
        "stop/split/psnr_average": [24, 26],
        "stop/split/iteration": [90, 150],
        "iterations_to_90_percent": [50, 90],
    }
    expected = {f"{name}_mean": np.mean(row) for name, row in values.items()}
    expected |= {f"{name}_sd": np.std(row, ddof=1) for name, row in values.items()}
    others = {
        "iteration": 500,
        "wall_seconds": 1.5,
        "parameters": 7,
        "lost_iterations": 30,
        "failed_replicas": 1,
        "final/psnr_ensemble": 24.5,
    }
    assert summary_scalars(made_summary()) == pytest.approx(expected | others)


def test_a_mean_is_sent_only_if_every_seed_has_a_number_and_a_deviation_only_of_several() -> None:
    summary = made_summary()
    summary["iterations_explained"], summary["stopping"]["split"]["iteration"] = [50, None, None], [None, None, 150]
    names = summary_scalars(summary).keys()
    assert not [name for name in names if name.startswith(("iterations_to_90_percent", "stop/split/iteration"))]
    summary["failed"].append({"replica": 2, "seed": 2, "iteration": 40})
    scalars = summary_scalars(summary)
    assert scalars["iterations_to_90_percent_mean"] == 50
    assert not [name for name in scalars if name.endswith("_sd")]


@pytest.mark.parametrize(
    ("places", "lines"),
    [
        ([None, None], []),
        (
            ["results/wandb", "results/wandb", None],
            [
                "W&B: 2 offline runs in results/wandb; make dashboard shows them, "
                "wandb sync results/wandb/offline-run-* sends them"
            ],
        ),
        (
            ["my results/wandb"],
            [
                "W&B: 1 offline run in my results/wandb; make dashboard RESULTS='my results' shows them, "
                "wandb sync 'my results/wandb'/offline-run-* sends them"
            ],
        ),
        (["https://wandb.ai/me/mine"] * 3, ["W&B: 3 runs at https://wandb.ai/me/mine"]),
    ],
)
def test_at_the_end_of_a_request_a_line_says_where_wandb_has_the_runs(
    places: list[str | None], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    results = [JobResult([f"seed={n}"], "finished", f"run{n}", "f", wandb=place) for n, place in enumerate(places)]
    assert report(results, len(results), 1.0) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "W&B" in line] == lines
