"""A folder of one's own is searched too: experiments, options and networks in it are fitted, found again, explained."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMALL, Dip, only_run

from dip_experiments.cli.copy_experiment import find_script, renamed_experiment, renamed_script
from dip_experiments.cli.main import main
from dip_experiments.config.compose import compose_jobs, read_requests
from dip_experiments.config.groups import conf_folder, group_names, options, search_in
from dip_experiments.config.overrides import split_config_dirs, to_hydra_overrides
from dip_experiments.config.settings import read_settings
from dip_experiments.runner.select_runs import select

EXPERIMENT = """\
# @package _global_
# Mine: one target.
experiment:
  name: mine
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      target: natural,mine
      seed: 0,1
"""
ONE = [*SMALL, "target=natural", "seed=0"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an experiment and options of several groups, next to the Python of its network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(tmp_path)])
    files = {
        "experiment/mine": EXPERIMENT,
        "target/mine": "# A weaker noise.\nname: noisy\nsigma: 5.0\nclip: true\n",
        "task/noise/faint": "# Faint noise.\nname: gaussian\nsigma: 1.0  # levels\nclip: true\n",
        "image/lab/cat": "# @package image\n# A cat.\nname: camera\npath: null\nsize: 32\nfit: crop\nmultiple: 1\n",
        "architecture/tiny": "# Tiny.\nname: tiny\n_target_: tiny_network.Tiny\n",
    }
    for name, text in files.items():
        path = tmp_path / "it's my conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tiny_network.py").write_text(
        "from dip_experiments.architectures import Pixels\nclass Tiny(Pixels):\n    pass\n"
    )
    return tmp_path / "it's my conf"


@pytest.mark.parametrize(
    "flag", ["--config-dir={}", "-cd={}", 'hydra.searchpath=["{}"]', '+hydra.searchpath=["file://{}"]']
)
def test_every_way_to_name_the_folder_composes_the_same(flag: str, folder: Path) -> None:
    argv = [flag.format(folder), "experiment=mine", "image=lab/cat,camera", "architecture=tiny", "seed=0"]
    jobs = compose_jobs(to_hydra_overrides(argv, multirun=True), multirun=True)
    assert [(job.target.name, job.target.get("sigma"), job.image.name) for job in jobs] == [
        ("natural", None, "camera"), ("natural", None, "camera"), ("noisy", 5.0, "camera"), ("noisy", 5.0, "camera"),
    ]  # fmt: skip
    assert [job.image.size for job in jobs[:2]] == [32, 128]
    assert {job.architecture["_target_"] for job in jobs} == {"tiny_network.Tiny"}


def test_hydra_is_told_of_the_folder_in_the_overrides_of_a_request(folder: Path) -> None:
    with search_in([folder]):
        (request,) = read_requests(["target=mine"], multirun=False)
    assert request.overrides == [
        f"hydra.searchpath=['file://{str(folder).replace(chr(39), chr(92) + chr(39))}']",
        "target=mine",
    ]
    assert request.hydra  # the folder alone does not make Hydra compose the job again


def test_the_folder_is_searched_in_its_context_alone(folder: Path) -> None:
    with search_in([folder]):
        assert "mine" in options("experiment")
        assert "lab/cat" in options("image")
        assert "image/lab" not in group_names()
    assert "mine" not in options("experiment")


def test_own_options_are_in_help_explanations_and_errors(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--config-dir", str(folder), "--help"]) == 0
    assert re.search(r"^  target +mine, natural, noise", capfd.readouterr().out, re.MULTILINE)
    assert main(["-cd", folder.name, "explain", "task.noise.sigma", "experiment=mine"]) == 0
    told = capfd.readouterr().out
    assert re.search(r"^  task/noise=faint +1\.0 +levels$", told, re.MULTILINE)
    assert "  Mine: one target.\n" in told
    assert "runs  4\n" in told
    assert main(["-cd", folder.name, "experiment=mne"]) == 2
    assert capfd.readouterr().err == "experiment=mne: no such experiment (did you mean mine?)\n"
    assert main(["-cd", folder.name, "task=denoising", "task/noise=faintt"]) == 2
    assert "did you mean faint?" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["--config-dir", "nowhere", "scale=smoke"], "--config-dir nowhere: no such folder"),
        (["--config-dir"], "--config-dir: no such folder"),
        (["hydra.searchpath=conf", "scale=smoke"], "hydra.searchpath=conf: give a list of folders"),
        (["hydra.searchpath=[pkg://nobody.conf]", "scale=smoke"], "pkg://nobody.conf: no such package"),
    ],
)
def test_a_folder_that_is_none_is_refused(
    argv: list[str], wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    assert wanted in capfd.readouterr().err


def test_a_file_that_ours_would_hide_is_refused(folder: Path) -> None:
    (folder / "experiment" / "fig2.yaml").write_text(EXPERIMENT)
    with pytest.raises(ValueError, match=r"experiment/fig2.yaml of its own, which hides yours"):
        split_config_dirs(["--config-dir", str(folder)])
    assert split_config_dirs(["--config-dir", str(conf_folder()), "a=b"]) == ([], ["a=b"])


def test_a_folder_inside_a_package_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.parent / "mine_conf")
    monkeypatch.syspath_prepend(str(folder.parent))
    assert split_config_dirs(["hydra.searchpath=[pkg://mine_conf]"]) == ([folder.parent / "mine_conf"], [])


def test_an_own_experiment_with_an_own_network_is_fitted_and_selected_again(
    folder: Path, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [one for one in ONE if not one.startswith("architecture.")] + ["architecture=tiny"]
    assert dip("--config-dir", folder.name, "-m", "experiment=mine", *words) == 0
    run = only_run(tmp_path)
    assert run.settings["architecture"] == {"name": "tiny", "_target_": "tiny_network.Tiny"}
    flag = f"--config-dir={folder.name}"
    for given in ([*words, flag], [*words, f'hydra.searchpath=["{folder}"]']):
        assert select("mine", "smoke", tmp_path / "results", given[1:]).complete_runs[0].name == run.name
    capfd.readouterr()
    assert dip("compare", "mine", *words, "seed=0,1", "-cd", folder.name) == 0
    told = capfd.readouterr().out
    assert "1 of 2 runs of mine at scale smoke are not there; make them: dip -m experiment=mine " in told
    assert shlex.quote(flag) in told
    assert dip("-cd", folder.name, "keep", "mine", *words) == 0
    assert (tmp_path / "results" / "smoke" / "records" / run.name / "summary.json").exists()


@pytest.mark.slow
def test_a_network_in_the_current_folder_is_found_by_the_installed_command(folder: Path) -> None:
    """A console script has its own folder on the path, and not the current one."""
    command = "import sys; sys.path.remove(''); from dip_experiments.cli.main import main; sys.exit(main())"
    asked = [
        sys.executable,
        "-c",
        command,
        "-cd",
        str(folder),
        "architecture=tiny",
        "-m",
        "seed=0,1",
        "hydra/launcher=pair",
    ]
    small = [one for one in SMALL if not one.startswith("architecture.")]
    done = subprocess.run([*asked, *small], cwd=folder.parent, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 finished" in done.stdout


@pytest.mark.slow
def test_a_copy_is_fitted_and_drawn_under_its_own_name(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["copy", "fig2", "mine"]) == 0
    told = capfd.readouterr().out.splitlines()
    assert told[:2] == ["wrote conf/experiment/mine.yaml", "wrote mine.py"]
    assert told[3:] == [
        "  dip --config-dir=conf -m experiment=mine scale=smoke",
        "  python mine.py --config-dir=conf --scale smoke",
    ]
    own = Path("conf/experiment/mine.yaml")
    own.write_text(own.read_text().replace("replicas: ${scale.replicas}", "replicas: 1"))
    small = [*SMALL, "fit.iterations=12", "architecture=skip,pixels"]
    small = [one for one in small if not one.startswith("architecture.")]
    assert main(["--config-dir=conf", "-m", "experiment=mine", "hydra/launcher=basic", *small]) == 0
    monkeypatch.setattr(sys, "argv", ["mine.py", "--config-dir=conf", "--scale", "smoke", *small[1:]])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path("mine.py", run_name="__main__")
    assert ended.value.code == 0
    pages = {path.name.partition("-")[0] for path in Path("results/reproduced/smoke/figures").iterdir()}
    assert {name.partition(".")[0] for name in pages} == {"mine"}


@pytest.mark.thorough
def test_a_copy_composes_to_what_it_is_of_but_for_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("fig5", "ablation_size", "restore_noisy"):
        assert main(["copy", name, f"my_{name}", "lab"]) == 0
        flag = f"--config-dir={tmp_path / 'lab' / 'conf'}"
        theirs, ours = (
            compose_jobs(to_hydra_overrides(given, True), True)
            for given in (
                [f"experiment={name}", "image.path=a.png"],
                [f"experiment=my_{name}", "image.path=a.png", flag],
            )
        )
        for job in theirs:
            assert job.experiment.name == name
            job.experiment.name = f"my_{name}"
        assert ours == theirs


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["fig2"], "give an experiment and a new name"),
        (["fgi2", "mine"], "copy fgi2: no such experiment (did you mean fig2?)"),
        (["fig2", "fig3"], "there is an experiment of that name"),
        (["fig2", "../x"], "a name has letters"),
        (["fig2", "taken"], "conf/experiment/taken.yaml exists; nothing is overwritten"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_and_nothing_is_written(
    argv: list[str], wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    taken = tmp_path / "conf" / "experiment" / "taken.yaml"
    taken.parent.mkdir(parents=True)
    taken.write_text("mine: 1\n")
    assert main(["copy", *argv]) == 2
    assert wanted in capfd.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [taken]
    assert taken.read_text() == "mine: 1\n"


@pytest.mark.parametrize("experiment", options("experiment"))
def test_the_name_of_every_experiment_is_changed_in_its_copy(experiment: str) -> None:
    text = (conf_folder() / "experiment" / f"{experiment}.yaml").read_text()
    copied = renamed_experiment(text, experiment, "mine")
    assert len(re.findall(r"^  name: mine$", copied, re.MULTILINE)) == 1
    assert not re.search(rf"^  name: {experiment}$", copied, re.MULTILINE)
    if script := find_script(experiment):
        drawn = renamed_script(script.read_text(), experiment, "mine")
        compile(drawn, "mine.py", "exec")
        assert '["mine"' in drawn
        assert not re.search(r'"(figures|tables)/(?!mine)', drawn)


@pytest.mark.parametrize(
    ("experiment", "name"),
    [("fig2", "fig2"), ("fig7_missing", "fig7"), ("fig4_stand_in", None), ("fig88", None), ("restore_noisy", None)],
)
def test_the_script_is_the_one_of_the_experiments_name_that_runs_alone(experiment: str, name: str | None) -> None:
    found = find_script(experiment)
    assert (found.stem.removeprefix("figure_") if found else None) == name


def test_a_script_that_shows_settings_of_the_experiments_name_is_left_alone() -> None:
    text = 'run.settings["precision"]\nrun_script({"tables/a": d, "tables/b": e}, s, ["precision"], ["x"])\n'
    copied = 'run.settings["precision"]\nrun_script({"tables/mine_a": d, "tables/mine_b": e}, s, ["mine"], ["x"])\n'
    assert renamed_script(text, "precision", "mine") == copied


def test_settings_of_a_copied_option_are_checked_as_ours(folder: Path) -> None:
    (job,) = compose_jobs(to_hydra_overrides([f"--config-dir={folder}", "target=mine"], False), False)
    assert read_settings(job).target.name == "noisy"
