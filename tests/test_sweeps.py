"""A sweep survives what happens to it: every job is fitted once, to the numbers of an undisturbed sweep."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL, Dip
from omegaconf import OmegaConf

from dip_experiments.cli.main import main
from dip_experiments.fitting.module import DIPModule
from dip_experiments.jobs import result_files
from dip_experiments.jobs.job_status import SWEPT, JobResult
from dip_experiments.jobs.result_files import MAX_ATTEMPTS, ResultFiles
from dip_experiments.jobs.sweep_progress import SweepProgress
from dip_experiments.store import Run, read_owner

JOBS = [*SMALL, "fit.iterations=20", "fit.checkpoint_every=10", "-m", "target=natural,noise", "seed=0,1"]
RESULT = ("curves.csv", "measurement.npz", "images")


def sweep(results: str) -> None:
    """One sweep in a process of its own, as the command line has it."""
    sys.exit(main([*JOBS, f"paths.results={results}"]))


def results_of(store: Path) -> dict[str, bytes]:
    """All that a finished run holds but when and how long."""
    files = [path for path in (store / "runs").rglob("*") if path.is_file()]
    return {
        str(path.relative_to(store)): path.read_bytes() for path in files if path.relative_to(store).parts[2] in RESULT
    }


@pytest.fixture
def process() -> Callable[..., multiprocessing.Process]:
    """Processes that begin with the package loaded, and with a PyTorch that has computed nothing yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["dip_experiments.runner.run_job", "dip_experiments.jobs.sweep_progress", "skimage.data"]
    )
    first = context.Process(target=int)  # which waits for the loading
    first.start()
    first.join()
    return lambda results: context.Process(target=sweep, args=(str(results),))


@pytest.mark.slow
@pytest.mark.parametrize("moments", [5, pytest.param(20, marks=pytest.mark.thorough)])
def test_a_sweep_killed_at_many_moments_ends_with_the_numbers_of_an_undisturbed_one(
    tmp_path: Path, process: Callable[..., multiprocessing.Process], moments: int
) -> None:
    undisturbed = process(tmp_path / "undisturbed")
    began = time.monotonic()
    undisturbed.start()
    undisturbed.join()
    assert undisturbed.exitcode == 0
    whole, draw = time.monotonic() - began, np.random.default_rng(0)
    for moment in draw.uniform(0.02, 0.35, moments) * whole:
        killed = process(tmp_path / "killed")
        killed.start()
        time.sleep(moment)
        killed.kill()
        killed.join()
    last = process(tmp_path / "killed")
    last.start()
    last.join()
    assert last.exitcode == 0
    expected = results_of(tmp_path / "undisturbed")
    assert len([name for name in expected if name.endswith("curves.csv")]) == 4
    assert results_of(tmp_path / "killed") == expected
    assert all(Run(path).finished for path in (tmp_path / "killed" / "runs").iterdir())


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_no_other_job_with_it_and_its_own_goes_on(tmp_path: Path) -> None:
    """The launcher gives up when a process of its dies; the sweep starts it again."""
    words = [*SMALL, "fit.iterations=150", "fit.checkpoint_every=10", "-m", "seed=0,1,2,3", "hydra/launcher=pair"]
    asked = [sys.executable, "-m", "dip_experiments.cli.main", *words, f"paths.results={tmp_path / 'killed'}"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=one_thread) as dip:
        while not (owners := [read_owner(path.parent) for path in tmp_path.rglob("checkpoint.pt")]):
            assert dip.poll() is None
            time.sleep(0.05)
        os.kill(owners[0]["pid"], signal.SIGKILL)
        out, err = dip.communicate()
    assert dip.returncode == 0, err
    assert "4 of 4 finished" in out
    assert "finished (resumed)" in out
    assert "the sweep broke off" in err
    asked[-1] = f"paths.results={tmp_path / 'undisturbed'}"
    subprocess.run(asked, check=True, capture_output=True, env=one_thread)
    assert results_of(tmp_path / "killed") == results_of(tmp_path / "undisturbed")


@pytest.mark.slow
def test_sigterm_to_a_sweep_of_several_processes_keeps_every_checkpoint(tmp_path: Path) -> None:
    words = [*SMALL, "fit.iterations=100000", "-m", "seed=0,1,2", "hydra/launcher=pair", f"paths.results={tmp_path}"]
    asked = [sys.executable, "-m", "dip_experiments.cli.main", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True, env=environment) as dip:
        while len(list(tmp_path.rglob("iteration-000100*"))) < 2:
            assert dip.poll() is None
            time.sleep(0.1)
        dip.send_signal(signal.SIGTERM)
        err = dip.communicate()[1]
    assert dip.returncode == 130
    assert "The same command continues" in err
    assert "Traceback" not in err
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 2


def test_a_job_whose_process_died_is_started_again_so_often_and_no_more(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path)
    for attempt in range(MAX_ATTEMPTS):
        assert files.start_job(1, ["seed=1"], retry=attempt > 0)
    assert files.start_job(1, ["seed=1"], retry=True) is None
    (result,) = files.read()
    assert result.status == "failed"
    assert "killed" in str(result.message)


def test_a_job_that_has_a_result_has_nothing_to_do_when_the_launcher_starts_again(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path)
    assert files.start_job(1, ["seed=1"])
    files.write_result(1, JobResult(["seed=1"], "finished"))
    assert files.start_job(2, ["seed=1"])  # twice in one sweep: another job
    assert files.start_job(1, ["seed=1"], retry=True) is None
    assert files.start_job(2, ["seed=1"], retry=True)
    assert [(result.status, result.attempt) for result in files.read()] == [("finished", 1), ("running", 2)]


def test_a_job_that_its_cluster_queues_again_by_itself_starts_again_whatever_it_left(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path)
    for attempt in range(1, MAX_ATTEMPTS + 3):
        started = files.start_job(1, ["seed=1"])
        assert started == JobResult(["seed=1"], "running", attempt=attempt)
        files.write_result(1, JobResult(["seed=1"], "interrupted", attempt=attempt))


def test_results_are_read_as_they_are_now_and_a_final_one_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, read = ResultFiles(tmp_path), list[str]()
    plain = result_files.read_result
    monkeypatch.setattr(result_files, "read_result", lambda path: (read.append(path.stem), plain(path))[1])
    for number in (1, 0):
        files.start_job(number, [f"seed={number}"])
    files.write_result(1, JobResult(["seed=1"], "finished"))
    read.clear()
    assert [result.status for result in files.read()] == ["running", "finished"]
    files.write_result(0, JobResult(["seed=0"], "failed"))
    assert [result.status for result in files.read()] == ["failed", "finished"]
    assert read == ["000000", "000001", "000000"]


def test_one_line_has_the_jobs_done_running_failed_and_left_and_how_long_they_take() -> None:
    results: list[JobResult] = []
    sweep = SweepProgress(lambda: results, 6)
    assert sweep.line() == "sweep: 0 of 6 done, 0 running, 6 left"
    results += [JobResult([f"seed={seed}"]) for seed in range(4)]
    results[0] = JobResult(["seed=0"], "finished", seconds=60.0)
    results[1] = JobResult(["seed=1"], "failed", seconds=1.0)
    # Two run, each half done for all that is known, and two are to come: three fits of a minute, two at a time.
    assert sweep.line() == "sweep: 2 of 6 done (1 FAILED), 2 running, 2 left, about 90 s"


def test_jobs_in_this_process_leave_no_file_but_their_runs_and_no_variable(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[str], list[str]]] = []
    plain = DIPModule.iterate

    def iterate(fit: DIPModule) -> None:
        ours = {name for name in os.environ if name.startswith("DIP_") and name not in ("DIP_DATA", SWEPT)}
        seen.append((ours, [path.name for path in (tmp_path / "tmp").glob("dip*")]))
        plain(fit)

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(DIPModule, "iterate", iterate)
    for words in (["seed=5"], ["-m", "seed=0,1"], ["-m", "target=natural,noise"]):
        assert dip(*SMALL, "fit.iterations=2", *words) == 0
    assert len(seen) == 10
    assert all(found == (set(), []) for found in seen)
    assert SWEPT not in os.environ
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["runs"]


@pytest.mark.thorough
def test_a_sweep_in_this_process_stores_of_hydra_what_hydra_itself_would_have_given_to_its_jobs(
    dip: Dip, tmp_path: Path
) -> None:
    words = [*SMALL, "fit.iterations=2", "-m", "target=natural,noise", "seed=0,1"]
    stored: list[dict[str, Any]] = []
    for further in ([], ["+hydra.job.env_set.ANY=one"]):  # with which Hydra runs the jobs
        assert dip(*words, *further, "force=true") == 0
        runs = [Run(path) for path in (tmp_path / "results" / "runs").iterdir()]
        files = {run.name: OmegaConf.load(run.folder / "hydra" / "hydra.yaml") for run in runs}
        nodes = {name: (node.job.num, node.job.id, node.mode, node.runtime.choices) for name, node in files.items()}
        lines = {run.name: (run.folder / "hydra" / "overrides.yaml").read_text() for run in runs}
        commands = {run.name: run.provenance["sittings"][-1]["command"] for run in runs}
        stored.append({"nodes": nodes, "lines": lines, "commands": commands})
    assert stored[0] == stored[1]
    assert len(stored[0]["nodes"]) == 4
