"""Run the commands of make targets, as `make -n` prints them, in one process a target: the libraries are loaded once.

python scripts/tools/smoke.py smoke-restoration smoke-stopping
"""

import argparse
import os
import runpy
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from dip_experiments.cli.main import main as dip

ROOT = Path(__file__).parents[2]


def commands(target: str, *settings: str) -> list[list[str]]:
    """Return the commands of a target that run `dip` or a script, split into arguments."""
    command = ["make", "--dry-run", "--old-file=setup", target, *settings]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return [shlex.split(line) for line in printed.splitlines() if "/dip " in line or "/python scripts/" in line]


def run_command(command: Sequence[str]) -> int:
    """Run `.venv/bin/dip ...` or `.venv/bin/python scripts/...` in this process; return its exit code."""
    program, *arguments = command
    if program.endswith("/dip"):
        return dip(arguments)
    script = ROOT / arguments[0]
    sys.argv, path = list(arguments), sys.path[:]
    sys.path[0] = str(script.parent)  # where a script finds those of its folder
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.path[:] = path
    return 0


def run_target(target: str) -> int:
    """Run the commands of a target until one fails; return its exit code."""
    for command in commands(target):
        print(shlex.join(command), flush=True)
        started = time.perf_counter()
        if code := run_command(command):
            print(f"{target}: {shlex.join(command)} ended with {code}", file=sys.stderr)
            return code
        print(f"{time.perf_counter() - started:.1f} s", flush=True)
    return 0


def main() -> int:
    """Return 0 if all commands of all targets did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="+", help="of the Makefile")
    targets = parser.parse_args().targets
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core each: their fits are small
    with ProcessPoolExecutor(min(2, len(targets))) as processes:
        return max(processes.map(run_target, targets))


if __name__ == "__main__":
    sys.exit(main())
