"""A fit takes the cores that are free, a waiting thread lets others have its own, and the user's variables win."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dip_experiments import SPINS, devices
from dip_experiments.devices import THREAD_VARIABLES, available_cores, fit_threads, threads_for_fit
from dip_experiments.runner.resume import threads_of
from dip_experiments.store import Run

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch would use eight threads, and nobody has chosen otherwise."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        ([7.9], 8),
        ([7.2], 8),  # all but a tenth
        ([6.6, 5.2, 5.4], 7),  # the best of the looks
        ([4.0, 4.1, 3.9], 4),  # another fit of eight threads
        ([4.0, 7.9], 8),  # what was busy has ended
        ([0.2, 0.3, 0.2], 1),
    ],
)
def test_a_fit_takes_the_threads_that_it_gets_cores_for_and_says_so_where_these_are_not_all(
    looks: list[float], wanted: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left = list(looks)
    monkeypatch.setattr(devices, "available_cores", lambda most: left.pop(0))
    with caplog.at_level(logging.INFO, "dip_experiments"):
        assert threads_for_fit(CPU) == wanted
    assert left == []
    if wanted == 8:
        assert caplog.messages == []
    else:
        assert f"takes {wanted} of 8 threads: other processes are at work (OMP_NUM_THREADS=8: all)" in caplog.text


@pytest.mark.parametrize("name", THREAD_VARIABLES)
def test_who_has_chosen_the_number_of_threads_gets_it_unseen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available_cores", lambda most: 1 / 0)
    monkeypatch.setenv(name, "8")
    assert threads_for_fit(CPU) == 8


def test_a_fit_on_a_gpu_or_with_one_thread_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available_cores", lambda most: 1 / 0)
    assert threads_for_fit(torch.device("cuda", 0)) == 8
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert threads_for_fit(CPU) == 1


def test_a_look_counts_processor_time_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    def passing() -> float:
        now[0] += 0.03
        return now[0]

    clock = SimpleNamespace(perf_counter=passing, process_time=lambda: 7 + 1.5 * now[0])
    monkeypatch.setattr(devices, "time", clock)
    assert available_cores(2) == pytest.approx(1.5, rel=0.2)


def test_a_fit_has_its_threads_while_it_lasts_and_one_that_goes_on_those_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    monkeypatch.setattr(devices, "threads_for_fit", lambda device: 5)
    with fit_threads(CPU, threads_of(Run(tmp_path), 0)):
        assert used == [5]
    assert used == [5, 8]
    (tmp_path / "provenance.json").write_text('{"sittings": [{"threads": 3}]}')
    with fit_threads(CPU, threads_of(Run(tmp_path), 10)):
        assert used == [5, 8, 3]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, SPINS),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
        ({"OMP_NUM_THREADS": "2"}, SPINS),  # says how many wait, not how
    ],
    ids=str,
)
def test_waiting_is_bounded_before_pytorch_is_there_unless_the_user_says_how_to_wait(
    given: dict[str, str], wanted: str | None
) -> None:
    asked = "import dip_experiments, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    names = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS"}
    environment = {name: value for name, value in os.environ.items() if name not in names} | given
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.split() == [str(wanted), "False"]
