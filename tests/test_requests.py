"""A wrong request ends with code 2 and at most three plain lines before anything is written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL
from test_images import damaged_files

from dip_experiments.command import main
from dip_experiments.compose import compose_jobs, options

WRONG = [
    (["target=nois"], "no such option (did you mean noisy?)"),
    (["image=cset9/f61"], "image=cset9/f61: no such option (did you mean cset9/f16?)"),
    (["image=cset9"], "image=cset9: no such option (did you mean cset9/"),
    (["image.name=astronat"], "image=astronat: there is no such picture; did you mean astronaut?"),
    (["targt=noise"], "did you mean target?"),
    (["fit.iteratons=3"], "did you mean fit.iterations?"),
    (["+architecture.dwn=[8]"], "did you mean architecture.down?"),
    (["optimizer.lr=fast"], "optimizer.lr: got 'fast'; input should be a valid number"),
    (["optimizer.lr=-0.1"], "optimizer.lr: got -0.1; input should be greater than 0"),
    (["target.sigma=-1"], "target.sigma: got -1"),
    (["optimizer.lr=.nan"], "optimizer.lr"),
    (["seed=1.5"], "seed: got 1.5"),
    (["seed='1'"], "seed: got '1'"),
    (["image.size=30", "architecture.down=[8,8,8,8]", "architecture.skip=[4,4,4,4]"], "30 x 30 pixels: 4 scales need"),
    (["architecture.skip=[4,4]"], "one width per scale"),
    (["architecture.padding=mirror"], "architecture.padding: got 'mirror'"),
    (["architecture._target_=os.nothing"], "no such class"),
    (["image=file"], "image.path is needed"),
    (["image.size=1024"], "set image.size to 512 or less"),
    (["device=cuda:9"], "device=cpu or auto"),
    (["logger=wandb", "logger.mode=online"], "wandb login"),
    (["target=natural,noise"], "add -m to sweep"),
    (["-m", "target=natural,nois"], "did you mean noisy?"),
    (["-m", "optimizer=lbfgs,adam", "replicas=2"], "replicas=1"),
    (["latent=meshgrid", "latent.channels=3"], "meshgrid has 2 channels"),
    (["--foo"], "unknown flag"),
    (["foo"], "foo"),
]


@pytest.mark.parametrize(
    ("words", "wanted"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_wrong_request_is_refused_before_anything_is_written(
    words: list[str],
    wanted: str,
    dip: Callable[..., int],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert dip(*SMALL, *words) == 2
    told = capfd.readouterr().err
    assert wanted in told
    assert "Traceback" not in told
    assert len(told.splitlines()) <= 3
    assert not list(tmp_path.iterdir())


def test_damaged_pictures_are_refused_at_the_door(
    dip: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in damaged_files(tmp_path):
        assert dip(*SMALL, "image=file", f"image.path={tmp_path / name}") == 2
        assert len(capfd.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("folder", ["{here}/file/results", "/proc/results"])
def test_a_results_folder_that_cannot_be_one_is_refused(
    folder: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*SMALL, f"paths.results={folder.format(here=tmp_path)}"]) == 2
    assert "choose another folder" in capfd.readouterr().err


def test_pixels_with_only_a_latent_to_optimise_are_refused(
    dip: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip("architecture=pixels", "latent.optimise=z", "scale=smoke") == 2
    assert "use latent.optimise=theta" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_experiment_brings_its_grid_and_the_command_line_wins() -> None:
    jobs = compose_jobs(["experiment=fig2", "scale=smoke", "target=noise", "architecture=skip,unet"], multirun=False)
    assert [(job.target.name, job.architecture.name) for job in jobs] == [("noise", "skip"), ("noise", "unet")]
    assert {job.replicas for job in jobs} == {3}


def test_every_option_of_every_group_composes() -> None:
    for group in ("image", "target", "task", "architecture", "optimizer", "regularizer", "latent", "scale", "logger"):
        jobs = compose_jobs([f"{group}={','.join(options(group))}"], multirun=True)
        assert [job[group].name for job in jobs] == options(group)


def test_help_lists_the_groups(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capfd.readouterr().out
    assert "target: natural, noise, noisy, shuffled" in told
    assert "image: astronaut, camera, chelsea, coffee, file, cset9/baboon, cset9/f16" in told
    assert "task/noise: gaussian" in told
    assert "_whole" not in told
