"""A sweep on a Ray cluster of two node processes on this machine, one of which is killed: `make test-ray`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from conftest import SMALL, Dip, only_run

from dip_experiments.store import Run

pytest.importorskip("ray", reason="needs the extra ray, in an environment of its own: make test-ray")
FIT = [*SMALL, "fit.iterations=200", "fit.checkpoint_every=20"]
FOR_TESTS = {"PYTHONPATH": str(Path(__file__).parents[1]), "RAY_health_check_period_ms": "500"}


@contextmanager
def node(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node of the cluster: one process and its children, which are one session, as on a machine of their own."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [*command, "--node-ip-address=127.0.0.1", "--object-store-memory=80000000", *words],
            cwd=folder,
            env=os.environ | FOR_TESTS,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: "Ray runtime started" in (folder / "log").read_text(), started)
        yield started
    finally:
        kill(started)


def kill(node: subprocess.Popen[bytes]) -> None:
    """Ends all processes of a node at once, as when a machine loses its power."""
    for process in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getsid(process) == node.pid:
                os.kill(process, signal.SIGKILL)
    node.wait()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a cluster of two nodes, and the second of them."""
    address, short = f"127.0.0.1:{free_port()}", tempfile.mkdtemp(prefix="ray-")  # sockets have short names
    head = ["--head", f"--port={address.split(':')[1]}", "--include-dashboard=false", f"--temp-dir={short}"]
    with node(tmp_path / "first", *head), node(tmp_path / "second", f"--address={address}") as second:
        yield address, second
    shutil.rmtree(short)


def until(happened: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Waits for something to happen while a process lives."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)


def fitted_by(node: subprocess.Popen[bytes], results: Path) -> list[str]:
    """Names of runs with a checkpoint that a process of the node fits now."""
    found = []
    for owner in results.glob("runs/*/owner.json"):
        with suppress(OSError, ValueError):  # finished meanwhile
            if os.getsid(json.loads(owner.read_text())["pid"]) == node.pid:
                found.append(owner.parent.name)
    return [name for name in found if (results / "runs" / name / "checkpoint.pt").exists()]


def test_a_sweep_whose_node_is_killed_finishes_and_the_killed_fit_is_that_of_an_undisturbed_one(
    nodes: tuple[str, subprocess.Popen[bytes]], dip: Dip, tmp_path: Path
) -> None:
    address, second = nodes
    there = tmp_path / "there"
    there.mkdir()
    words = ["hydra/launcher=ray_nodes", f"hydra.launcher.ray.init.address={address}"]
    command = [sys.executable, "-c", "import sys; from dip_experiments.cli.main import main; sys.exit(main())"]
    with (there / "told").open("wb") as told:
        asked = subprocess.Popen(
            [*command, *FIT, "-m", "seed=0,1,2", *words], cwd=there, env=os.environ | FOR_TESTS, stdout=told
        )
    until(lambda: fitted_by(second, there / "results"), asked)
    kill(second)
    assert asked.wait(120) == 0
    assert "3 of 3 finished" in (there / "told").read_text()
    runs = [Run(path) for path in (there / "results" / "runs").iterdir()]
    assert sorted(run.settings["seed"] for run in runs) == [0, 1, 2]
    assert all(run.finished for run in runs)
    (continued,) = [run for run in runs if len(run.provenance["sittings"]) > 1]
    assert {sitting["threads"] for run in runs for sitting in run.provenance["sittings"]} == {1}  # as Ray was told
    assert dip(*FIT, f"seed={continued.settings['seed']}") == 0
    undisturbed = only_run(tmp_path)
    assert undisturbed.name == continued.name
    for path in (continued.folder / "curves.csv", *sorted((continued.folder / "images").iterdir())):
        assert path.read_bytes() == (undisturbed.folder / path.relative_to(continued.folder)).read_bytes(), path
    assert [path.name for path in (there / "results").iterdir()] == ["runs"]
