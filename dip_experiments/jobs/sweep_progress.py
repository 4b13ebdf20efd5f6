"""Progress of a sweep: one line for all of its jobs, by what they tell in the folder of outcomes."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from rich.console import Console

from dip_experiments.jobs.job_status import TOLD, Outcome, read_outcome
from dip_experiments.times import duration

SECONDS_BETWEEN_LOOKS, SECONDS_BETWEEN_LINES = 1.0, 10.0
FITTED = ("finished", "continued")


class Sweep:
    """The jobs of a sweep, `total` of them, as the folder of outcomes has them."""

    def __init__(self, folder: Path, total: int) -> None:
        self.folder, self.total = folder, total
        self.told: dict[Path, Outcome] = {}
        self.running = self.at_once = 0

    def look(self) -> str:
        """Runs done, running and left, and how long these will take, once one is fitted."""
        there = set(self.folder.glob(TOLD))
        self.told |= {path: said for path in there - set(self.told) if (said := read_outcome(path)).outcome}
        self.running = len(there) - len(self.told)
        self.at_once = max(self.at_once, self.running)
        failed = sum(outcome.outcome == "failed" for outcome in self.told.values())
        left = max(self.total - len(there), 0)
        parts = [
            f"{len(self.told)} of {self.total} done" + (f" ({failed} FAILED)" if failed else ""),
            f"{self.running} running",
            f"{left} left",
        ]
        seconds = [outcome.seconds for outcome in self.told.values() if outcome.outcome in FITTED and outcome.seconds]
        if seconds and left + self.running:
            parts.append(f"about {duration(fmean(seconds) * (left + self.running / 2) / max(self.at_once, 1))}")
        return f"sweep: {', '.join(parts)}"


@contextmanager
def sweep_progress(folder: Path, total: int, alone: bool) -> Iterator[None]:
    """Tells the progress of a sweep on standard error while its jobs run.

    In a terminal one line that changes; elsewhere, and where a bar shows the one fit that runs (`alone`), a line when
    something has changed, not too often.
    """
    if total < 2:
        yield
        return
    sweep, over, console = Sweep(folder, total), threading.Event(), Console(stderr=True)
    tell = _in_lines if alone or not console.is_terminal else _in_place
    thread = threading.Thread(target=tell, args=(sweep, over, console), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _in_place(sweep: Sweep, over: threading.Event, console: Console) -> None:
    with console.status("sweep") as line:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            line.update(sweep.look())


def _in_lines(sweep: Sweep, over: threading.Event, _: Console) -> None:
    said, at = "", -SECONDS_BETWEEN_LINES
    while not over.wait(SECONDS_BETWEEN_LOOKS):
        if time.monotonic() - at >= SECONDS_BETWEEN_LINES and (now := sweep.look()) != said:
            said, at = now, time.monotonic()
            print(said, file=sys.stderr, flush=True)
