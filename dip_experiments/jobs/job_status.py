"""What became of the jobs of a request, as they told it in the folder of outcomes."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dip_experiments.times import duration

SUCCEEDED = {"finished": "finished", "continued": "finished (continued)", "skipped": "skipped (finished before)"}
OTHERWISE = {
    "elsewhere": "being fitted by another process",
    "failed": "FAILED",
    "refused": "REFUSED",
    "": "ENDED WITHOUT A WORD",
}
DIED = "its process ended without a word: killed, or out of memory? Asked again, it goes on from its last checkpoint"
OUTCOMES = "DIP_OUTCOMES"
"""Environment variable: the folder in which each job leaves what became of it."""
TOLD = "[0-9]*.json"
"""Files in that folder: one for each job that has begun."""
RECORDS_COUNT = "DIP_RECORDS_COUNT"
"""Environment variable: records count as done, as for `dip paper`, which completes them; else only own runs do."""
STOP = "stop"
"""File in that folder: no further job begins."""
AGAIN = "again"
"""File in that folder: the launcher broke off and was started again; what has told its outcome has nothing to do."""
ATTEMPTS = 3
"""How often a job may begin in one sweep, if its process dies."""
FAILED, WRONG, INTERRUPTED = 1, 2, 130
LAST = ("run", "outcome", "time", "PSNR average", "PSNR oracle peak", "PSNR to the measurement", "folder", "notes")
"""Columns of the table after the words that tell jobs apart, in their order."""
COLUMNS = ("psnr_average", "psnr_measurement")
"""What a run is judged by, the first that it has; the last one looks at no reference."""


@dataclass(frozen=True)
class Outcome:
    """What one job told; `summary` is that of its run, `overrides` the words that it was asked with.

    `outcome` is empty while it runs, and where its process ended without a word. `seconds`: its wall time now.
    `attempt`: how often it has begun.
    """

    overrides: list[str]
    outcome: str = ""
    run: str | None = None
    folder: str | None = None
    message: str | None = None
    wrote: str | None = None
    seconds: float | None = None
    attempt: int = 1
    summary: dict[str, Any] | None = None

    @property
    def told(self) -> str:
        """The outcome in words."""
        return {**SUCCEEDED, **OTHERWISE}.get(self.outcome, self.outcome)


def read_outcome(path: Path) -> Outcome:
    """What one job told."""
    return Outcome(**json.loads(path.read_text(encoding="utf-8")))


def read_outcomes(folder: Path) -> list[Outcome]:
    """What the jobs told, in their order."""
    return [read_outcome(path) for path in sorted(folder.glob(TOLD))]


def report(outcomes: Sequence[Outcome], jobs: int, seconds: float) -> int:
    """A line for one job, a table for several; failures go to standard error.

    `jobs`: how many there should be, at least. `seconds`: wall time of all. Returns the exit code: 130 if interrupted,
    1 if any failed, 2 if any was refused, else 0.
    """
    for message in dict.fromkeys(_complaint(outcome) for outcome in outcomes):
        if message:
            print(message, file=sys.stderr)
    said = {outcome.outcome for outcome in outcomes}
    interrupted = "interrupted" in said
    missing = 0 if interrupted else max(jobs - len(outcomes), 0)
    if missing:
        print(f"{missing} of {jobs} jobs did not begin", file=sys.stderr)
    if jobs > 1 or len(outcomes) > 1:
        print("\n".join(_table(outcomes, jobs, seconds)))
    elif outcomes and outcomes[0].outcome in (*SUCCEEDED, "elsewhere"):
        print(_line(outcomes[0]))
    if interrupted:
        print("Interrupted. Ask again with the same words to continue where it stopped.", file=sys.stderr)
        return INTERRUPTED
    return FAILED if missing or said & {"", "failed"} else WRONG if "refused" in said else 0


def _complaint(outcome: Outcome) -> str | None:
    lines = (outcome.message or "no reason recorded").splitlines()
    if outcome.outcome == "refused":
        return "\n".join(lines)
    if outcome.outcome == "failed" and outcome.folder:
        return f"run {outcome.run} failed: {lines[0]}\n  details: {Path(outcome.folder) / 'failure.txt'}"
    if outcome.outcome in ("", "failed"):
        return f"{' '.join(outcome.overrides)}: {lines[0] if outcome.outcome else DIED}"
    return None


def _line(outcome: Outcome) -> str:
    quality = ", ".join(f"{value} dB {name}" for name, value in _quality(outcome.summary).items())
    wrote = f"; wrote {outcome.wrote}" if outcome.wrote else ""
    notes = "".join(f"; {note}" for note in _notes(outcome.summary))
    psnr = f"; PSNR {quality}" if quality else ""
    return f"run {outcome.run} {outcome.told}: {outcome.folder}{psnr}{wrote}{notes}"


def _table(outcomes: Sequence[Outcome], jobs: int, seconds: float) -> Iterator[str]:
    """What differs between the jobs, what became of each, its PSNR in dB, and how many there are of each kind."""
    shared = shared_words(outcomes)
    asked = [_differing(outcome, shared) for outcome in outcomes]
    folders = {str(Path(outcome.folder).parent) for outcome in outcomes if outcome.folder}
    rows: list[dict[str, str]] = []
    for outcome, words in zip(outcomes, asked, strict=True):
        quality = {f"PSNR {name}": value for name, value in _quality(outcome.summary).items()}
        notes = [*_notes(outcome.summary), *([f"wrote {outcome.wrote}"] if outcome.wrote else [])]
        time = "" if outcome.seconds is None else duration(outcome.seconds)
        row = {**words, "run": outcome.run or "", "outcome": outcome.told, "time": time, **quality}
        row |= {"folder": outcome.folder or ""} if len(folders) > 1 else {}
        rows.append(row | ({"notes": "; ".join(notes)} if notes else {}))
    if rows:
        keys = list(dict.fromkeys(key for words in asked for key in words))
        keys += [key for key in LAST if key not in keys and any(key in row for row in rows)]
        yield from aligned([{key: row.get(key, "") for key in keys} for row in rows])
    where = f"; runs are in {next(iter(folders))}" if len(folders) == 1 else ""
    yield f"{_counted(outcomes, jobs)}; {duration(seconds)} in all{where}"


def _counted(outcomes: Sequence[Outcome], jobs: int) -> str:
    """`3 of 4 finished (1 of them before), 1 FAILED`."""
    done = sum(outcome.outcome in SUCCEEDED for outcome in outcomes)
    before = sum(outcome.outcome == "skipped" for outcome in outcomes)
    others = Counter(outcome.told for outcome in outcomes if outcome.outcome not in SUCCEEDED)
    finished = f"{done} of {max(jobs, len(outcomes))} finished" + (f" ({before} of them before)" if before else "")
    return ", ".join([finished, *(f"{count} {told}" for told, count in others.items())])


def shared_words(outcomes: Sequence[Outcome]) -> set[str]:
    """The words that all jobs were asked with."""
    return set.intersection(*(set(outcome.overrides) for outcome in outcomes)) if outcomes else set()


def _differing(outcome: Outcome, shared: set[str]) -> dict[str, str]:
    """The words of a job that are not the same in all."""
    pairs = (word.partition("=") for word in outcome.overrides if word not in shared)
    return {key.lstrip("+"): value.removeprefix("'").removesuffix("'") for key, _, value in pairs}


def aligned(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A table for a terminal, its columns those of the first row."""
    keys = list(rows[0])
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in keys}
    for row in [{key: key for key in keys}, *rows]:
        yield "  ".join(row[key].ljust(widths[key]) for key in keys).rstrip()


def _quality(summary: dict[str, Any] | None) -> dict[str, str]:
    """PSNR of the averaged image, a mean over replicas: at the end, and at the peak, which only the reference shows."""
    final, peak = (summary or {}).get("final", {}), (summary or {}).get("oracle_peak", {})
    column = next((name for name in COLUMNS if _mean(final.get(name))), None)
    if column is None:
        return {}
    if column == "psnr_measurement":
        return {"to the measurement": _mean(final[column])}
    shown = {"average": _mean(final[column]), "oracle peak": _mean(peak.get(column))}
    return {name: value for name, value in shown.items() if value}


def _mean(values: Sequence[float | None] | None) -> str:
    known = [value for value in values or [] if value is not None]
    return f"{fmean(known):.2f}" if known else ""


def _notes(summary: dict[str, Any] | None) -> list[str]:
    """Iterations that the guard threw away, where rules stop, replicas that failed."""
    lost = sum(count for count in (summary or {}).get("lost_iterations", []) if count)
    failed = (summary or {}).get("failed", [])
    notes = [f"{lost} iterations lost to divergence"] if lost else []
    notes += (summary or {}).get("stops", [])
    return notes + [f"replica {f['replica']} (seed {f['seed']}) failed at iteration {f['iteration']}" for f in failed]
