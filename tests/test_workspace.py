"""The W&B workspace names what real runs contain; runs are told apart and grouped, and W&B writes in one folder."""

import json
import math
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import pytest
import wandb
from conftest import SMALL, Dip, only_run
from fake_runs import part_of
from interruptions import interrupt_at
from wandb_offline import history, sent

from dip_experiments.fitting.schedule import image_iterations, logged_iterations
from dip_experiments.runner.finished_run import estimate_at_stop
from dip_experiments.store import Run

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of pydantic 1's validators
    Workspace = pytest.importorskip("wandb_workspaces.workspaces", reason="needs the extra dashboard").Workspace
ROOT = Path(__file__).parents[1]
WORDS = [word for word in SMALL if word != "logger=none"]
WATCHED = ["task=denoising", "stopping=split", "replicas=2", "fit.checkpoint_every=10"]
REACHES_90_PERCENT = ["image=camera", "task.noise.sigma=5", "fit.iterations=400", "optimizer.lr=0.03"]
ALL_RULES = [
    "observe=[windowed_variance,moving_variance,held_out_pixels,discrepancy]",
    "observe.windowed_variance.window=5",
    "observe.moving_variance.warm_up=5",
]


def offline_runs(folder: Path) -> list[Path]:
    return sorted((folder / "results" / "wandb").glob("offline-run-*"))


def spec(seeds: list[int]) -> dict[str, Any]:
    """What would be sent to W&B."""
    made = part_of("tools/dashboard", "workspace")("nobody", seeds)
    return json.loads(made._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))["section"]


def panels(section: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in section["panelBankConfig"]["sections"]:
        yield from (panel["config"] for panel in part["panels"])


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fit that all rules watched, in a process and a home of its own."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "home").mkdir()
    command = [sys.executable, "-c", "import sys; from dip_experiments.cli.main import main; sys.exit(main())"]
    home = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "home"), "MPLCONFIGDIR": matplotlib.get_cachedir()}
    path = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*command, *WORDS, *WATCHED, *ALL_RULES, *REACHES_90_PERCENT], cwd=folder, env=home | path, check=True
    )
    return folder


def test_every_name_of_the_workspace_is_one_that_a_real_run_contains(whole: Path) -> None:
    (folder,) = offline_runs(whole)
    run, config, summary = sent(folder)
    logged = {name for entry in history(folder) for name in entry}
    images = {name for entry in history(folder) for name, value in entry.items() if isinstance(value, dict)}
    section = spec([0, 1])
    patterns = [panel["metricRegex"] for panel in panels(section) if "metricRegex" in panel]
    assert len(patterns) == 9
    for pattern in patterns:
        assert any(re.search(pattern, name) for name in logged), pattern
    for panel in panels(section):
        assert panel.get("xAxis", "iteration").removeprefix("summary:") in logged
        assert panel.get("yAxis", "iteration").removeprefix("summary:") in logged
        assert set(panel.get("mediaKeys", [])) <= images
        for axis in (column["accessor"] for column in panel.get("columns", [])):
            kind, name = axis.split(":")
            assert name.replace(".value", "") in {"config": config, "summary": summary}[kind], axis
        if "groupBy" in panel:
            assert panel["groupBy"].replace(".value", "") in config
    for column in section["runSets"][0]["runFeed"]["columnOrder"]:
        kind, name = column.split(":")
        assert kind == "run" or name in {"config": config, "summary": logged | summary}[kind], column
    assert run.run_group == "single"


def test_each_rules_stop_is_a_mark_on_its_statistic_and_has_the_psnr_of_what_was_kept(whole: Path) -> None:
    (folder,) = offline_runs(whole)
    entries = history(folder)
    (run,) = [Run(path) for path in (whole / "results" / "runs").iterdir()]
    for rule, column in (("split", "split_mse"), ("windowed_variance", "windowed_variance")):
        at = run.summary["stopping"][rule]["iteration"][1]
        (mark,) = [entry for entry in entries if f"{column}_stopped/seed1" in entry]
        assert mark["iteration"] == at
        assert mark[f"{column}_stopped/seed1"] == pytest.approx(run.curves[1][column][at - 1], rel=1e-6)
        assert mark[f"psnr_stopped_{rule}/seed1"] == run.scores(f"stop-{rule}-average", "psnr")[1]
    (mean,) = [entry for entry in entries if "psnr_estimated_split/ensemble" in entry]
    assert mean["iteration"] == run.summary["stopping"]["split"]["joint"]
    assert mean["psnr_estimated_split/ensemble"] == pytest.approx(estimate_at_stop(run)["PSNR"])
    assert mean["psnr_stopped_split/ensemble"] == run.scores("stop-split-mean", "psnr")[0]
    last = [entry for entry in entries if "psnr_estimated/seed0" in entry][-1]
    assert last["psnr_estimated/seed0"] == pytest.approx(-10 * math.log10(last["split_mse/seed0"]))
    assert folder.name.endswith(run.name)


def test_wandb_writes_nowhere_but_in_the_results(whole: Path) -> None:
    """Its home, temporary folder and the folder where it was called are all looked at."""
    outside = [path for path in whole.rglob("*wandb*") if not path.is_relative_to(whole / "results" / "wandb")]
    assert outside == []
    assert [path for path in (whole / "home").rglob("*") if path.is_file()] == []
    assert {path.name for path in whole.iterdir()} == {"home", "results"}


def test_runs_of_a_sweep_are_one_group_under_names_of_their_own_with_their_seeds_apart(
    dip: Dip, tmp_path: Path
) -> None:
    assert dip(*WORDS, "fit.iterations=10", "-m", "seed=0,1", "target.sigma=25") == 0
    runs = [sent(folder)[0] for folder in offline_runs(tmp_path)]
    assert [run.run_group for run in runs] == ["seed=0,1"] * 2
    assert len({run.run_id for run in runs}) == len({run.display_name for run in runs}) == 2
    names = [{name for entry in history(folder) for name in entry} for folder in offline_runs(tmp_path)]
    assert sorted("loss/seed1" in logged for logged in names) == [False, True]
    assert dip(*WORDS, "fit.iterations=10", "-m", "experiment=fig2", "target=noise", "architecture=skip", "seed=0") == 0
    groups = [sent(folder)[0].run_group for folder in offline_runs(tmp_path)]
    assert set(groups) == {"seed=0,1", "fig2"}


def test_a_run_that_goes_on_stays_one_run_and_sends_nothing_twice(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        interrupt_at(patched, 25)
        assert dip(*WORDS) == 130
    assert dip(*WORDS) == 0
    first, second = offline_runs(tmp_path)
    assert sent(first)[0].run_id == sent(second)[0].run_id == only_run(tmp_path).name
    iterations = [entry["iteration"] for part in (first, second) for entry in history(part) if "loss/seed0" in entry]
    assert iterations == sorted({*logged_iterations(40), *image_iterations(40)})


def test_the_workspace_is_pushed_with_an_account_and_checked_without_one(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *command: asked.append(command[1][1:]))
    monkeypatch.setattr(Workspace, "save", lambda made: asked.append(made) or SimpleNamespace(url="its address"))
    monkeypatch.setattr(wandb, "Api", lambda: SimpleNamespace(default_entity="somebody"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(whole / "none"))
    with monkeypatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        part_of("tools/dashboard", "main")(["--results", str(whole / "results")])
    assert asked == [["-m", "wandb", "leet", str(whole / "results" / "wandb")]]
    assert capfd.readouterr().out.startswith("16 panels checked; ")
    monkeypatch.setenv("WANDB_API_KEY", "a key")
    part_of("tools/dashboard", "main")(["--results", str(whole / "results")])
    assert asked[1].entity == "somebody"
    assert asked[1].sections[4].panels[0].media_keys == ["output/seed0", "output/seed1"]
    assert capfd.readouterr().out.startswith("its address")
    monkeypatch.setenv("WANDB_ENTITY", "a group")
    monkeypatch.setenv("WANDB_PROJECT", "priors")
    part_of("tools/dashboard", "main")(["--results", str(whole / "results")])
    assert (asked[2].entity, asked[2].project, len(asked)) == ("a group", "priors", 3)


def test_in_a_pipe_the_runs_are_printed_with_their_results_and_how_to_send_them(whole: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "tools" / "dashboard.py"), "--results", "results"]
    home = {"HOME": str(whole / "home"), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=whole, env=home, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    (folder,) = offline_runs(whole)
    run = Run(whole / "results" / "runs" / folder.name.rpartition("-")[2])
    _, header, row, count, send = done.stdout.splitlines()
    assert header.split()[:3] == ["run", "final", "sd"]
    mean = sum(curves["psnr_average"][-1] for curves in run.curves) / 2
    assert row.startswith("denoising camera")
    assert f"  {mean:.4g}  " in row
    assert row.endswith(folder.name)
    assert count.startswith("1 runs in results/wandb, 1 of them offline")
    assert send == "to send them, after `wandb login`: wandb sync results/wandb/offline-run-*"
