"""Cost of sweeps: the tables of docs/scaling.md, from the records of finished fits and the files of a run."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from dip_experiments.jobs.times import format_duration
from dip_experiments.store import Run

MACHINES = {"laptop": ("laptop", 2), "one H100": ("paper", 5), "32 of these": ("paper", 160)}
"""By name: scale of the fits, and how many run at a time."""
DEVICES = {"laptop": "cpu", "paper": "H100"}
"""Devices of the timed fits, by scale."""
COUNTS = (10, 1_000, 100_000)
CHECKPOINT = "checkpoint.pt"


LARGE = ("baboon", "f16", "lena", "peppers")
"""Pictures of CSet9 with 512 x 512 pixels."""


def measured(records: Path, device: str) -> list[Run]:
    """Return fits of `table_denoising` with one replica, on a device of this name: of 512 x 512 unless on a CPU.

    That is 128 x 128 and width 32 at scale laptop, the paper's network at scale paper, 1800 iterations at both.
    """
    runs = [Run(path.parent) for path in records.glob("*/summary.json")]
    runs_of_table = [run for run in runs if run.settings["experiment"]["name"] == "table_denoising"]
    alone = [run for run in runs_of_table if run.settings["replicas"] == 1 and device in run.provenance["device"]]
    large = [run for run in alone if run.settings["image"]["name"].partition("/")[2] in LARGE]
    return alone if device == "cpu" else large


def seconds(runs: Sequence[Run]) -> float:
    """Return the median wall time of these runs."""
    return median(run.summary["wall_seconds"] for run in runs)


def counted(folders: Sequence[Path]) -> tuple[int, int]:
    """Count bytes and files of a folder, the median of several; a checkpoint is gone when a run is finished."""
    files = [[path for path in folder.rglob("*") if path.is_file() and path.name != CHECKPOINT] for folder in folders]
    sizes = [sum(path.stat().st_size for path in inside) for inside in files]
    return round(median(sizes)), round(median(map(len, files)))


def hours(each: Mapping[str, float]) -> Iterator[str]:
    """Return the table of the time; `each`: seconds of a fit by its scale."""
    yield "| machine | fits at a time | s per fit | " + " | ".join(f"{count:,} fits" for count in COUNTS) + " |"
    yield "|---|---|---|" + "---|" * len(COUNTS)
    for machine, (scale, at_a_time) in MACHINES.items():
        cells = [format_duration(-(-count // at_a_time) * each[scale]) for count in COUNTS]
        yield f"| {machine} | {at_a_time} | {each[scale]:.0f} | " + " | ".join(cells) + " |"


def amount(size: int) -> str:
    """Format bytes in kB, MB or GB."""
    unit, name = (1e3, "kB") if size < 1e6 else (1e6, "MB") if size < 1e9 else (1e9, "GB")
    return f"{size / unit:.0f} {name}" if size >= 10 * unit else f"{size / unit:.1f} {name}"


def volume(name: str, size: int, files: int) -> str:
    """Return a row of the table of the space."""
    cells = [f"{amount(count * size)}, {count * files:,}" for count in COUNTS]
    return f"| {name} | {amount(size)}, {files} | " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables, without rows that have no data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    results = parser.parse_args(arguments).results
    fits = {scale: measured(results / scale / "records", device) for scale, device in DEVICES.items()}
    if all(fits.values()):
        print("\n".join(hours({scale: seconds(runs) for scale, runs in fits.items()})) + "\n")
    print("| what | one fit: size, files | " + " | ".join(f"{count:,} fits" for count in COUNTS) + " |")
    print("|---|---|" + "---|" * len(COUNTS))
    runs = [path.parent for path in (results / "runs").glob("*/summary.json")]
    offline = list((results / "wandb").glob("offline-run-*"))
    records = [run.folder for run in fits["laptop"]]
    for name, folders in (("run", runs), ("W&B, offline", offline), ("record, in git", records)):
        if folders:
            print(volume(name, *counted(folders)))


if __name__ == "__main__":
    main()
