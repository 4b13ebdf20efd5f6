"""What a store has that is no result: unfinished runs, what was set aside, what sweeps left behind."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dip_experiments.store.lock import RunLocked, alive, locked, read_owner
from dip_experiments.store.run import Run
from dip_experiments.store.status import LEFT_OVER, SET_ASIDE, State, states

SWEEPS = "dip-sweep-*"
"""Folders in which the jobs of a sweep on other machines tell what became of them."""


@dataclass(frozen=True)
class Leftover:
    """A folder that can go; `why` it is no result."""

    folder: Path
    why: str

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def remove(self) -> bool:
        """Remove it for good, unless a process fits it or has finished it meanwhile."""
        run = Run(self.folder)
        try:
            with locked(run.place):
                if self.why != SET_ASIDE and State(run).summary:
                    return False
                shutil.rmtree(self.folder, ignore_errors=True)
        except RunLocked:
            return False
        return True


def leftovers(results: Path) -> Iterator[Leftover]:
    """Of a results folder. Runs that a process fits, finished ones and records are none."""
    for state in states(results):
        if state.word in LEFT_OVER and not state.run.is_record:
            yield Leftover(state.run.folder, state.word)
    for folder in sorted(results.glob(SWEEPS)):
        if not alive(read_owner(folder)):
            yield Leftover(folder, "left by a sweep")
