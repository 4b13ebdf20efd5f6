"""How a job tells what became of it: in one file of the folder of outcomes, from when it begins."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dip_experiments.jobs.job_status import AGAIN, ATTEMPTS, DIED, Outcome, read_outcome
from dip_experiments.store import write_json


def tell(place: Path, outcome: Outcome) -> None:
    """Writes an outcome."""
    write_json(place, asdict(outcome))


def begin_outcome(folder: Path, number: int, overrides: Sequence[str]) -> Outcome | None:
    """What job `number` will tell, empty as yet; None if there is nothing for it to do.

    So it is for one that told before the launcher was started again, and for one whose process died too often.
    """
    place = place_of(folder, number)
    before = read_outcome(place) if place.exists() else None
    again = before is not None and (folder / AGAIN).exists()
    if before and again and before.outcome:
        return None
    begun = Outcome(list(overrides), attempt=before.attempt + 1 if before else 1)
    died = again and begun.attempt > ATTEMPTS
    tell(place, Outcome(list(overrides), "failed", message=DIED, attempt=ATTEMPTS) if died else begun)
    return None if died else begun


def place_of(folder: Path, number: int) -> Path:
    """The file of a job, one however often a launcher tries it."""
    return folder / f"{number:06d}.json"
