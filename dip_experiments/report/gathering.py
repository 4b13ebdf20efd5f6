"""Find the runs of a results folder, each once, and those that cannot be shown."""

from dataclasses import dataclass
from pathlib import Path

from dip_experiments.store import Run, Store


@dataclass(frozen=True)
class Gathered:
    """`runs`: finished ones, by name. `left_out`: the reason for each run that is not shown, by name."""

    runs: list[Run]
    left_out: dict[str, str]


def gather(results: Path) -> Gathered:
    """Return all finished runs of a results folder: full runs, else their records; one that has both counts once."""
    folders = [path for place in ("runs/*", "*/records/*") for path in results.glob(place) if _is_run(path)]
    runs, left_out = [], {}
    for name in sorted({path.name for path in folders}):
        best, copies = Store(results).place(name), [Run(path) for path in folders if path.name == name]
        places = [best, *(run for run in sorted(copies, key=lambda run: run.folder) if run.is_record)]
        if shown := next((run for run in places if run.finished and run.replicas), None):
            runs.append(shown)
        else:
            left_out[name] = _reason(copies[0])
    return Gathered(runs, left_out)


def _is_run(path: Path) -> bool:
    """Return False for other methods' numbers, and for what was quarantined as damaged."""
    return (path / "settings.json").is_file() and "." not in path.name


def _reason(run: Run) -> str:
    if not run.has_summary:
        return "failed" if run.failure else "not finished"
    return ", ".join(run.integrity_errors()) or "every replica failed"
