"""Progress of a sweep: one line for all of its jobs."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console

from dip_experiments.jobs.job_status import JobResult
from dip_experiments.jobs.times import format_duration

SECONDS_BETWEEN_LOOKS, SECONDS_BETWEEN_LINES = 1.0, 10.0
FITTED = ("finished", "resumed")
Results = Callable[[], Sequence[JobResult]]
"""Returns the results of all jobs that have started by now."""


class SweepProgress:
    """Progress of a sweep of `total` jobs."""

    def __init__(self, results: Results, total: int) -> None:
        self.results, self.total = results, total
        self.at_once = 0

    def line(self) -> str:
        """Return the numbers of jobs done, running and left, and the time left once one is fitted."""
        results = list(self.results())
        done = [result for result in results if not result.is_running]
        running, left = len(results) - len(done), max(self.total - len(results), 0)
        self.at_once = max(self.at_once, running)
        failed = sum(result.status == "failed" for result in done)
        parts = [
            f"{len(done)} of {self.total} done" + (f" ({failed} FAILED)" if failed else ""),
            f"{running} running",
            f"{left} left",
        ]
        seconds = [result.seconds for result in done if result.status in FITTED and result.seconds]
        if seconds and left + running:
            parts.append(f"about {format_duration(fmean(seconds) * (left + running / 2) / max(self.at_once, 1))}")
        return f"sweep: {', '.join(parts)}"


@contextmanager
def show_progress(results: Results, total: int, one_by_one: bool) -> Iterator[None]:
    """Show the progress of a sweep on standard error while its jobs run.

    In a terminal one line that changes; elsewhere, and where a bar shows the only fit that runs (`one_by_one`), a line
    when something has changed, not too often.
    """
    if total < 2:
        yield
        return
    sweep, over, console = SweepProgress(results, total), threading.Event(), Console(stderr=True)
    show = _print_lines if one_by_one or not console.is_terminal else _update_line
    thread = threading.Thread(target=show, args=(sweep, over, console), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _update_line(sweep: SweepProgress, over: threading.Event, console: Console) -> None:
    with console.status("sweep") as line:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            line.update(sweep.line())


def _print_lines(sweep: SweepProgress, over: threading.Event, _: Console) -> None:
    printed, at = "", -SECONDS_BETWEEN_LINES
    while not over.wait(SECONDS_BETWEEN_LOOKS):
        if time.monotonic() - at >= SECONDS_BETWEEN_LINES and (now := sweep.line()) != printed:
            printed, at = now, time.monotonic()
            print(printed, file=sys.stderr, flush=True)
