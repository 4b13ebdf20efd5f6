"""Several stores made one: what another store has and this one lacks is copied, by signature."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dip_experiments.store.files import atomic, file_digest
from dip_experiments.store.lock import RunLocked, locked
from dip_experiments.store.run import SUMMARY, Run

RUNS = "runs"
COPIED, SAME, TWIN, REFUSED = "copied", "there already", "of other hardware", "refused"
"""`TWIN`: the same run, whose numbers are other in the last digits at first; ours stays."""
HARDWARE = ("machine", "device", "threads", "versions")
"""Parts of a session that may change the rounding of a run, and never its id."""
SameSettings = Callable[[Run, Run], bool]
"""Returns True if two runs have the same settings, but for those that cannot change numbers."""


@dataclass(frozen=True)
class Merged:
    """Result for one run, record or baseline of the other store; `path` is relative to the stores."""

    path: Path
    outcome: str
    why: str = ""


def merge(results: Path, other: Path, same_settings: SameSettings) -> Iterator[Merged]:
    """Copy finished runs, records and baselines' numbers of `other` to `results`, each completely or not at all.

    A run that `results` has under that id with other bytes is refused, unless it was fitted by other hardware with the
    `same_settings`; and so is a damaged run. A run that is written to replace another one is left out.
    """
    for found in sorted([*other.glob(f"{RUNS}/*"), *other.glob("*/records/*")]):
        if "." not in found.name and (found / SUMMARY).exists():
            yield _merge_run(results, found, found.relative_to(other), same_settings)
    for found in sorted(other.glob("*/records/baselines/*")):
        if found.is_file() and found.name[0] != ".":
            yield _merge_file(results, found, found.relative_to(other))


def _merge_run(results: Path, found: Path, path: Path, same_settings: SameSettings) -> Merged:
    if faults := Run(found).integrity_errors():
        return Merged(path, REFUSED, f"damaged there: {'; '.join(faults)}")
    mine = results / path
    try:
        with locked(mine) if path.parts[0] == RUNS else nullcontext():
            if (mine / SUMMARY).exists():
                return _compared(Run(mine), Run(found), path, same_settings)
            return _copied(mine, found, path)
    except RunLocked as error:
        return Merged(path, REFUSED, str(error))


def _compared(mine: Run, found: Run, path: Path, same_settings: SameSettings) -> Merged:
    """Compare a run of the other store with ours of that id; ours stays as it is."""
    differing = _differing(mine.folder, found.folder)
    if not differing:
        return Merged(path, SAME)
    if faults := mine.integrity_errors():
        return Merged(path, REFUSED, f"damaged here: {'; '.join(faults)}")
    if not (hardware := _other_hardware(mine, found)):
        return Merged(path, REFUSED, f"other bytes under this name: {', '.join(differing)}")
    if not same_settings(mine, found):
        return Merged(path, REFUSED, "other settings under this name")
    text = f"same run, other {hardware}: ours is kept, PSNR at most {_apart(mine, found):.2g} dB apart"
    if further := sorted(found.summary.get("stopping", {}).keys() - mine.summary.get("stopping", {}).keys()):
        text += f"; theirs alone was watched by {', '.join(further)}"
    return Merged(path, TWIN, text)


def _other_hardware(mine: Run, found: Run) -> str:
    """Return the parts of their sessions in which two runs differ; empty where they were fitted alike."""
    ours, theirs = (
        {name: {str(session.get(name)) for session in run.provenance["sittings"]} for name in HARDWARE}
        for run in (mine, found)
    )
    return ", ".join(name for name in HARDWARE if ours[name] != theirs[name])


def _apart(mine: Run, found: Run) -> float:
    """Return the largest difference of the PSNR of two runs, at the end and at the oracle's peak, in dB."""
    ours, theirs = _psnr(mine.summary), _psnr(found.summary)
    return max((abs(ours[name] - theirs[name]) for name in ours.keys() & theirs.keys()), default=0.0)


def _psnr(summary: dict[str, Any]) -> dict[tuple[str, str, int], float]:
    """Return the PSNRs by part of the summary, curve and replica, without those that failed."""
    return {
        (part, column, replica): value
        for part in ("final", "oracle_peak")
        for column, values in summary[part].items()
        for replica, value in enumerate(values)
        if column.startswith("psnr") and value is not None
    }


def _copied(mine: Path, found: Path, path: Path) -> Merged:
    """Copy a run, its summary last: what is half copied is no result."""
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
    with source.open("rb") as file_in, atomic(to) as file_out:
        shutil.copyfileobj(file_in, file_out)


def _differing(mine: Path, other: Path) -> list[str]:
    """Return the files of a run's result that are not the same in both."""
    ours, theirs = (Run(folder).summary["files"] for folder in (mine, other))
    apart = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    return sorted(apart | ({SUMMARY} if file_digest(mine / SUMMARY) != file_digest(other / SUMMARY) else set()))
