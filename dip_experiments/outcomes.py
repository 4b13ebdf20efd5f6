"""How a job tells what became of it: in a file of its own in the folder of outcomes, from when it begins."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dip_experiments.reporting import AGAIN, ATTEMPTS, DIED, TOLD, Outcome, read_outcome
from dip_experiments.store import value_digest, write_json


def tell(place: Path, outcome: Outcome) -> None:
    """Writes an outcome."""
    write_json(place, asdict(outcome))


def begin_outcome(folder: Path, overrides: Sequence[str]) -> Path | None:
    """The file in which a job will tell its outcome, its name in it; None if there is nothing for it to do.

    So it is for one that told before the launcher was started again, and for one whose process died too often.
    """
    digest = value_digest({"overrides": list(overrides)})[:8]
    before = [read_outcome(path) for path in folder.glob(f"*-{digest}-*.json")]
    place = folder / f"{len(list(folder.glob(TOLD))):06d}-{digest}-{os.getpid()}.json"
    again = (folder / AGAIN).exists()
    if again and any(outcome.outcome for outcome in before):
        return None
    died = again and len(before) >= ATTEMPTS
    said = Outcome(list(overrides), "failed", message=DIED) if died else Outcome(list(overrides))
    tell(place, said)
    return None if died else place
