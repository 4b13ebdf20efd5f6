"""A wrong request ends with code 2 and at most three plain lines before anything is written."""

import itertools
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import SMALL, every_third_first, thorough_after
from hydra import compose, initialize_config_dir
from test_images import damaged_files

from dip_experiments.cli import launch
from dip_experiments.cli.main import main
from dip_experiments.config.compose import compose_jobs, read_requests
from dip_experiments.config.groups import conf_folder, options
from dip_experiments.runner import finished_run

WRONG = [
    (["target=nois"], "no such option (did you mean noisy?)"),
    (["image=cset9/f61"], "image=cset9/f61: no such option (did you mean cset9/f16?)"),
    (["image=cset9"], "image=cset9: no such option (did you mean cset9/"),
    (["image.name=astronat"], "image=astronat: there is no such picture; did you mean astronaut?"),
    (["targt=noise"], "did you mean target?"),
    (["fit.iteratons=3"], "did you mean fit.iterations?"),
    (["+architecture.dwn=[8]"], "did you mean architecture.down?"),
    (["optimizer.lr=fast"], "optimizer.lr: got 'fast'; a number is wanted, such as 0.01"),
    (["optimizer.lr=-0.1"], "optimizer.lr: got -0.1; input should be greater than 0"),
    (["target.sigma=-1"], "target.sigma: got -1"),
    (["optimizer.lr=.nan"], "optimizer.lr"),
    (["seed=1.5"], "seed: got 1.5"),
    (["seed='1'"], "seed: got '1'"),
    (["seed=99999999999999999999"], "seed: got 99999999999999999999; input should be less than"),
    (
        ["seed=9223372036854775807", "replicas=2"],
        "seed=9223372036854775807: replica r has seed + r, which must be below 2^63",
    ),
    (["seed=-1"], "seed: got -1; input should be greater than or equal to 0"),
    (
        ["image.size=30", "architecture.kernel_down=31"],
        "30 x 30 pixels: a network of one scale needs at least 32 a side",
    ),
    (["architecture.skip=[4,4]"], "one width per scale"),
    (["architecture.padding=mirror"], "architecture.padding: got 'mirror'"),
    (["architecture._target_=os.nothing"], "cannot be imported"),
    (["image=file"], "image.path is needed"),
    (["image.size=1024"], "set image.size to 512 or less"),
    (["device=cuda:9"], "device=cpu or auto"),
    (["logger=wandb", "logger.mode=online"], "wandb login"),
    (["target=natural,noise"], "add -m to sweep"),
    (["-m", "target=natural,nois"], "did you mean noisy?"),
    (["optimizer=lbfgs", "replicas=2"], "replicas=1"),
    (["latent=meshgrid", "latent.channels=3"], "meshgrid has 2 channels"),
    (["--foo"], "unknown flag"),
    (["foo"], "settings are given as key=value"),
    (["experiment=fig44"], "experiment=fig44: no such experiment (did you mean fig4?)"),
    (["-m", "experiment=fig2,fig88"], "experiment=fig88: no such experiment"),
    (["change=sgdd"], "change=sgdd: no such change (did you mean sgd?)"),
    (["fit.weight_noise=0.02", "latent.optimise=z"], "fit.weight_noise=0.02: with architecture=pixels there are no"),
    (["optimizer=sgld", "latent.optimise=z"], "optimizer=sgld: it adds noise to the weights of convolutions; with"),
    (["optimizer=sgld", "latent.optimise=z_and_norms"], "optimizer=sgld: it adds noise to the weights of convolutions"),
    (["architecture.norm=none", "latent.optimise=z_and_norms"], "have no parameters; use latent.optimise=z"),
    (["loss=distributional", "task=jpeg"], "loss=distributional with task=jpeg: its noise cannot be estimated"),
    (["loss=distributional", "loss.sigma=0"], "loss.sigma: got 0; input should be greater than 0"),
    (["loss=distributional", "loss.sigma=25", "task=inpainting"], "it needs a measurement without holes"),
    (["latent=fourier_features", "latent.channels=7"], "latent.channels: got 7; input should be a multiple of 2"),
    (["experiment.name=../../x"], "letters, digits, _ and - make a name"),
    (["image=coffee", "image.path=x.png"], "leave one of them out"),
    (["-m", "image=coffee,file", "image.path=x.png"], "leave one of them out"),
    (["image=file", "image.path=null"], "image.path is needed"),
    (["image.path="], "a name is missing"),
    (["image.path=nowhere [1].png"], "image.path=nowhere [1].png: no such file"),
    (["~target"], "choose another value: target=..."),
    (["+target=noise"], "target=..."),
    (["hydra/launcher=slum"], "there are basic, joblib, pair"),
    (["hydra/launcher=ray_node"], "Ray: pip install hydra-ray-launcher, then hydra/launcher=ray_nodes"),
    (["hydra.mode=fast"], "expected one of [RUN, MULTIRUN]"),
    (["optimizer.lr=${nowhere.lr}"], "optimizer.lr: Interpolation key 'nowhere.lr' not found"),
    (["-m", "optimizer.lr=interval(0,1)"], "another hydra/sweeper"),
    (["optimizer.lr=[1"], "optimizer.lr=[1: cannot be read"),
    (["-c"], "give what is to be shown"),
    (["--resolve"], "belongs to --cfg"),
    (["-m", "seed=0,1", "output=a.png"], "put {image}, the picture's name, into it"),
    (["-m", "seed=0,1", "output={image}.png"], "two runs would write astronaut.png"),
]


@pytest.mark.parametrize(
    ("words", "wanted"), every_third_first(WRONG), ids=lambda value: " ".join(value) if isinstance(value, list) else ""
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


@pytest.mark.slow
def test_damaged_pictures_are_refused_at_the_door(
    dip: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in damaged_files(tmp_path):
        assert dip(*SMALL, "target=natural", f"image.path={tmp_path / name}") == 2
        assert len(capfd.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("folder", ["{here}/file/results", "/proc/results"])
def test_a_results_folder_that_cannot_be_one_is_refused(
    folder: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*SMALL, f"paths.results={folder.format(here=tmp_path)}"]) == 2
    assert "choose another folder" in capfd.readouterr().err


@pytest.mark.parametrize("network", ["pixels", "siren"])
@pytest.mark.parametrize("optimise", ["z", "z_and_norms"])
def test_a_network_that_looks_at_no_latent_is_refused_with_only_that_to_optimise(
    network: str, optimise: str, dip: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(f"architecture={network}", f"latent.optimise={optimise}", "scale=smoke") == 2
    assert "that looks at no latent; use latent.optimise=theta" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_experiment_brings_its_grid_and_the_command_line_wins() -> None:
    jobs = compose_jobs(["experiment=fig2", "scale=smoke", "target=noise", "architecture=skip,unet"], multirun=False)
    assert [(job.target.name, job.architecture.name) for job in jobs] == [("noise", "skip"), ("noise", "unet")]
    assert {job.replicas for job in jobs} == {3}


@pytest.mark.slow
def test_every_option_of_every_group_composes() -> None:
    for group in ("image", "target", "task", "architecture", "optimizer", "regularizer", "latent", "scale", "logger"):
        names = [name for name in options(group) if name.startswith("set5") or not ("/" in name or name == "custom")]
        jobs = compose_jobs([f"{group}={','.join(names)}"], multirun=True)
        assert [job[group].name for job in jobs] == names


def test_without_overrides_nothing_is_fitted_and_a_trial_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == main(["-m"]) == main(["resume"]) == 0
    assert "dip scale=smoke" in capfd.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_version_is_ours_and_flags_may_stand_last(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"dip_experiments {version('dip_experiments')}\n"
    assert main(["target=noise", "image.path=photo (1).png", "--cfg", "job", "--resolve"]) == 0
    told = capfd.readouterr().out
    assert "path: photo (1).png" in told
    assert "iterations: 1000" in told


def test_each_experiment_of_a_sweep_brings_its_own_grid() -> None:
    requests = read_requests(["experiment=fig6,fig7_text,fig5", "scale=smoke,laptop", "hydra/launcher=basic"], True)
    assert [len(request.jobs) for request in requests] == [6, 2, 4]
    assert [job.experiment.name for request in requests for job in request.jobs[:1]] == ["fig6", "fig7_text", "fig5"]
    assert {job.optimizer.lr for job in requests[0].jobs} == {0.1, 0.01, 0.001}
    assert all(request.in_process for request in requests)


def test_a_sweep_is_what_hydra_makes_of_it() -> None:
    jobs = compose_jobs(["seed=range(0,6,2)", "target=choice(noise,natural)", "+fit.x=1", "seed=3,4"], multirun=True)
    assert [(job.target.name, job.seed) for job in jobs] == [("noise", 3), ("natural", 3), ("noise", 4), ("natural", 4)]


GRIDS = [
    {"task.noise": "{name:gaussian,sigma:9,clip:true},{name:gaussian,sigma:9,clip:false}", "task.noise.sigma": "1,2"},
    {"image": "cset9/f16,set5/baby", "image.size": "64,null", "output": "${image.name}.png,null"},
    {"image": "camera,file", "image.path": "a.png"},
    {"~fit.keep": "", "fit.iterations": "${experiment.fixed.laptop},7"},
    {"seed": "3,4", "target": "noise,natural", "experiment.noise": "poisson,clipped25", "fit.keep": "[1],[2,3]"},
    {"task.quality": "30,null", "task": "jpeg", "+fit.x": "1,2", "output": "'a.png',${image.name}"},
    {"image": "cset9/f16,set5/baby,camera", "image.multiple": "2,8"},
    {"image": "camera,coffee", "image.size": "64,null"},
    {"image": "camera,coffee", "experiment.draw": "0,1", "experiment.kind": "plain,split"},
]


@pytest.mark.parametrize("sweep", thorough_after(4, GRIDS))
def test_each_job_of_a_grid_is_the_one_that_its_overrides_make_alone(sweep: dict[str, str]) -> None:
    grid = ["image=astronaut", "experiment.noise=gaussian25", "experiment.draw=0", "experiment.kind=plain"]
    others = ["experiment=study_stopping", *grid, "hydra/launcher=basic"]
    words = [f"{key}={value}" if value else key for key, value in sweep.items()]
    (request,) = read_requests([*others, *words], multirun=True)
    values = [re.split(r",(?![^\[{]*[\]}])", value) for value in sweep.values()]
    assert len(request.jobs) == math.prod(map(len, values))
    combinations = list(itertools.product(*values))
    for chosen in random.Random(0).sample(combinations, min(4, len(combinations))):
        alone = [f"{key}={value}" if value else key for key, value in zip(sweep, chosen, strict=True)]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
            assert request.jobs.count(compose("config", overrides=[*others, *alone])) == 1


@pytest.mark.parametrize(
    ("words", "batch"),
    [
        (["hydra/launcher=basic"], 1),
        (["hydra/launcher=pair"], 16),
        (["hydra/launcher=pair", "hydra.launcher.n_jobs=-1"], None),
        (["hydra/launcher=basic", "hydra.sweeper.max_batch_size=100"], None),
    ],
)
def test_hydra_composes_few_jobs_before_the_first_begins_unless_told_otherwise(
    words: list[str], batch: int | None
) -> None:
    (request,) = read_requests(["seed=range(40)", *words], multirun=True)
    assert (len(request.jobs), request.batch) == (40, batch)


def test_of_another_sweepers_jobs_one_that_it_might_ask_for_is_checked() -> None:
    words = ["optimizer.lr=interval(0,1)", "replicas=int(interval(1,4))", "target=choice(noise,natural)", "seed=3"]
    (request,) = read_requests([*words, "hydra.sweeper._target_=others.Sweeper"], True)
    assert not request.complete
    (job,) = request.jobs
    assert (job.optimizer.lr, job.replicas, job.target.name, job.seed) == (0.5, 2, "noise", 3)


def test_ctrl_c_before_a_fit_ends_with_130_and_one_line(
    dip: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(finished_run, "skip_finished", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert dip(*SMALL) == 130
    assert capfd.readouterr().err.splitlines() == ["Interrupted. The same command continues from the last checkpoint."]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not list(tmp_path.iterdir())


def test_a_launcher_that_breaks_off_is_no_traceback(
    dip: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def breaks_off(*_: object) -> None:
        raise RuntimeError("a worker was killed")

    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(launch, "launch", breaks_off)
    assert dip("-m", *SMALL, "seed=0,1", "hydra/launcher=submitit_local") == 1
    assert capfd.readouterr().err.splitlines() == [
        "the sweep broke off: a worker was killed",
        "2 of 2 jobs did not start",
    ]


def test_a_wrong_job_of_a_sweep_does_not_stop_the_others(
    dip: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SMALL, "fit.iterations=2", "-m", "image.size=1024,32") == 2
    told = capfd.readouterr()
    assert "set image.size to 512 or less" in told.err
    assert "1 of 2 finished" in told.out


@pytest.mark.slow
def test_ctrl_c_in_a_parallel_sweep_keeps_every_checkpoint(tmp_path: Path) -> None:
    words = [*SMALL[1:-2], "scale=smoke", "-m", "seed=0,1,2", "hydra/launcher=pair", "fit.iterations=1000000"]
    dip = subprocess.Popen(
        [sys.executable, "-c", "import sys; from dip_experiments.cli.main import main; sys.exit(main())", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while len(list(tmp_path.rglob("iteration-000100*"))) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(dip.pid, signal.SIGINT)
    told = dip.communicate(timeout=60)[1]
    assert dip.returncode == 130
    assert "Traceback" not in told
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 2
