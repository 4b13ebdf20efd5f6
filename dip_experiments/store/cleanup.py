"""Find and remove incomplete runs, quarantined files and folders of sweeps that ended."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dip_experiments.store.lock import RunLocked, alive, locked, read_owner
from dip_experiments.store.run import Run
from dip_experiments.store.status import INCOMPLETE, QUARANTINED, State, states

SWEEPS = "dip-sweep-*"
"""Folders in which the jobs of a sweep on other machines write their results."""


@dataclass(frozen=True)
class IncompleteFolder:
    """A folder that is no result and can be removed, and `why`."""

    folder: Path
    why: str

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def remove(self) -> bool:
        """Remove the folder, unless a process fits it or has finished it meanwhile; return True if it was removed."""
        run = Run(self.folder)
        try:
            with locked(run.place):
                if self.why != QUARANTINED and State(run).summary:
                    return False
                shutil.rmtree(self.folder, ignore_errors=True)
        except RunLocked:
            return False
        return True


def find_incomplete(results: Path) -> Iterator[IncompleteFolder]:
    """Return the incomplete runs of a results folder; no running or finished ones, no records."""
    for state in states(results):
        if state.status in INCOMPLETE and not state.run.is_record:
            yield IncompleteFolder(state.run.folder, state.status)
    for folder in sorted(results.glob(SWEEPS)):
        if not alive(read_owner(folder)):
            yield IncompleteFolder(folder, "left by a sweep")
