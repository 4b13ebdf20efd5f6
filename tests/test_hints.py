"""A request in the names of other tools is refused at once, with the name that is right here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Dip
from ranges import RANGES, ranges

from dip_experiments.cli.main import main
from dip_experiments.config.comments import known_settings
from dip_experiments.config.groups import group_names, options
from dip_experiments.config.hints import KEYS, OPTIONS
from dip_experiments.config.ranges import check_ranges

HINTS = [
    ("lr=0.01", "lr: unknown key; use optimizer.lr"),
    ("learning_rate=0.01", "use optimizer.lr"),
    ("optimizer.learning_rate=0.01", "use optimizer.lr"),
    ("arch=unet", "arch: unknown key; use architecture"),
    ("max_epochs=10", "max_epochs: unknown key; use fit.iterations"),
    ("sigma=25", "use task.noise.sigma=25 with task=denoising; of a noisy picture of your own stopping.law.sigma=25"),
    ("mask=mask.png", "mask: unknown key; use task.mask=mask.png with task=inpainting"),
    ("photo.png", "that is a picture: dip restore photo.png"),
    ("scale = smoke", "no spaces around its =: dip scale=smoke"),
    ("fig2 scale=demo", "that is an experiment: dip -m experiment=fig2 scale=demo"),
    ("denoise photo.png", "a noisy picture is restored by dip restore photo.png"),
    ("logger=false", "logger=false: no such option (did you mean logger=none?)"),
    ("device=mps", "a Mac fits on its CPU: device=cpu"),
    ("device=gpu", "an NVIDIA GPU is device=cuda"),
    ("device=tpu", "there are auto, cpu, cuda and cuda:1"),
    ("seed=range(0,3)", "add -m to sweep over them: dip -m seed=range(0,3)"),
    ("loss=mae", "(did you mean loss=l1?)"),
    ("scale=", "scale=: a name is missing after =; choose from demo, laptop, paper, smoke"),
    ("image=photo.png", "a picture of your own is given by image.path=photo.png"),
    ("image.path=https://example.org/photo.png", "addresses are not read; download the picture"),
    ("optimizer.lr=fast", "optimizer.lr: got 'fast'; a number is wanted, such as 0.01"),
    ("-m optimizer.lr=0.01,fast", "optimizer.lr: got 'fast'"),
    ("optimizer.lr=-1", "optimizer.lr: got -1; input should be greater than 0"),
    ("-m optimizer.lr=0.01,0", "optimizer.lr: got 0; input should be greater than 0"),
    ("task=denoising task.noise.sigma=300", "task.noise.sigma: got 300; input should be less than or equal to 255"),
    ("fit.iterations=0", "fit.iterations: got 0"),
    ("seed=-1", "seed: got -1"),
    ("-m seed=1,-1", "seed: got -1"),
    ("replicas=many", "replicas: got 'many'"),
]


@pytest.mark.parametrize(("request_", "hint"), HINTS)
def test_the_right_name_is_given_in_a_line(
    request_: str, hint: str, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(request_.split()) == 2
    out, err = capfd.readouterr()
    assert hint in err
    assert (out, err.count("\n")) == ("", 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_values_are_checked_before_pytorch_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys; from dip_experiments.cli.main import main\n"
        f"for request in {[request for request, _ in HINTS]!r}:\n"
        "    assert main(request.split()) == 2, request\n"
        "    assert 'torch' not in sys.modules, request\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_ranges_are_those_of_the_classes_of_the_parts() -> None:
    """If they have moved: PYTHONPATH=tests python tests/ranges.py."""
    assert json.loads(RANGES.read_text()) == ranges()
    assert len(ranges()) > 30


def test_a_part_of_ones_own_has_ranges_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"optimizer\.lr: got -1"):
        check_ranges(["optimizer.lr=-1"])
    check_ranges(["optimizer.lr=1", "optimizer.lr=x", "fit.iterations=-1"])
    check_ranges(["++optimizer._target_=mine.Ascent", "optimizer.lr=-1"])
    check_ranges(["--config-dir=conf", "optimizer=mine", "optimizer.lr=-1"])


def test_hints_lead_to_settings_that_exist_and_shadow_none() -> None:
    keys = {*group_names(), *(setting.key for setting in known_settings())}
    for right, others in KEYS.items():
        assert right.split()[0].split("=")[0].rstrip(",") in keys | {"task/noise", "task.mask", "image.path"}
        assert not keys & {*others}
    for group, named in OPTIONS.items():
        assert set(named) <= {*options(group)}
        assert not {*options(group)} & {other for others in named.values() for other in others}


def test_an_experiment_in_a_folder_of_ones_own_is_found_by_the_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nexperiment: {name: mine}\n")
    assert main(["experiment=mine", "scale=smoke"]) == 2
    assert "there is one in conf: add --config-dir=conf" in capfd.readouterr().err
    assert main(["--config-dir=conf", "experiment=mine", "--cfg=job"]) == 0


def test_slurm_is_refused_where_there_is_none(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the Slurm launcher is not installed")
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert dip("-m", "seed=1,2", "scale=smoke", "hydra/launcher=slurm", "logger=none") == 2
    assert "this machine has no srun" in capfd.readouterr().err
    assert not (tmp_path / "results").exists()
