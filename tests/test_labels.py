"""A run is called by its signal and by what the sweep varied."""

import os
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_run

from dip_experiments.analysis.labels import format_label, picture_name, run_label
from dip_experiments.cli.main import main
from dip_experiments.config.compose import read_requests
from dip_experiments.config.overrides import to_hydra_overrides
from dip_experiments.jobs.job_status import SWEPT
from dip_experiments.store import Run, write_json

DENOISING: dict[str, Any] = {
    "task": {"name": "denoising"}, "target": {"name": "natural"},
    "image": {"name": "file", "path": "/home/me/photo.png"},
    "architecture": {"name": "unet"}, "optimizer": {"lr": 0.01},
}  # fmt: skip
PLAIN = {**DENOISING, "task": {"name": "reconstruction"}, "target": {"name": "noisy"}}


@pytest.mark.parametrize(
    ("config", "swept", "label"),
    [
        (PLAIN, {"target": "noisy", "optimizer.lr": "0.003"}, "noisy lr=0.003"),
        (DENOISING, {"optimizer.lr": "0.003", "architecture": "unet"}, "denoising lr=0.003 unet"),
        (DENOISING, {"image.path": "/home/me/photo.png", "seed": "3"}, "denoising photo.png seed=3"),
        (DENOISING, {"change": "no_norm", "task/mask": "text"}, "denoising no_norm text"),
        (DENOISING, {"task.noise.sigma": "5", "latent.sigma": "0.1"}, "denoising task.noise.sigma=5 latent.sigma=0.1"),
        (PLAIN, {"target": "noisy"}, "noisy photo.png"),
        (DENOISING, {}, "denoising photo.png"),
    ],
)
def test_a_label_has_the_signal_and_what_was_swept(config: dict[str, Any], swept: dict[str, str], label: str) -> None:
    assert format_label(config, swept) == label


def test_a_picture_is_called_by_the_name_of_its_file() -> None:
    assert picture_name(DENOISING) == "photo.png"
    assert picture_name({"image": {"name": "cset9/f16", "path": None}}) == "cset9/f16"


@pytest.mark.parametrize(
    ("argv", "swept"),
    [
        (["target=natural,noisy", "optimizer.lr=0.01,0.003", "seed=3"], ["target", "optimizer.lr"]),
        (["experiment=fig2", "seed=1"], ["target", "architecture"]),
        (["experiment=fig2", "target=noise", "seed=1,2"], ["architecture", "seed"]),
        (["+loss.weight=1,2"], ["loss.weight"]),
    ],
)
def test_a_request_knows_what_it_sweeps_over(argv: list[str], swept: list[str]) -> None:
    (request,) = read_requests(to_hydra_overrides([*argv, "scale=smoke"], multirun=True), multirun=True)
    assert sorted(request.swept) == sorted(swept)


def test_a_single_request_sweeps_over_nothing() -> None:
    (request,) = read_requests(["seed=3"], multirun=False)
    assert list(request.swept) == []


def test_a_stored_run_is_labelled_by_what_its_sweep_varied(tmp_path: Path) -> None:
    command = ["dip", "target=natural", "++optimizer.lr=0.003", "seed=3", "fit.iterations=9", "image.path='a b.png'"]

    def labelled(**session: Any) -> str:
        run = make_run(tmp_path, "aa")
        record = {**run.provenance, "sittings": [{"command": command, **session}]}
        write_json(run.folder / "provenance.json", record)
        return run_label(Run(run.folder))

    assert labelled(swept=["target", "optimizer.lr", "image.path"]) == "natural lr=0.003 a b.png"
    for session in ({"swept": []}, {}):  # of a run of its own, and of one older than the record of what was swept
        assert labelled(**session) == "natural lr=0.003 seed=3 iterations=9 a b.png"
    assert labelled(command=[*command, "replicas=2"]) == "natural coffee", "too much for a label"
    assert labelled(command=["dip", "experiment=fig2", "scale=demo", "device=cpu", "logger=none"]) == "natural coffee"


def test_a_job_stores_what_its_sweep_varies(tmp_path: Path) -> None:
    argv = ["-m", "scale=smoke", "seed=1,2", "fit.iterations=2", "logger=none", f"paths.results={tmp_path}"]
    assert main(argv) == 0
    runs = [Run(path) for path in sorted((tmp_path / "runs").iterdir())]
    assert sorted(map(run_label, runs)) == ["noisy seed=1", "noisy seed=2"]
    assert SWEPT not in os.environ
