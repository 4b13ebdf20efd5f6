"""The queue of the paper's own size: row after row in the order of their worth, each kept when it is finished."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omegaconf import OmegaConf

from dip_experiments.config.compose import conf_folder, one_by_one
from dip_experiments.jobs.job_status import FAILED, INTERRUPTED, REUSE_RECORDS

QUEUE = conf_folder() / "paper.yaml"
"""The requests, and how long each takes."""
FIT = (sys.executable, "-m", "dip_experiments.cli.main", "-m")
"""What fits a row: a process of its own gives all its memory back, and cannot end the others."""


@dataclass(frozen=True)
class Row:
    """What is asked for as one: an experiment, and the words that tell its rows apart.

    `minutes`: how long its runs take on two CPU cores with bfloat16, as conf/paper.yaml has it.
    """

    experiment: str
    words: tuple[str, ...]
    minutes: float

    def asked(self, further: Sequence[str]) -> list[str]:
        """Its words and further ones, but for those that it says itself, such as its precision."""
        said = {word.split("=")[0] for word in self.words}
        return [*self.words, *(word for word in further if word.split("=")[0] not in said)]


@dataclass(frozen=True)
class Done:
    """A row whose runs are finished: seconds that they took; `comparable`: on the device that is now asked for."""

    seconds: float
    comparable: bool = True


Finished = Callable[[Row], Done | None]
"""What a row took, None until all of its runs are finished."""


def read_rows() -> list[Row]:
    """All rows in their order."""
    requests = OmegaConf.load(QUEUE).requests
    each = [(said, request.minutes) for request in requests for said in one_by_one(request.words.split())]
    return [Row(first.removeprefix("experiment="), tuple(words), float(minutes)) for (first, *words), minutes in each]


def fit_rows(rows: Sequence[Row], further: Sequence[str], finished: Finished, keep: Callable[[Row], int]) -> int:
    """Fits the rows that are not finished and keeps each; 1 if any failed or was not kept, 130 if interrupted."""
    found = {row: finished(row) for row in rows}
    failed = []
    for row in [row for row, done in found.items() if done is None]:
        print(progress(found), flush=True)
        code = fit(row, further)
        if code == INTERRUPTED:
            return INTERRUPTED
        found[row] = finished(row)
        if found[row] is None:
            failed += [row] if code else []
        elif keep(row):
            failed.append(row)
    print(progress(found))
    for row in failed:
        print(f"failed: {' '.join([row.experiment, *row.words])}", file=sys.stderr)
    return FAILED if failed else 0


def progress(found: dict[Row, Done | None]) -> str:
    """Rows done, rows left and hours left, at the pace of the comparable rows that are done."""
    done = {row: it for row, it in found.items() if it is not None}
    left = sum(row.minutes for row in found if row not in done)
    timed = {row: it.seconds / 60 for row, it in done.items() if it.comparable and row.minutes}
    pace = sum(timed.values()) / sum(row.minutes for row in timed) if timed else 1.0
    hours = f"about {left * pace / 60:.1f} hours left" if left else "all is done"
    return f"paper: {len(done)} rows done, {len(found) - len(done)} left, {hours}"


def fit(row: Row, further: Sequence[str]) -> int:
    """Exit code of its runs; those that are finished or have a record are skipped. Ctrl-C is left to the process."""
    words = [f"experiment={row.experiment}", *row.asked(further), "hydra/launcher=basic"]
    before = signal.getsignal(signal.SIGINT)
    with subprocess.Popen([*FIT, *words], env={**os.environ, REUSE_RECORDS: "yes"}) as process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
