"""What `dip restore` stands for, and what it says of the noise that it found."""

import json
from pathlib import Path

import pytest

from dip_experiments.cli.main import main
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.restoring import EXPERIMENTS, restoring
from dip_experiments.data.writing import expanded
from dip_experiments.runner.describe_stops import describe_stops
from dip_experiments.store import Run


def test_it_is_the_experiment_for_that_noise_with_a_name_for_the_output() -> None:
    assert restoring(["my photo.v2.jpg", "replicas=2"]) == [
        "experiment=restore", "image.path=my photo.v2.jpg", "output={image}_restored.png", "replicas=2",
    ]  # fmt: skip
    chosen = restoring(["in/photo.png", "noise=speckle", "output=mine.png"])
    assert chosen == ["experiment=restore_speckle", "image.path=in/photo.png", "output=mine.png"]


def test_flags_may_follow_and_names_may_have_braces() -> None:
    shown = restoring(["a{1}.png", "--cfg", "job", "noise=gaussian", "--resolve"])
    assert shown == [
        "experiment=restore_noisy", "image.path=a{1}.png", "output={image}_restored.png", "--cfg=job", "--resolve",
    ]  # fmt: skip
    assert expanded("{image}_restored.png", "in/a{1}.png", "file") == "a{1}_restored.png"


def test_all_noises_but_auto_have_a_law_of_their_own() -> None:
    laws = {}
    for noise, experiment in EXPERIMENTS.items():
        (job,) = compose_jobs([f"experiment={experiment}", "image.path=photo.png"], multirun=False)
        laws[noise] = (job.stopping.law.name, job.loss.name)
    assert laws == {
        "auto": ("correlated", "whitened"),
        "gaussian": ("gaussian", "mse"),
        "poisson": ("poisson", "mse"),
        "speckle": ("gamma", "mse"),
    }


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "a picture comes first: dip restore photo.jpg"),
        (["replicas=2"], "a picture comes first"),
        (["a.png", "b.png"], "one picture at a time; many: dip -m experiment=restore image.path=a.png,b.png"),
        (["a.png", "noise=salt"], "noise=salt: unknown; choose from auto, gaussian, poisson, speckle"),
        (["a.png"], "a.png"),
        (["a.png", "loss=mae"], "did you mean loss=l1"),
    ],
)
def test_what_cannot_be_restored_is_refused(words: list[str], wanted: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", *words]) == 2
    assert wanted in capfd.readouterr().err


WHITE = {"width": 0.0, "correlation": -1e-16}


def test_it_says_what_noise_it_found(tmp_path: Path) -> None:
    facts = {"sigma": 10.0, "sigma_from": "estimated", "width": 0.7, "correlation": 0.5, "growth": -1.0, "clipped": 1.0}
    rule = {"facts": facts, "joint": 40, "joint_final": True}
    told = []
    for changed in ({}, {"growth": 0.0, "clipped": 0.0}, {"sigma_error": 0.512, "colour_width": 1.25}, WHITE):
        stopping = {"split": {**rule, "facts": facts | changed}}
        summary = {"stopping": stopping, "ended_by": "split", "iterations": 60, "scores": {}}
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        told.append(describe_stops(Run(tmp_path)))
    shared = "noise: sigma 10, estimated; shared by neighbours (width 0.7) and channels (0.50)"
    assert told[0] == [
        f"{shared}; 12.2 at black, 7.07 at white; clipped at 0 or 1",
        "stop: split at 40, made sure at 60",
    ]
    assert told[1][0] == shared
    assert told[3][0].startswith(
        "noise: sigma 10, estimated; neighbours and channels share nothing of it; 12.2 at black"
    )
    assert told[2][0].startswith("noise: sigma 10 +- 0.51, estimated; shared by neighbours (width 0.7, in colours 1.2)")
