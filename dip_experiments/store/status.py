"""Status of every run of a store, from its small files: no image, curve or checkpoint is read."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dip_experiments.store.files import BEFORE, read_json
from dip_experiments.store.lock import alive, read_owner
from dip_experiments.store.run import PROGRESS, SUMMARY, Run

QUARANTINE = ".damaged-"
"""Part of the name of a quarantined folder, after the run's id."""
FINISHED, RECORD, RUNNING, INTERRUPTED, FAILED, DAMAGED, ABORTED, QUARANTINED = (
    "finished", "record", "running", "interrupted", "failed", "damaged", "aborted", "quarantined",
)  # fmt: skip
"""`record`: the store has only its record. `aborted`: ended before its first checkpoint."""
INCOMPLETE = (INTERRUPTED, FAILED, DAMAGED, ABORTED, QUARANTINED)


@dataclass(frozen=True)
class State:
    """A run and its status; one that is written to replace a finished run is another one."""

    run: Run

    @cached_property
    def status(self) -> str:
        """One of the statuses above. `Run.integrity_errors`, which reads all files, checks a finished run."""
        if QUARANTINE in self.run.name or self.run.name.endswith(BEFORE):
            return QUARANTINED
        if self.run.has_summary:
            return DAMAGED if not self.summary else RECORD if self.run.is_record else FINISHED
        if alive(self.owner):
            return RUNNING
        if self.run.failure is not None:
            return FAILED
        return INTERRUPTED if self.run.checkpoint.exists() else ABORTED

    @cached_property
    def owner(self) -> dict[str, Any]:
        """`host`, `pid`, `since` of the process that fits the run, or did when it was killed."""
        return read_owner(self.run.place)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Summary of the run, empty until it is finished."""
        return self._read(SUMMARY)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The run's settings, empty before they were written."""
        with suppress(OSError, ValueError, KeyError):
            return self.run.settings
        return {}

    @property
    def done(self) -> tuple[int | None, int | None]:
        """Iterations done, as of the last checkpoint, and requested."""
        requested = self.config.get("fit", {}).get("iterations")
        return self.summary.get("iterations", self._progress.get("done")), requested

    @property
    def seconds(self) -> float | None:
        """Wall time of the fit so far in seconds, all sessions."""
        return self.summary.get("wall_seconds", self._progress.get("seconds"))

    @property
    def seconds_left(self) -> float | None:
        """Seconds left of a running fit, at its pace so far; a stopping rule may end it earlier."""
        done, requested = self.done
        if self.status != RUNNING or not done or not requested or self.seconds is None:
            return None
        return self.seconds / done * (requested - done)

    @property
    def began(self) -> datetime | None:
        """Start of the last session."""
        with suppress(KeyError, IndexError, ValueError):
            return datetime.fromisoformat(self._read("provenance.json")["sittings"][-1]["began"]).astimezone(UTC)
        return None

    @cached_property
    def _progress(self) -> dict[str, Any]:
        return self._read(PROGRESS)

    def _read(self, name: str) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return read_json(self.run.folder / name)
        return {}


def states(results: Path) -> Iterator[State]:
    """Return every run of a results folder, finished or not, and the records of runs that it has not."""
    folders = sorted(path for path in (results / "runs").glob("*") if path.is_dir() and path.name[0] != ".")
    finished = {Run(path).name for path in folders if Run(path).has_summary}
    yield from (State(Run(path)) for path in folders)
    for path in sorted(results.glob("*/records/*"), key=lambda path: path.name):
        if (path / "settings.json").exists() and path.name not in finished and "." not in path.name:
            yield State(Run(path))
