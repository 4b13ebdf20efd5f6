"""W&B is told everything, and nothing of W&B can stop a fit."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import wandb
from conftest import SMALL, Dip, only_run, thorough_after
from torch import Tensor

from dip_experiments.data.reading import read_image
from dip_experiments.fitting.module import DIPModule

WORDS = [*[word for word in SMALL if word != "logger=none"], "logger=wandb"]


class Board:
    """Stands in for a W&B run and remembers what it was told."""

    starting_step, offline, url, project_url = 0, True, "", ""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.logged: list[dict[str, Any]] = []
        self.metrics: dict[str, str | None] = {}
        self.summary: dict[str, Any] = {}
        self.finished = 0

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.metrics[name] = step_metric

    def log(self, values: dict[str, Any], step: int, commit: bool) -> None:
        self.logged.append(values)
        self.steps.append(step)

    def finish(self) -> None:
        self.finished += 1


def test_a_fit_tells_wandb_its_curves_images_peak_and_where_it_belongs(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, asked = Board(), {}
    monkeypatch.setattr(wandb, "init", lambda **words: asked.update(words) or board)
    assert dip(*WORDS, "replicas=2", "fit.keep=[40]", "logger.tags=[mine]") == 0
    run = only_run(tmp_path)
    assert asked["name"] == "noisy astronaut"
    assert (asked["mode"], asked["group"], asked["job_type"]) == ("offline", "single", "fit")
    assert asked["tags"] == ["noisy", "astronaut", "smoke", "mine"]
    assert asked["config"]["fit"]["iterations"] == 40
    assert board.metrics["psnr_average/mean"] == "iteration"
    assert board.metrics["psnr_reference/seed1"] == "iteration"
    curves = [entry for entry in board.logged if "loss/seed0" in entry]
    assert [entry["iteration"] for entry in curves[:4]] == [1, 2, 3, 4]
    assert curves[-1]["iteration"] == 40
    assert len(curves) < 40
    assert curves[-1]["psnr_average/seed1"] == run.curves[1]["psnr_average"][-1]
    for name in ("output/seed0", "average/seed1"):
        assert [entry["iteration"] for entry in board.logged if name in entry] == [1, 3, 10, 30, 40]
    for name in ("target/seed0", "reference/seed1"):
        assert [entry["iteration"] for entry in board.logged if name in entry] == [0]
    assert {name for entry in board.logged for name in entry} == set(board.metrics)
    for kind in ("target", "average"):
        (*_, shown) = [entry[f"{kind}/seed1"] for entry in board.logged if f"{kind}/seed1" in entry]
        levels = np.moveaxis(np.atleast_3d(np.asarray(shown.image)), 2, 0)
        kept = run.image("average-000040" if kind == "average" else kind, 1)
        np.testing.assert_array_equal(levels, np.rint(read_image(kept) * 255))
    assert board.steps == sorted(set(board.steps))
    assert board.finished == 1


@pytest.mark.parametrize("broken", thorough_after(1, ["log", "init", "finish"]))
def test_an_error_of_wandb_is_reported_in_a_line_and_the_fit_goes_on(
    broken: str,
    dip: Dip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    board = Board()
    monkeypatch.setattr(wandb, "init", fail if broken == "init" else lambda **_: board)
    if broken != "init":
        monkeypatch.setattr(board, broken, fail)
    assert dip(*WORDS) == 0
    assert only_run(tmp_path).curves[0]["loss"].shape == (40,)
    assert caplog.text.count("no space left on device") == 1


@pytest.mark.slow
def test_every_run_of_a_sweep_is_its_own_wandb_run(dip: Dip, monkeypatch: pytest.MonkeyPatch) -> None:
    boards: list[Board] = []
    monkeypatch.setattr(wandb, "init", lambda **_: boards.append(Board()) or boards[-1])
    assert dip(*WORDS, "-m", "target=natural,noise") == 0
    assert [board.finished for board in boards] == [1, 1]


def failing_from(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second replica is NaN from this iteration on."""
    plain = DIPModule.image

    def image(self: DIPModule, z: Tensor) -> Tensor:
        broken = torch.tensor([1.0, math.nan if int(self.row) >= iteration else 1.0], dtype=z.dtype)
        return plain(self, z) * broken.view(-1, 1, 1, 1)

    monkeypatch.setattr(DIPModule, "image", image)


@pytest.mark.thorough
def test_a_replica_that_failed_tells_wandb_nothing_more(dip: Dip, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    monkeypatch.setattr(wandb, "init", lambda **_: board)
    failing_from(25, monkeypatch)
    assert dip(*WORDS, "replicas=2") == 0
    last = {seed: max(entry["iteration"] for entry in board.logged if f"loss/seed{seed}" in entry) for seed in (0, 1)}
    assert last[0] == 40
    assert last[1] <= 20
    seen = {name for entry in board.logged if entry["iteration"] > 20 for name in entry}
    assert {"output/seed0", "average/seed0"} < seen
    for entry in board.logged:
        if "loss/seed0" in entry and entry["iteration"] > 20:
            assert entry["loss/mean"] == entry["loss/seed0"]
    assert "final/psnr_average_sd" not in board.summary
    assert not [name for name in seen if name.endswith("seed1")]


def test_a_folder_in_which_wandb_cannot_write_is_reported_in_a_line(
    dip: Dip, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "wandb").touch()
    assert dip(*WORDS) == 0
    assert only_run(tmp_path).finished
    (line,) = [record.getMessage() for record in caplog.records if "W&B" in record.getMessage()]
    assert "cannot write in" in line
    assert len(line.splitlines()) == 1


KILLING = """
import os, signal, subprocess, sys
from dip_experiments.cli.main import main
from dip_experiments.fitting.module import DIPModule
from dip_experiments.data.reading import read_image
plain = DIPModule.iterate
def iterate(fit):
    if int(fit.row) == 15:
        mine = subprocess.run(["pgrep", "-P", str(os.getpid()), "wandb-core"], capture_output=True, text=True).stdout
        assert mine
        for service in mine.split():
            os.kill(int(service), signal.SIGKILL)
    plain(fit)
DIPModule.iterate = iterate
sys.exit(main())
"""


@pytest.mark.slow
def test_without_a_home_and_with_its_service_killed_wandb_costs_a_line_and_no_iteration(tmp_path: Path) -> None:
    words = [*WORDS, f"paths.results={tmp_path / 'results'}"]
    homeless = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    command = [sys.executable, "-c", KILLING, *words]
    done = subprocess.run(command, env=homeless, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if not line.startswith(("noisy skip", "takes 1 of"))]
    assert len(told) == 1, done.stderr
    assert told[0].startswith("W&B stopped listening")
    assert np.isfinite(only_run(tmp_path).curves[0]["loss"]).all()
    assert list((tmp_path / "results" / "wandb").glob("offline-run-*"))


def test_an_online_run_goes_on_after_its_last_step_and_its_project_is_printed(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    board = Board()
    board.offline, board.starting_step = False, 30
    board.url, board.project_url = "https://w.example/me/p/runs/1", "https://w.example/me/p"
    monkeypatch.setattr(wandb, "init", lambda **_: board)
    monkeypatch.setenv("WANDB_API_KEY", "a key")
    assert dip(*WORDS, "logger.mode=online") == 0
    assert board.steps == sorted(set(board.steps))
    assert (board.steps[0], board.steps[-1]) == (30, max(40, 30 + len(board.steps) - 1))
    told = capfd.readouterr()
    assert told.out.splitlines()[-1] == "W&B: 1 run at https://w.example/me/p"
    assert only_run(tmp_path).finished


def test_a_fit_that_a_rule_ends_is_sent_to_its_last_iteration(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board()
    monkeypatch.setattr(wandb, "init", lambda **_: board)
    rule = ["stopping=windowed_variance", "stopping.window=3", "stopping.patience=10"]
    assert dip(*WORDS, *rule, "fit.iterations=300", "fit.block=7", "optimizer.lr=0.1") == 0
    done = only_run(tmp_path).summary["iterations"]
    assert done < 300
    (last,) = [entry for entry in board.logged if entry["iteration"] == done and "loss/seed0" in entry]
    assert {"output/seed0", "average/seed0", "loss/mean"} < last.keys()
    assert board.summary["final/psnr_average_mean"] == last["psnr_average/seed0"]
