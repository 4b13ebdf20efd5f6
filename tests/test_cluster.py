"""Sweeps whose jobs run elsewhere: submitit on this machine, and shell scripts that stand in for Slurm."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMALL, Dip, only_run

from dip_experiments.fitting.fit import Fit
from dip_experiments.store import Run

IN_SLURM = {
    "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "dip", "SLURM_NTASKS": "1", "SLURM_NNODES": "1", "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "here", "SLURM_JOB_NODELIST": "here",
}  # fmt: skip
"""What Slurm tells a job."""
SBATCH = """#!/bin/bash
cp "$1" "$STAND_IN/script.sh"
[ "$STAND_IN_REFUSES" ] && exit 1
for task in 0 1; do SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task bash "$1" > /dev/null 2>&1 & done
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do case $1 in --output|--error) shift 2;; *) shift;; esac; done
exec "$@"
"""
SACCT = """#!/bin/bash
printf 'JobID|State|NodeList\\n7_0|RUNNING|here\\n7_1|RUNNING|here\\n'
"""


def needs_submitit() -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra slurm")


def stand_in_for_slurm(folder: Path) -> dict[str, str]:
    """The environment in which its commands are found."""
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o700)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STAND_IN": str(folder)}


def sweep(folder: Path, *words: str, **environment: str) -> str:
    """What a sweep over two seeds tells on the terminal; its results are in folder/results, said as a relative name."""
    command = [sys.executable, "-c", "import sys; from dip_experiments.command import main; sys.exit(main())"]
    done = subprocess.run(
        [*command, *SMALL, "-m", "seed=0,1", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_jobs_that_submitit_carries_out_tell_what_became_of_them(tmp_path: Path) -> None:
    needs_submitit()
    told = sweep(tmp_path, "hydra/launcher=submitit_local")
    assert "2 of 2 finished" in told
    runs = [Run(path) for path in (tmp_path / "results" / "runs").iterdir()]
    assert sorted(run.settings["seed"] for run in runs) == [0, 1]
    assert all(run.finished for run in runs)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["runs"]
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_slurm_is_asked_for_an_array_of_fits_on_one_gpu_each(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    needs_submitit()
    for name, value in stand_in_for_slurm(tmp_path / "stand-in").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STAND_IN_REFUSES", "yes")
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    assert dip(*SMALL, "-m", "seed=0,1,2", "hydra/launcher=slurm", "hydra.launcher.partition=gpus") == 1
    assert "the sweep broke off" in capfd.readouterr().err
    asked = set((tmp_path / "stand-in" / "script.sh").read_text().splitlines())
    wanted = {"array=0-2%3", "gpus-per-node=1", "nodes=1", "ntasks-per-node=1", "partition=gpus", "time=240"}
    assert {f"#SBATCH --{word}" for word in wanted} < asked
    assert any(line.startswith("#SBATCH --signal=USR2@120") for line in asked)


@pytest.mark.slow
def test_a_sweep_through_the_commands_of_slurm_finishes(tmp_path: Path) -> None:
    needs_submitit()
    told = sweep(tmp_path, "hydra/launcher=slurm", **IN_SLURM, **stand_in_for_slurm(tmp_path / "stand-in"))
    assert "2 of 2 finished" in told
    assert len(list((tmp_path / "results" / "runs").glob("*/summary.json"))) == 2


def test_in_a_job_of_slurms_nothing_queues_the_fit_again_and_sigterm_saves_it(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in IN_SLURM.items():
        monkeypatch.setenv(name, value)
    plain, heard = Fit.iterate, []

    def iterate(fit: Fit) -> None:
        if int(fit.row) == 15:
            heard.append(signal.getsignal(signal.SIGUSR1))
            os.kill(os.getpid(), signal.SIGTERM)
        plain(fit)

    with monkeypatch.context() as patched:
        patched.setattr(Fit, "iterate", iterate)
        assert dip(*SMALL) == 130
    assert heard == [signal.SIG_DFL]
    assert "Ask again with the same words to continue where it stopped." in capfd.readouterr().err
    assert only_run(tmp_path).checkpoint.exists()
    assert dip(*SMALL) == 0
    assert "finished (continued)" in capfd.readouterr().out
