"""The words of a request: names of files come through whatever is in them, and what contradicts itself is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL, Dip
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from test_identity import settings_of

from dip_experiments.cli import main
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.overrides import quoted, split_flags, to_hydra_overrides
from dip_experiments.config.settings import Settings
from dip_experiments.jobs.job_status import JobResult
from dip_experiments.runner import finished_run

NAMES = [
    "photo (1).png",
    "[a].png",
    "a,b.png",
    "über größe.png",
    "a=b.png",
    "it's.png",
    '"quoted".png',
    "'quoted'.png",
    "~tilde.png",
    "${image.name}.png",
    "back\\slash\\",
    "restored_{image}.png",
    "3",
    "#1: $x & y.png",
    "\\${x}'\\'.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_through_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    (job,) = compose_jobs(
        to_hydra_overrides([f"image.path={name}", f"output={name}", f"+task.flash={name}"], False), False
    )
    assert (job.image.name, job.image.path, job.output, job.task.flash) == ("file", name, name, name)


def test_an_interpolation_is_resolved_unless_a_file_has_that_very_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHERE", "it's here")
    argv = ["paths.results=${oc.env:WHERE}/x", "output='a'${image.name}.png"]
    (job,) = compose_jobs(to_hydra_overrides(argv, False), False)
    assert (job.paths.results, job.output) == ("it's here/x", f"'a'{job.image.name}.png")


def test_names_come_through_a_sweep_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.png", "c.png"):
        Path(name).touch()
    jobs = compose_jobs(to_hydra_overrides(["image.path=c.png,a,b.png,d e.png", "output=x{image}.png"], True), True)
    assert [job.image.path for job in jobs] == ["c.png", "a,b.png", "d e.png"]
    assert {job.output for job in jobs} == {"x{image}.png"}


def test_all_names_survive_in_one_sweep() -> None:
    jobs = compose_jobs([f"output={','.join(quoted(name) for name in NAMES)}"], True)
    assert [job.output for job in jobs] == NAMES


def test_a_leading_tilde_is_home_and_null_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    words = to_hydra_overrides(["image.path=~/a b.png", "output=null", "paths.results=~"], False)
    (job,) = compose_jobs(words, False)
    assert (job.image.path, job.output, job.paths.results) == ("/home/me/a b.png", None, "/home/me")


def test_several_files_without_m_are_named_as_such() -> None:
    with pytest.raises(ValueError, match="add -m to sweep over them"):
        to_hydra_overrides(["image.path=a.png,b.png"], False)


def test_a_mask_file_is_distinguished_from_a_kind_of_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="say task/mask=box"):
        to_hydra_overrides(["task.mask=box"], False)
    Path("box").touch()
    assert to_hydra_overrides(["task.mask=box"], False) == ["task.mask='box'"]
    assert to_hydra_overrides(["task.mask=mask.png", "task.noise=none"], False) == [
        "task.mask='mask.png'",
        "task.noise=none",
    ]


def test_flags_may_stand_anywhere() -> None:
    assert split_flags(["seed=1", "-c", "job", "--resolve", "-p", "task", "target=noise"]) == (
        ["--cfg=job", "--resolve", "--package=task"],
        ["seed=1", "target=noise"],
    )
    assert split_flags(["-i", "seed=1"]) == (["--info=all"], ["seed=1"])
    assert split_flags(["seed=1,2", "-m"]) == (["-m"], ["seed=1,2"])


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("optimizer=lbfgs replicas=2", "use replicas=1"),
        ("architecture=pixels latent.optimise=z", "that looks at no latent"),
        ("task=denoising target=noise", "use target=natural"),
        ("latent=meshgrid latent.channels=3", "latent=meshgrid has 2 channels"),
        ("fit.iterations=10 fit.keep=[5,11]", r"fit.keep=\[11\]: the fit ends at iteration 10"),
        ("image=coffee +image.path=photo.png", "leave one of them out"),
        ("experiment.name=../x", "letters, digits, _ and - make a name"),
    ],
)
def test_overrides_that_make_no_sense_together_are_refused_before_anything_is_read(words: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        settings_of(*words.split())


@pytest.mark.parametrize("key", ["stopping.observe", "stopping/observe", "observe"])
def test_observers_are_requested_under_either_name(key: str) -> None:
    assert to_hydra_overrides([f"{key}=[split,sure]"], multirun=False) == ["observe=[split,sure]"]


def test_an_empty_override_is_no_command(dip: Dip, capfd: pytest.CaptureFixture[str]) -> None:
    assert dip("") == 2
    assert capfd.readouterr().err.startswith("'': no such command; there are ")


def test_a_file_that_cannot_be_written_is_named(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "run_subcommand", lambda *asked: (tmp_path / "nowhere" / "curves.png").write_bytes(b""))
    assert dip("plot") == 2
    assert capfd.readouterr().err == f"{tmp_path / 'nowhere' / 'curves.png'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("words", "jobs", "times"),
    [
        ([], 1, 1),
        (["-m", "target=noise"], 1, 1),
        (["-m", "seed=0,1,2", "optimizer.lr=0.01,0.1"], 6, 1),
        (["-m", "seed=0,1,2", "hydra/launcher=basic", "hydra.sweeper.max_batch_size=2"], 3, 1),
        (["-m", "target=noise,natural", "seed=0,1,2"], 6, 3),  # once for what is fixed, once for each target
        (["+hydra.job.env_set.ANY=one"], 1, 3),
    ],
)
def test_a_request_is_composed_once_unless_it_sweeps_over_groups_or_has_settings_of_hydras_own(
    words: list[str], jobs: int, times: int, dip: Dip, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[Any] = []
    plain = ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(
        ConfigLoaderImpl, "load_configuration", lambda *given, **more: (composed.append(0), plain(*given, **more))[1]
    )
    seen: list[str | None] = []

    def skip(settings: Settings, overrides: list[str], reuse: bool) -> JobResult:
        seen.append(os.environ.get("ANY"))
        return JobResult(overrides, "skipped")

    monkeypatch.setattr(finished_run, "skip_finished", skip)
    assert dip(*SMALL, *words) == 0
    assert len(composed) == times
    assert seen == ["one" if "ANY" in " ".join(words) else None] * jobs
