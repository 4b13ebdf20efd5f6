"""The queue of the paper's own size: row after row by their worth, each exported as records when it is finished."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omegaconf import OmegaConf

from dip_experiments.config.compose import expand_grid
from dip_experiments.config.groups import conf_folder
from dip_experiments.jobs.job_status import FAILED, INTERRUPTED, REUSE_RECORDS

QUEUE = conf_folder() / "paper.yaml"
"""Requests with the time that each takes."""
FIT = (sys.executable, "-m", "dip_experiments.cli.main", "-m")
"""Command that fits a row, in a process of its own: it returns all its memory, and cannot end the others."""


@dataclass(frozen=True)
class Row:
    """One request: an experiment, and the overrides that tell its rows apart.

    `minutes`: time of its runs on two CPU cores with bfloat16, as conf/paper.yaml has it.
    """

    experiment: str
    overrides: tuple[str, ...]
    minutes: float

    def overrides_with(self, further: Sequence[str]) -> list[str]:
        """Return its overrides and further ones, but for settings that it has itself, such as its precision."""
        own = {one.split("=")[0] for one in self.overrides}
        return [*self.overrides, *(one for one in further if one.split("=")[0] not in own)]


@dataclass(frozen=True)
class Done:
    """A row that has its records: seconds that its runs took; `comparable`: with the device and threads of today."""

    seconds: float
    comparable: bool = True


Finished = Callable[[Row], Done | None]
"""Time of a row; None until all of its runs are records, with the images that its figure shows."""


def read_rows() -> list[Row]:
    """Return all rows in their order."""
    requests = OmegaConf.load(QUEUE).requests
    each = [(one, request.minutes) for request in requests for one in expand_grid(request.words.split())]
    return [Row(first.removeprefix("experiment="), tuple(rest), float(minutes)) for (first, *rest), minutes in each]


def fit_rows(
    rows: Sequence[Row],
    further: Sequence[str],
    finished: Finished,
    export: Callable[[Row], int],
    check: Callable[[], None],
) -> int:
    """Fit the rows that are not finished and export each; return 1 if any failed, 130 if interrupted.

    `check`: raises ValueError where the code that would fit a row is in no commit, before each of them.
    """
    found = {row: finished(row) for row in rows}
    failed = []
    for row in [row for row, done in found.items() if done is None]:
        check()
        print(progress(found), flush=True)
        if fit(row, further) == INTERRUPTED:
            return INTERRUPTED
        code = export(row)
        found[row] = finished(row)
        if found[row] is None or code:
            failed.append(row)
    print(progress(found))
    for row in failed:
        print(f"failed: {' '.join([row.experiment, *row.overrides])}", file=sys.stderr)
    return FAILED if failed else 0


def progress(found: dict[Row, Done | None]) -> str:
    """Format the rows done, the rows left and the hours left, at the pace of the comparable rows that are done."""
    done = {row: it for row, it in found.items() if it is not None}
    left = sum(row.minutes for row in found if row not in done)
    timed = {row: it.seconds / 60 for row, it in done.items() if it.comparable and row.minutes}
    pace = sum(timed.values()) / sum(row.minutes for row in timed) if timed else 1.0
    hours = f"about {left * pace / 60:.1f} hours left" if left else "all is done"
    return f"paper: {len(done)} rows done, {len(found) - len(done)} left, {hours}"


def fit(row: Row, further: Sequence[str]) -> int:
    """Run a row and return the exit code; what is finished is skipped. Ctrl-C and SIGTERM reach its process."""
    overrides = [f"experiment={row.experiment}", *row.overrides_with(further), "hydra/launcher=basic"]
    with subprocess.Popen([*FIT, *overrides], env={**os.environ, REUSE_RECORDS: "yes"}) as process:
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # which comes to both
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, frame: process.terminate()),
        }
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
