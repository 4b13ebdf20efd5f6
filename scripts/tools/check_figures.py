"""Compares figures and tables with those that are committed: what was redrawn must be what is in git."""

import argparse
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

DRAWN = ("figures", "tables")
MOST_DIFFERENT_PIXELS = 0.002
"""Share of a PNG's pixels: the layout's solver rounds differently on other processors, which moves edges a little."""


def main() -> int:
    """Return the exit code: 1 if something is not as committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    results = parser.parse_args().results
    committed = subprocess.run(["git", "ls-files", str(results)], capture_output=True, text=True, check=True)
    paths = [path for line in committed.stdout.splitlines() if (path := Path(line)).parent.name in DRAWN]
    wrong = [f"{path}: {reason}" for path in paths if (reason := difference(path))]
    print("\n".join(wrong) or f"{len(paths)} files are as committed")
    return 1 if wrong else 0


def difference(path: Path) -> str:
    """Return in what a file differs from the committed one; empty if in nothing. A PDF shows what its PNG does."""
    if not path.exists():
        return "is missing"
    before = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, check=True).stdout
    if path.suffix == ".pdf" or before == path.read_bytes():
        return ""
    return pixels(before, path.read_bytes()) if path.suffix == ".png" else "has another content"


def pixels(before: bytes, now: bytes) -> str:
    """Return in what two PNGs differ by more than rounding."""
    one, other = (np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=int) for content in (before, now))
    if one.shape != other.shape:
        return f"has {other.shape[1]} x {other.shape[0]} pixels in place of {one.shape[1]} x {one.shape[0]}"
    share = float((np.abs(one - other).max(2) > 8).mean())
    return f"{share:.2%} of the pixels are others" if share > MOST_DIFFERENT_PIXELS else ""


if __name__ == "__main__":
    sys.exit(main())
