"""Several stores made one: what another store has and this one lacks is copied, by signature."""

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from dip_experiments.store.files import atomic, file_digest
from dip_experiments.store.lock import BeingFitted, locked
from dip_experiments.store.run import SUMMARY, Run

RUNS = "runs"
COPIED, SAME, REFUSED = "copied", "there already", "refused"


@dataclass(frozen=True)
class Merged:
    """What became of one run, record or baseline of the other store; `path` is relative to the stores."""

    path: Path
    outcome: str
    why: str = ""


def merge(results: Path, other: Path) -> Iterator[Merged]:
    """Copies finished runs, records and baselines' numbers of `other` to `results`, each whole or not at all.

    What is there already under that name with other bytes is refused, and so is a run that is damaged.
    """
    for found in sorted([*other.glob(f"{RUNS}/*"), *other.glob("*/records/*")]):
        if (found / SUMMARY).exists():
            yield _merge_run(results, found, found.relative_to(other))
    for found in sorted(other.glob("*/records/baselines/*")):
        if found.is_file() and found.name[0] != ".":
            yield _merge_file(results, found, found.relative_to(other))


def _merge_run(results: Path, found: Path, path: Path) -> Merged:
    if faults := Run(found).faults():
        return Merged(path, REFUSED, f"damaged there: {'; '.join(faults)}")
    mine = results / path
    try:
        with locked(mine) if path.parts[0] == RUNS else nullcontext():
            if (mine / SUMMARY).exists():
                differing = _differing(mine, found)
                why = f"other bytes under this name: {', '.join(differing)}"
                return Merged(path, REFUSED, why) if differing else Merged(path, SAME)
            return _copied(mine, found, path)
    except BeingFitted as error:
        return Merged(path, REFUSED, str(error))


def _copied(mine: Path, found: Path, path: Path) -> Merged:
    """The summary comes last: what is half copied is no result."""
    Run(mine).clear()
    for name in [*Run(found).summary["files"], SUMMARY]:
        _copy(found / name, mine / name)
    return Merged(path, COPIED)


def _merge_file(results: Path, found: Path, path: Path) -> Merged:
    mine = results / path
    if not mine.exists():
        _copy(found, mine)
        return Merged(path, COPIED)
    if file_digest(mine) == file_digest(found):
        return Merged(path, SAME)
    return Merged(path, REFUSED, "other bytes under this name")


def _copy(source: Path, to: Path) -> None:
    with source.open("rb") as there, atomic(to) as file:
        shutil.copyfileobj(there, file)


def _differing(mine: Path, other: Path) -> list[str]:
    """Files of a run's result that are not the same in both."""
    ours, theirs = (Run(folder).summary["files"] for folder in (mine, other))
    apart = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    return sorted(apart | ({SUMMARY} if file_digest(mine / SUMMARY) != file_digest(other / SUMMARY) else set()))
