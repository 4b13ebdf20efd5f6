"""Plain files that appear whole or not at all: text, JSON, columns, pictures."""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import png
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Columns = dict[str, Array]


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that appears under its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115
    try:
        with handle:
            yield handle
        os.chmod(handle.name, 0o666 & ~_umask())
        os.replace(handle.name, path)
    except BaseException:
        Path(handle.name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically."""
    with atomic(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON atomically; NaN and infinity become null, which JSON has."""
    write_text(path, json.dumps(_finite(value), indent=2) + "\n")


def write_image(path: Path, image: Array, bits: int = 8) -> None:
    """Writes a "c h w" image with values in [0, 1] as PNG of 8 or 16 `bits` per channel, clipped and rounded.

    An even number of channels: the last one is alpha.
    """
    levels = np.rint(np.clip(np.nan_to_num(image), 0, 1) * (2**bits - 1))
    pixels = np.moveaxis(levels.astype(np.uint8 if bits == 8 else np.uint16), 0, 2)
    with atomic(path) as file:
        if bits == 16:  # Pillow writes no RGB of 16 bit
            height, width, channels = pixels.shape
            kind = {"greyscale": channels < 3, "alpha": channels % 2 == 0, "bitdepth": 16}
            png.Writer(width, height, **kind).write(file, pixels.reshape(height, -1))
            return
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(file, format="PNG")


def write_columns(path: Path, columns: Mapping[str, Any]) -> None:
    """Writes columns of equal length as CSV; floats in full, so that what is read is what was written."""
    with atomic(path) as file:
        rows = zip(
            *(column.tolist() if isinstance(column, np.ndarray) else column for column in columns.values()), strict=True
        )
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([list(columns), *rows])
        file.write(text.getvalue().encode())


def read_columns(path: Path) -> Columns:
    """Reads a CSV file of numbers: name -> column."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(header))
    return {name: table[:, index] for index, name in enumerate(header)}


def check_writable(folder: Path, key: str = "paths.results") -> None:
    """Raises ValueError, naming the setting `key`, if nothing can be written below `folder`. Leaves nothing behind."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        # Asked in earnest: permissions say nothing of read-only, full or special file systems.
        with tempfile.TemporaryDirectory(dir=nearest):
            pass
    except OSError as error:
        raise ValueError(
            f"{key}={folder}: cannot write in {nearest} ({error.strerror}); choose another folder with {key}="
        ) from None


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
