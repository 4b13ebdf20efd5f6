"""What became of the jobs of a request, as they told it in the folder of outcomes."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

SUCCEEDED = {"finished": "finished", "continued": "finished (continued)", "skipped": "skipped (finished before)"}
OTHERWISE = {"elsewhere": "being fitted by another process", "failed": "FAILED", "refused": "REFUSED"}
OUTCOMES = "DIP_OUTCOMES"
"""Environment variable: the folder in which each job leaves what became of it."""
STOP = "stop"
"""File in that folder: no further job begins."""
FAILED, WRONG, INTERRUPTED = 1, 2, 130
COLUMNS = ("psnr_average", "psnr_measurement")
"""What a run is judged by, the first that it has; the last one looks at no reference."""


@dataclass(frozen=True)
class Outcome:
    """What one job told; `summary` is that of its run, `overrides` the words that it was asked with."""

    overrides: list[str]
    outcome: str = ""
    run: str | None = None
    folder: str | None = None
    message: str | None = None
    wrote: str | None = None
    summary: dict[str, Any] | None = None

    @property
    def told(self) -> str:
        """The outcome in words."""
        return {**SUCCEEDED, **OTHERWISE}.get(self.outcome, self.outcome)


def read_outcomes(folder: Path) -> list[Outcome]:
    """What the jobs told, in the order of their names; one that broke off has not said what became of it."""
    told = (Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json")))
    return [outcome for outcome in told if outcome.outcome]


def report(outcomes: Sequence[Outcome], jobs: int) -> int:
    """A line for one job, a table for several; failures go to standard error.

    `jobs`: how many there should be, at least. Returns the exit code: 130 if interrupted, 1 if any failed, 2 if any
    was refused, else 0.
    """
    for message in dict.fromkeys(_complaint(outcome) for outcome in outcomes):
        if message:
            print(message, file=sys.stderr)
    interrupted = any(outcome.outcome == "interrupted" for outcome in outcomes)
    silent = 0 if interrupted else max(jobs - len(outcomes), 0)
    if silent:
        print(f"{silent} of {jobs} jobs ended without a word: killed, or out of memory?", file=sys.stderr)
    if jobs > 1 or len(outcomes) > 1:
        print("\n".join(_table(outcomes, jobs)))
    elif outcomes and outcomes[0].outcome in (*SUCCEEDED, "elsewhere"):
        print(_line(outcomes[0]))
    said = {outcome.outcome for outcome in outcomes}
    if interrupted:
        print("Interrupted. Ask again with the same words to continue where it stopped.", file=sys.stderr)
        return INTERRUPTED
    return FAILED if silent or "failed" in said else WRONG if "refused" in said else 0


def _complaint(outcome: Outcome) -> str | None:
    lines = (outcome.message or "no reason recorded").splitlines()
    if outcome.outcome == "refused":
        return "\n".join(lines)
    if outcome.outcome == "failed":
        return f"run {outcome.run} failed: {lines[0]}\n  details: {Path(outcome.folder or '') / 'failure.txt'}"
    return None


def _line(outcome: Outcome) -> str:
    quality = ", ".join(f"{value} dB {name}" for name, value in _quality(outcome.summary).items())
    wrote = f"; wrote {outcome.wrote}" if outcome.wrote else ""
    notes = "".join(f"; {note}" for note in _notes(outcome.summary))
    psnr = f"; PSNR {quality}" if quality else ""
    return f"run {outcome.run} {outcome.told}: {outcome.folder}{psnr}{wrote}{notes}"


def _table(outcomes: Sequence[Outcome], jobs: int) -> Iterator[str]:
    """What differs between the jobs, what became of each, and its PSNR in dB."""
    asked = [_differing(outcome, outcomes) for outcome in outcomes]
    folders = {str(Path(outcome.folder).parent) for outcome in outcomes if outcome.folder}
    rows: list[dict[str, str]] = []
    for outcome, words in zip(outcomes, asked, strict=True):
        row = {**words, "run": outcome.run or "", "outcome": outcome.told}
        row |= {f"PSNR {name}": value for name, value in _quality(outcome.summary).items()}
        notes = [*_notes(outcome.summary), *([f"wrote {outcome.wrote}"] if outcome.wrote else [])]
        row |= {"folder": outcome.folder or ""} if len(folders) > 1 else {}
        rows.append(row | ({"notes": "; ".join(notes)} if notes else {}))
    if rows:
        yield from _aligned(rows)
    done = sum(outcome.outcome in SUCCEEDED for outcome in outcomes)
    where = f"; runs are in {next(iter(folders))}" if len(folders) == 1 else ""
    yield f"{done} of {max(jobs, len(outcomes))} finished{where}"


def _differing(outcome: Outcome, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The words of a job that are not the same in all."""
    words = [set(other.overrides) for other in outcomes]
    same = set.intersection(*words)
    pairs = (word.partition("=") for word in outcome.overrides if word not in same)
    return {key.lstrip("+"): value.removeprefix("'").removesuffix("'") for key, _, value in pairs}


def _aligned(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    first = ("run", "outcome", "PSNR average", "PSNR oracle peak", "PSNR to the measurement", "folder", "notes")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    keys.sort(key=lambda key: first.index(key) if key in first else -1)  # words first
    widths = {key: max(len(key), *(len(row.get(key, "")) for row in rows)) for key in keys}
    for row in [{key: key for key in keys}, *rows]:
        yield "  ".join(row.get(key, "").ljust(widths[key]) for key in keys).rstrip()


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
