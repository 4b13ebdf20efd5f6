"""What became of every run of a store, told by its small files: no picture, curve or checkpoint is read."""

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

ASIDE = ".damaged-"
"""What stands in the name of a folder that was set aside, after the run's own."""
FINISHED, KEPT, RUNNING, INTERRUPTED, FAILED, DAMAGED, BROKEN_OFF, SET_ASIDE = (
    "finished", "kept", "running", "interrupted", "failed", "damaged", "broken off", "set aside",
)  # fmt: skip
"""`kept`: only its record is there. `broken off`: ended before its first checkpoint."""
LEFT_OVER = (INTERRUPTED, FAILED, DAMAGED, BROKEN_OFF, SET_ASIDE)


@dataclass(frozen=True)
class State:
    """A run, and at what it is; one that is written beside a finished one, to take its place, is another."""

    run: Run

    @cached_property
    def word(self) -> str:
        """One of the words above. Whether a finished run is still as it was, `Run.faults` tells, which reads all."""
        if ASIDE in self.run.name or self.run.name.endswith(BEFORE):
            return SET_ASIDE
        if self.run.summarised:
            return DAMAGED if not self.summary else KEPT if self.run.is_record else FINISHED
        if alive(self.owner):
            return RUNNING
        if self.run.failure is not None:
            return FAILED
        return INTERRUPTED if self.run.checkpoint.exists() else BROKEN_OFF

    @cached_property
    def owner(self) -> dict[str, Any]:
        """`host`, `pid`, `since` of the process that fits it, or did when it was killed."""
        return read_owner(self.run.place)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """That of the run, empty while there is none."""
        return self._read(SUMMARY)

    @cached_property
    def words(self) -> dict[str, Any]:
        """The run's settings, empty before they were written."""
        with suppress(OSError, ValueError, KeyError):
            return self.run.settings
        return {}

    @property
    def done(self) -> tuple[int | None, int | None]:
        """Iterations done, as of the last checkpoint, and asked for."""
        asked = self.words.get("fit", {}).get("iterations")
        return self.summary.get("iterations", self._progress.get("done")), asked

    @property
    def seconds(self) -> float | None:
        """Wall time of the fit so far, all sittings."""
        return self.summary.get("wall_seconds", self._progress.get("seconds"))

    @property
    def seconds_left(self) -> float | None:
        """Of a running one, at its pace so far; a stopping rule may end it earlier."""
        done, asked = self.done
        if self.word != RUNNING or not done or not asked or self.seconds is None:
            return None
        return self.seconds / done * (asked - done)

    @property
    def began(self) -> datetime | None:
        """When its last sitting began."""
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
    """Every run of a results folder, whole or not; records of those that are there whole are left out."""
    folders = sorted(path for path in (results / "runs").glob("*") if path.is_dir() and path.name[0] != ".")
    whole = {Run(path).name for path in folders if Run(path).summarised}
    yield from (State(Run(path)) for path in folders)
    for path in sorted(results.glob("*/records/*"), key=lambda path: path.name):
        if (path / "settings.json").exists() and path.name not in whole and "." not in path.name:
            yield State(Run(path))
