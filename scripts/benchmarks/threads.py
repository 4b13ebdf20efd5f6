"""Time of a fit that shares its cores with others, on an otherwise idle machine.

Writes: bench/cpu-threads. Command: make bench
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from start import command_line, save

from dip_experiments.devices import THREAD_VARIABLES

ROUNDS = 3
GNU = "300000"
"""The default of GNU's OpenMP if a thread has a core of its own."""
BUSY = [sys.executable, "-c", "while True: pass"]


def seconds(overrides: list[str], fits: int, busy: int, set_by_user: Mapping[str, str]) -> float:
    """Return the wall time of so many fits, started at once while so many processes are busy."""
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES} | dict(
        set_by_user
    )
    dip = [str(Path(sys.executable).with_name("dip")), *overrides, "device=cpu", "logger=none"]
    with tempfile.TemporaryDirectory() as folder:
        others = [subprocess.Popen(BUSY) for _ in range(busy)]
        try:
            began = time.perf_counter()
            started = [
                subprocess.Popen(
                    [*dip, f"paths.results={folder}/{i}"],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for i in range(fits)
            ]
            codes = [fit.wait() for fit in started]
            passed = time.perf_counter() - began
        finally:
            for other in others:
                other.kill()
                other.wait()
    if any(codes):
        raise ValueError(f"{' '.join(dip)} ends with {codes}; try it by itself")
    return passed


def main() -> int:
    """Write results/bench/cpu-threads.csv, .md and .json: seconds, start and all, and their ratio to a fit alone."""
    arguments = command_line(main.__doc__)
    overrides = ["scale=smoke"] if arguments.smoke else ["scale=laptop", "fit.iterations=200"]
    cores = torch.get_num_threads()
    cases: dict[str, tuple[int, int, dict[str, str]]] = {
        "alone": (1, 0, {}),
        "alone, as OpenMP does by itself": (1, 0, {"OMP_NUM_THREADS": str(cores), "GOMP_SPINCOUNT": GNU}),
        "alone, one thread": (1, 0, {"OMP_NUM_THREADS": "1"}),
        "two at once": (2, 0, {}),
        "beside a busy process": (1, 1, {}),
    }
    found: dict[str, list[float]] = {what: [] for what in cases}
    for _ in range(1 if arguments.smoke else ROUNDS):
        for what, (fits, busy, set_by_user) in cases.items():
            found[what].append(seconds(overrides, fits, busy, set_by_user))
            print(f"{what}: {found[what][-1]:.3g} s", flush=True)
    medians = pd.DataFrame(found).median()
    frame = pd.DataFrame({"value": medians, "ratio": medians / medians["alone"]}).map("{:.3g}".format)
    save(frame.rename_axis("what").reset_index(), arguments, torch.device("cpu"), "-threads")
    return 0


if __name__ == "__main__":
    sys.exit(main())
