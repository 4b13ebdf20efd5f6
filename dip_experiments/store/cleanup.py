"""Find and remove incomplete runs, quarantined files and folders of sweeps that ended."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dip_experiments.store.lock import RunLocked, alive, locked, read_owner
from dip_experiments.store.run import Run
from dip_experiments.store.status import FINISHED, INCOMPLETE, QUARANTINED, State, states

SWEEPS = "dip-sweep-*"
"""Folders in which the jobs of a sweep on other machines write their results."""


@dataclass(frozen=True)
class RunFolder:
    """A folder that can be removed, and `why`: the status of a run, or that of a sweep has left it.

    One that is no result is not removed if a process has finished it meanwhile.
    """

    folder: Path
    why: str

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def remove(self) -> bool:
        """Remove the folder, unless a process fits it; return True if it was removed."""
        run = Run(self.folder)
        try:
            with locked(run.place):
                if self.why not in (QUARANTINED, FINISHED) and State(run).summary:
                    return False
                shutil.rmtree(self.folder, ignore_errors=True)
        except RunLocked:
            return False
        return True


def find_incomplete(results: Path) -> Iterator[RunFolder]:
    """Return the incomplete runs of a results folder; no running or finished ones, no records."""
    for state in states(results):
        if state.status in INCOMPLETE and not state.run.is_record:
            yield RunFolder(state.run.folder, state.status)
    for folder in sorted(results.glob(SWEEPS)):
        if not alive(read_owner(folder)):
            yield RunFolder(folder, "left by a sweep")
