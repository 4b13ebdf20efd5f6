"""Sweeps whose jobs run elsewhere: submitit on this machine, and shell scripts that stand in for Slurm."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import SMALL, Dip, only_run

from dip_experiments.fitting.module import DIPModule
from dip_experiments.store import Run

IN_SLURM = {
    "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "dip", "SLURM_NTASKS": "1", "SLURM_NNODES": "1", "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "here", "SLURM_JOB_NODELIST": "here",
}  # fmt: skip
"""What Slurm tells a job."""
SBATCH = """#!/bin/bash
cp "$1" "$STAND_IN/script.sh"
[ "$STAND_IN_REFUSES" ] && exit 1
job() { SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$1 bash "$2"; }
for task in 0 1; do
  while job $task "$1"; rm "$STAND_IN/again-$task"; do :; done > /dev/null 2>&1 &
done
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do case $1 in --output|--error) shift 2;; *) shift;; esac; done
exec "$@"
"""
SCONTROL = """#!/bin/bash
[ $1 = requeue ] && touch "$STAND_IN/again-${2#7_}"
"""
SACCT = """#!/bin/bash
printf 'JobID|State|NodeList\\n7_0|RUNNING|here\\n7_1|RUNNING|here\\n'
"""


def needs_submitit() -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra slurm")


def stand_in_for_slurm(folder: Path) -> dict[str, str]:
    """The environment in which its commands are found."""
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL), ("sacct", SACCT)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o700)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STAND_IN": str(folder)}


def asked(folder: Path, *words: str, **environment: str) -> "subprocess.Popen[str]":
    """A sweep over two seeds; its results are in folder/results, said as a relative name."""
    command = [sys.executable, "-c", "import sys; from dip_experiments.cli.main import main; sys.exit(main())"]
    return subprocess.Popen(
        [*command, *SMALL, "-m", "seed=0,1", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(sweep: "subprocess.Popen[str]") -> str:
    """What it says at its end."""
    said, complaints = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, complaints
    return said


def being_fitted(results: Path) -> list[int]:
    """Processes whose fits have a checkpoint."""
    found = []
    for owner in results.glob("runs/*/owner.json"):
        with suppress(OSError, ValueError):  # finished meanwhile
            found += [json.loads(owner.read_text())["pid"]] if (owner.parent / "checkpoint.pt").exists() else []
    return found


@pytest.mark.slow
def test_jobs_that_submitit_carries_out_tell_what_became_of_them(tmp_path: Path) -> None:
    needs_submitit()
    assert "2 of 2 finished" in told(asked(tmp_path, "hydra/launcher=submitit_local"))
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
def test_slurms_warning_puts_a_fit_back_into_the_queue_where_it_goes_on(tmp_path: Path) -> None:
    needs_submitit()
    words = ["hydra/launcher=slurm", "fit.iterations=400", "fit.checkpoint_every=20"]
    sweep = asked(tmp_path, *words, **IN_SLURM, **stand_in_for_slurm(tmp_path / "stand-in"))
    while not (fitting := being_fitted(tmp_path / "results")):
        assert sweep.poll() is None
        time.sleep(0.05)
    os.kill(fitting[0], signal.SIGUSR2)
    said = told(sweep)
    assert "2 of 2 finished" in said
    assert said.count("finished (resumed)") == 1
    runs = [Run(path) for path in (tmp_path / "results" / "runs").iterdir()]
    assert sorted(len(run.provenance["sittings"]) for run in runs) == [1, 2]


def test_in_a_job_of_slurms_nothing_queues_the_fit_again_and_sigterm_saves_it(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in IN_SLURM.items():
        monkeypatch.setenv(name, value)
    plain, heard = DIPModule.iterate, []

    def iterate(fit: DIPModule) -> None:
        if int(fit.row) == 15:
            heard.append(signal.getsignal(signal.SIGUSR1))
            os.kill(os.getpid(), signal.SIGTERM)
        plain(fit)

    with monkeypatch.context() as patched:
        patched.setattr(DIPModule, "iterate", iterate)
        assert dip(*SMALL) == 130
    assert heard == [signal.SIG_DFL]
    assert "The same command continues from the last checkpoint." in capfd.readouterr().err
    assert only_run(tmp_path).checkpoint.exists()
    assert dip(*SMALL) == 0
    assert "finished (resumed)" in capfd.readouterr().out
