"""Results of jobs that run in other processes: one file per job in a folder, which survives a killed process."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from dip_experiments.jobs.job_status import CRASHED, JobResult
from dip_experiments.store import write_json

CANCEL = "cancel"
"""File of the folder: no further job starts."""
RESULTS = "[0-9]*.json"
MAX_ATTEMPTS = 3
"""How often a job may start in one sweep, if its process dies."""


class ResultFiles:
    """The folder in which each job of a sweep leaves its result, as soon as it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._results: dict[Path, JobResult] = {}

    def path(self, number: int) -> Path:
        """Return the file of a job, the same one however often a launcher tries it."""
        return self.folder / f"{number:06d}.json"

    def write_result(self, number: int, result: JobResult) -> None:
        """Write the result of a job."""
        write_json(self.path(number), asdict(result))

    def read(self) -> list[JobResult]:
        """Return the results of all jobs that have started, in their order; a final one is read once.

        An interrupted job may be queued again, by Slurm for example, and get another result.
        """
        for path in sorted(self.folder.glob(RESULTS)):
            known = self._results.get(path)
            if known is None or known.is_running or known.status == "interrupted":
                self._results[path] = read_result(path)
        return [self._results[path] for path in sorted(self._results)]

    def start_job(self, number: int, overrides: Sequence[str], retry: bool = False) -> JobResult | None:
        """Mark a job as running and return that result; None if it has nothing to do.

        Args:
            number: Which job of the sweep.
            overrides: Those of the job.
            retry: Whether the launcher was started again after a process died. Then a job that has a result does not
                start, and one that has started `MAX_ATTEMPTS` times has failed.
        """
        earlier = read_result(self.path(number)) if self.path(number).exists() else None
        if earlier and retry and not earlier.is_running:
            return None
        result = JobResult(list(overrides), attempt=earlier.attempt + 1 if earlier else 1)
        if retry and result.attempt > MAX_ATTEMPTS:
            self.write_result(number, replace(result, status="failed", message=CRASHED, attempt=MAX_ATTEMPTS))
            return None
        self.write_result(number, result)
        return result

    def cancel(self) -> None:
        """Let no further job start."""
        (self.folder / CANCEL).touch()

    @property
    def cancelled(self) -> bool:
        """True after `cancel` of any process."""
        return (self.folder / CANCEL).exists()


def read_result(path: Path) -> JobResult:
    """Return the result in a file of `ResultFiles.write_result`."""
    return JobResult(**json.loads(path.read_text(encoding="utf-8")))
