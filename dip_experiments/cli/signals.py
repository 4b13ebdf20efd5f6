"""Ctrl-C and SIGTERM: the first one lets fits save their state, the second ends at once."""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dip_experiments.jobs.job_status import INTERRUPTED


@contextmanager
def save_on_signals(files: Any = None) -> Iterator[None]:
    """Let the fits save their state and stop at the first Ctrl-C or SIGTERM; the second ends this process at once.

    Args:
        files: `ResultFiles` of jobs in other processes, which get Ctrl-C themselves: an exception in this one would
            have them killed while they save. None: the job runs in this process.

    In another thread than the main one, as in a server, signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():  # where Python sets no handlers
        yield
        return
    received: list[int] = []

    def handle(number: int, _: Any) -> None:
        if received:
            end_at_once(None if files is None else files.folder)
        received.append(number)
        if files is None:
            raise KeyboardInterrupt
        files.cancel()
        if number == signal.SIGTERM:  # which comes to this process alone
            signal_children(signal.SIGINT)
        print("Interrupted: fits are saving their state; Ctrl-C again ends at once.", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def signal_children(number: int) -> None:
    """Send a signal to the processes that run the jobs."""
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)


def end_at_once(folder: Path | None) -> None:
    """End all processes without saving; a file of the store is complete or does not exist at any time."""
    signal_children(signal.SIGKILL)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    print("Ended at once. The same command continues from the last checkpoint.", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)
