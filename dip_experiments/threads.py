"""How many threads a fit takes: as many as there are cores that nothing else keeps busy."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CHOSEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")
"""Environment variables with which a user, or a launcher that runs several jobs, has chosen the number of threads."""
SECONDS, LOOKS = 0.2, 3
"""What a look takes; the most that one of so many finds counts, as something else may just be ending (ours)."""
ALL = 0.9
"""Part of the cores that counts as all: of an idle machine, too, the system takes some moments for itself (ours)."""
VALUES = 2**16
"""Worked on by each thread, so that none waits for long."""
log = logging.getLogger(__name__)


def threads_for_fit(device: torch.device) -> int:
    """Threads of a fit that begins now on a device: PyTorch's own number, fewer where other processes are at work.

    What a look finds is this process's fair share, whatever the others are: fits, of this folder or another, or none.
    """
    most = torch.get_num_threads()
    if most == 1 or device.type != "cpu" or any(name in os.environ for name in CHOSEN):
        return most
    had = 0.0
    for _ in range(LOOKS):
        had = max(had, cores_had(most))
        if had >= ALL * most:
            return most
    threads = max(1, round(had))
    log.info("takes %d of %d threads: other processes are at work (OMP_NUM_THREADS=%d: all)", threads, most, most)
    return threads


@contextmanager
def fit_threads(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Let PyTorch work with as many threads as are free, or with so many, and with its own number afterwards."""
    usual = torch.get_num_threads()
    torch.set_num_threads(threads or threads_for_fit(device))
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def cores_had(threads: int) -> float:
    """How many cores the system gives to this process while it asks for one a thread."""
    work = torch.ones(VALUES * threads)
    cpu, began = time.process_time(), time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS:
        torch.sin(work, out=work)
    return (time.process_time() - cpu) / passed
