"""Result of a job, and the summary of all results of a request: a line or a table, and the exit code."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dip_experiments.jobs.times import format_duration

SUCCEEDED = {"finished": "finished", "resumed": "finished (resumed)", "skipped": "skipped (finished before)"}
OTHERS = {
    "locked": "locked by another process",
    "failed": "FAILED",
    "refused": "REFUSED",
    "running": "CRASHED (no exit status)",
}
CRASHED = "its process ended without an exit status: killed, or out of memory? The same command resumes the run"
REUSE_RECORDS = "DIP_RECORDS_COUNT"
"""Environment variable: a record counts as a finished run, as for `dip paper`, which completes them."""
SWEPT = "DIP_SWEPT"
"""Environment variable: settings and groups that the sweep of a job takes several values of, separated by commas."""
FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit codes."""
LAST_COLUMNS = ("run", "result", "time", "PSNR average", "PSNR oracle peak", "PSNR to the measurement", "folder",
                "notes")  # fmt: skip
"""Columns of the table after the overrides that differ between jobs, in their order."""
TO_MEASUREMENT = "to the measurement"
CURVES = ("psnr_average", "psnr_measurement")
"""Curves of which the first that a run has is shown; the last one needs no reference."""


@dataclass(frozen=True)
class JobResult:
    """Result of one job.

    Attributes:
        overrides: Of the job, as Hydra takes them.
        status: `running` until it ends, and for good if its process crashed; then `finished`, `resumed` (and finished),
            `skipped`, `locked`, `failed`, `refused` or `interrupted`.
        run: Id of the run.
        folder: Of the run.
        message: Reason of a failure.
        output: File that the restored image was written to.
        seconds: Wall time of the job.
        attempt: How often it has started.
        summary: Of the run: scores, `stops` in lines, `stop` in short for a table, and `estimated`.
        tiles: How many runs restored a picture in tiles; then `run` is the first, and `folder` has them all.
        wandb: Folder of W&B's offline runs or address of its project, whichever has the run that was fitted.
    """

    overrides: list[str]
    status: str = "running"
    run: str | None = None
    folder: str | None = None
    message: str | None = None
    output: str | None = None
    seconds: float | None = None
    attempt: int = 1
    summary: dict[str, Any] | None = None
    wandb: str | None = None
    tiles: int | None = None

    @property
    def is_running(self) -> bool:
        """True until the job ends."""
        return self.status == "running"

    @property
    def succeeded(self) -> bool:
        """True if the run is finished."""
        return self.status in SUCCEEDED

    @property
    def estimated_psnr(self) -> float | None:
        """PSNR in dB that a stopping rule estimates at its stop, which a search maximises; None if no rule does."""
        return next(iter((self.summary or {}).get("estimated", {}).values()), None)

    @property
    def status_text(self) -> str:
        """The status as it is printed."""
        return {**SUCCEEDED, **OTHERS}.get(self.status, self.status)


def report(results: Sequence[JobResult], jobs: int, seconds: float) -> int:
    """Print a line for one job, a table for several; failures go to standard error.

    Args:
        results: Of the jobs that have started.
        jobs: Number of jobs that were requested, at least.
        seconds: Wall time of all.

    Returns:
        The exit code: 130 if interrupted, 1 if any failed, 2 if any was refused, else 0.
    """
    for message in dict.fromkeys(map(_error, results)):
        if message:
            print(message, file=sys.stderr)
    statuses = {result.status for result in results}
    interrupted = "interrupted" in statuses
    missing = 0 if interrupted else max(jobs - len(results), 0)
    if missing:
        print(f"{missing} of {jobs} jobs did not start", file=sys.stderr)
    if jobs > 1 or len(results) > 1:
        print("\n".join(_table(results, jobs, seconds)))
    elif results and (results[0].succeeded or results[0].status == "locked"):
        print("\n".join(_lines(results[0])))
    for line in _wandb_lines(results):
        print(line)
    if interrupted:
        print("Interrupted. The same command continues from the last checkpoint.", file=sys.stderr)
        return INTERRUPTED
    return FAILED if missing or statuses & {"running", "failed"} else WRONG if "refused" in statuses else 0


def _error(result: JobResult) -> str | None:
    lines = (result.message or "no reason recorded").splitlines()
    if result.status == "refused":
        return "\n".join(lines)
    if result.status == "failed" and result.folder:
        return f"run {result.run} failed: {lines[0]}\n  details: {Path(result.folder) / 'failure.txt'}"
    if result.status in ("running", "failed"):
        return f"{' '.join(result.overrides)}: {CRASHED if result.is_running else lines[0]}"
    return None


def _lines(result: JobResult) -> Iterator[str]:
    """Yield a line on run, PSNR and written file, then the stop and what went wrong, a line each.

    The PSNR to the measurement says nothing where a rule says more.
    """
    psnr, stops = _psnr(result.summary), (result.summary or {}).get("stops", [])
    quality = ", ".join(f"{value} dB {name}" for name, value in psnr.items() if name != TO_MEASUREMENT or not stops)
    output = f"; wrote {result.output}" if result.output else ""
    subject = f"{'' if result.tiles else 'run '}{_named(result)}"
    yield f"{subject} {result.status_text}: {result.folder}{f'; PSNR {quality}' if quality else ''}{output}"
    yield from (f"  {note}" for note in [*stops, *_notes(result.summary)])


def _table(results: Sequence[JobResult], jobs: int, seconds: float) -> Iterator[str]:
    """Tabulate overrides that differ between the jobs, status and PSNR in dB of each, and the number of each status."""
    shared = shared_overrides(results)
    differing = [_differing(result, shared) for result in results]
    folders = {str(Path(result.folder).parent) for result in results if result.folder}
    rows: list[dict[str, str]] = []
    for result, overrides in zip(results, differing, strict=True):
        psnr = {f"PSNR {name}": value for name, value in _psnr(result.summary).items()}
        stop, wrote = (result.summary or {}).get("stop", ""), f"wrote {result.output}" if result.output else ""
        notes = list(filter(None, [*_notes(result.summary), stop, wrote]))
        time = "" if result.seconds is None else format_duration(result.seconds)
        row = {**overrides, "run": _named(result), "result": result.status_text, "time": time, **psnr}
        row |= {"folder": result.folder or ""} if len(folders) > 1 else {}
        rows.append(row | ({"notes": "; ".join(notes)} if notes else {}))
    if rows:
        keys = list(dict.fromkeys(key for overrides in differing for key in overrides))
        keys += [key for key in LAST_COLUMNS if key not in keys and any(key in row for row in rows)]
        yield from align_columns([{key: row.get(key, "") for key in keys} for row in rows])
    where = f"; runs are in {next(iter(folders))}" if len(folders) == 1 else ""
    yield f"{_count(results, jobs)}; {format_duration(seconds)} in all{where}"


def _named(result: JobResult) -> str:
    """Return the id of a run, of several how many tiles they are."""
    return f"{result.tiles} tiles" if result.tiles else result.run or ""


def _wandb_lines(results: Sequence[JobResult]) -> Iterator[str]:
    """Yield a line for each place that has W&B's runs, and how to look at them."""
    for place, count in Counter(result.wandb for result in results if result.wandb).items():
        runs = "run" if count == 1 else "runs"
        if "://" in place:
            yield f"W&B: {count} {runs} at {place}"
            continue
        folder, results_folder = shlex.quote(place), str(Path(place).parent)
        show = "make dashboard" + ("" if results_folder == "results" else f" RESULTS={shlex.quote(results_folder)}")
        yield f"W&B: {count} offline {runs} in {place}; {show} shows them, wandb sync {folder}/offline-run-* sends them"


def _count(results: Sequence[JobResult], jobs: int) -> str:
    """Format the counts: `3 of 4 finished (1 of them before), 1 FAILED`."""
    done = sum(result.succeeded for result in results)
    before = sum(result.status == "skipped" for result in results)
    others = Counter(result.status_text for result in results if not result.succeeded)
    finished = f"{done} of {max(jobs, len(results))} finished" + (f" ({before} of them before)" if before else "")
    return ", ".join([finished, *(f"{count} {text}" for text, count in others.items())])


def shared_overrides(results: Sequence[JobResult]) -> set[str]:
    """Return the overrides that all jobs have."""
    return set.intersection(*(set(result.overrides) for result in results)) if results else set()


def _differing(result: JobResult, shared: set[str]) -> dict[str, str]:
    """Return the overrides of a job that not all jobs have: key -> value."""
    pairs = (override.partition("=") for override in result.overrides if override not in shared)
    return {key.lstrip("+"): value.removeprefix("'").removesuffix("'") for key, _, value in pairs}


def align_columns(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Return the lines of a table for a terminal, its columns those of the first row."""
    keys = list(rows[0])
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in keys}
    for row in [{key: key for key in keys}, *rows]:
        yield "  ".join(row[key].ljust(widths[key]) for key in keys).rstrip()


def _psnr(summary: dict[str, Any] | None) -> dict[str, str]:
    """Return the PSNR of the averaged image in dB, mean over replicas: at the end, and at the oracle's peak."""
    final, peak = (summary or {}).get("final", {}), (summary or {}).get("oracle_peak", {})
    curve = next((name for name in CURVES if _mean(final.get(name))), None)
    if curve is None:
        return {}
    if curve == "psnr_measurement":
        return {TO_MEASUREMENT: _mean(final[curve])}
    shown = {"average": _mean(final[curve]), "oracle peak": _mean(peak.get(curve))}
    return {name: value for name, value in shown.items() if value}


def _mean(values: Sequence[float | None] | None) -> str:
    known = [value for value in values or [] if value is not None]
    return f"{fmean(known):.2f}" if known else ""


def _notes(summary: dict[str, Any] | None) -> list[str]:
    """Say which iterations the guard rejected and which replicas failed."""
    lost = sum(count for count in (summary or {}).get("lost_iterations", []) if count)
    failed = (summary or {}).get("failed", [])
    notes = [f"{lost} iterations lost to divergence"] if lost else []
    return notes + [f"replica {f['replica']} (seed {f['seed']}) failed at iteration {f['iteration']}" for f in failed]
