"""A sweep survives what happens to it: every job is fitted once, to the numbers of an undisturbed sweep."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL

from dip_experiments.cli.main import main
from dip_experiments.jobs.job_results import begin_outcome, place_of, tell
from dip_experiments.jobs.job_status import AGAIN, ATTEMPTS, Outcome, read_outcomes
from dip_experiments.jobs.sweep_progress import Sweep
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
def test_a_sweep_killed_at_twenty_moments_ends_with_the_numbers_of_an_undisturbed_one(
    tmp_path: Path, process: Callable[..., multiprocessing.Process]
) -> None:
    undisturbed = process(tmp_path / "undisturbed")
    began = time.monotonic()
    undisturbed.start()
    undisturbed.join()
    assert undisturbed.exitcode == 0
    whole, draw = time.monotonic() - began, np.random.default_rng(0)
    for moment in draw.uniform(0.02, 0.35, 20) * whole:
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
    assert "continued" in out
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
    assert "Ask again with the same words" in err
    assert "Traceback" not in err
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 2


def test_a_job_whose_process_died_is_begun_again_so_often_and_no_more(tmp_path: Path) -> None:
    for _ in range(ATTEMPTS):
        assert begin_outcome(tmp_path, 1, ["seed=1"])
        (tmp_path / AGAIN).touch()
    assert begin_outcome(tmp_path, 1, ["seed=1"]) is None
    (told,) = read_outcomes(tmp_path)
    assert told.outcome == "failed"
    assert "killed" in str(told.message)


def test_what_has_told_its_outcome_has_nothing_to_do_when_the_launcher_starts_again(tmp_path: Path) -> None:
    assert begin_outcome(tmp_path, 1, ["seed=1"])
    tell(place_of(tmp_path, 1), Outcome(["seed=1"], "finished"))
    assert begin_outcome(tmp_path, 2, ["seed=1"])  # asked for twice in one sweep: another job
    (tmp_path / AGAIN).touch()
    assert begin_outcome(tmp_path, 1, ["seed=1"]) is None
    assert begin_outcome(tmp_path, 2, ["seed=1"])
    assert [outcome.outcome for outcome in read_outcomes(tmp_path)] == ["finished", ""]


def test_one_line_tells_done_running_failed_left_and_how_long(tmp_path: Path) -> None:
    following = Sweep(tmp_path, 6)
    assert following.look() == "sweep: 0 of 6 done, 0 running, 6 left"
    for seed in range(4):
        begin_outcome(tmp_path, seed, [f"seed={seed}"])
    tell(place_of(tmp_path, 0), Outcome(["seed=0"], "finished", seconds=60.0))
    tell(place_of(tmp_path, 1), Outcome(["seed=1"], "failed", seconds=1.0))
    # Two run, each half done for all that is known, and two are to come: three fits of a minute, two at a time.
    assert following.look() == "sweep: 2 of 6 done (1 FAILED), 2 running, 2 left, about 90 s"
