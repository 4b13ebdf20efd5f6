"""Redraw every figure and table from the records alone, two at a time, in processes that load the libraries once."""

import argparse
import runpy
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

SCALES = ("laptop", "paper")
SCRIPTS = Path(__file__).parents[1]
DEMO = SCRIPTS / "figures/fig2.py"
"""The script that draws at scale demo."""
FOLDERS = ("figures", "tables", "studies")
UNFITTED = ("benchmark", "denoisers_noise")
"""Scripts whose experiments have no record yet, and large grids, which take a while to compose."""


def redraw(script: Path, scale: str, results: str) -> int:
    """Run a drawing script at one scale and return its exit code; having nothing to draw is no failure."""
    sys.argv = [str(script), "--scale", scale, "--results", results, "--records", "--if-kept"]
    sys.path[0] = str(script.parent)  # where scripts find each other
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.stdout.flush()
    return 0


def main() -> int:
    """Run the command line; 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default="results")
    results = parser.parse_args().results
    scripts = [script for folder in FOLDERS for script in sorted((SCRIPTS / folder).glob("*.py"))]
    scripts = [script for script in scripts if script.stem not in UNFITTED]
    drawings = [(DEMO, "demo"), *product(scripts, SCALES)]
    with ProcessPoolExecutor(2) as processes:
        codes = list(processes.map(redraw, *zip(*drawings, strict=True), [results] * len(drawings)))
    for (script, scale), code in zip(drawings, codes, strict=True):
        if code:
            print(f"{script.name} at scale {scale} ended with {code}", file=sys.stderr)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
