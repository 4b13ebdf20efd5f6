"""Where a restored picture may be written."""

from collections.abc import Iterable
from pathlib import Path


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Raises ValueError unless `path` is a name for a new or another PNG than those that the run reads."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"output={path}: only PNG is written, which loses nothing; give a name that ends in .png")
    if path.is_dir():
        raise ValueError(f"output={path}: a folder; give the name of a file in it")
    for given in inputs:
        if path.exists() and path.samefile(given):
            raise ValueError(f"output={path}: would overwrite the input; give another name")


def expanded(output: str, path: str | None, name: str) -> str:
    """stub"""
    return output.replace("{image}", Path(path).stem if path else name.replace("/", "-"))
