"""W&B is told everything, and nothing of W&B can stop a fit."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from conftest import SMALL, only_run

from dip_experiments.fitting.fit import Fit

WORDS = [*[word for word in SMALL if word != "logger=none"], "logger=wandb"]


class Board:
    """Stands in for a W&B run and remembers what it was told."""

    def __init__(self) -> None:
        self.logged: list[dict[str, Any]] = []
        self.metrics: dict[str, str | None] = {}
        self.summary: dict[str, Any] = {}
        self.finished = 0

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.metrics[name] = step_metric

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.finished += 1


def test_a_fit_tells_wandb_its_curves_images_peak_and_where_it_belongs(
    dip: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, asked = Board(), {}
    monkeypatch.setattr(wandb, "init", lambda **words: asked.update(words) or board)
    assert dip(*WORDS, "replicas=2", "logger.tags=[mine]") == 0
    run = only_run(tmp_path)
    assert asked["name"] == f"noisy-skip-{run.name[:8]}"
    assert (asked["mode"], asked["group"], asked["job_type"]) == ("offline", "single", "fit")
    assert asked["tags"] == ["smoke", "astronaut", "mine"]
    assert asked["config"]["fit"]["iterations"] == 40
    assert board.metrics["psnr_reference/seed1"] == "iteration"
    curves = [entry for entry in board.logged if "loss/seed0" in entry]
    assert [entry["iteration"] for entry in curves[:4]] == [1, 2, 3, 4]
    assert curves[-1]["iteration"] == 40
    assert len(curves) < 40
    assert curves[-1]["psnr_average/seed1"] == run.curves[1]["psnr_average"][-1]
    pictures = [entry["iteration"] for entry in board.logged if "output/seed0" in entry]
    assert pictures == [1, 3, 10, 30, 40]
    assert board.summary["oracle_peak"] == run.summary["oracle_peak"]
    assert board.finished == 1


@pytest.mark.parametrize("broken", ["init", "log", "finish"])
def test_an_error_of_wandb_is_told_in_a_line_and_the_fit_goes_on(
    broken: str,
    dip: Callable[..., int],
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


def test_every_run_of_a_sweep_is_its_own_wandb_run(dip: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    boards: list[Board] = []
    monkeypatch.setattr(wandb, "init", lambda **_: boards.append(Board()) or boards[-1])
    assert dip(*WORDS, "-m", "target=natural,noise") == 0
    assert [board.finished for board in boards] == [1, 1]


@pytest.mark.slow
def test_killing_the_service_of_wandb_stops_no_fit_and_loses_no_curve(
    dip: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Fit.iterate

    def iterate(self: Fit) -> None:
        at = int(self.row)
        if at == 15:
            found = subprocess.run(["pgrep", "-f", "wandb-core"], capture_output=True, text=True, check=False).stdout
            services = [int(word) for word in found.split()]
            assert services
            for service in services:
                os.kill(service, signal.SIGKILL)
        plain(self)

    monkeypatch.setattr(Fit, "iterate", iterate)
    assert dip(*WORDS) == 0
    assert np.isfinite(only_run(tmp_path).curves[0]["loss"]).all()
    assert list((tmp_path / "results" / "wandb").glob("offline-run-*"))
