"""Write files that appear completely or not at all: text, JSON, columns, images, arrays."""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import png
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
UNFINISHED = ".part"
"""How the names of files end that are being written."""
REPLACEMENT, BEFORE = ".new", ".old"
"""How the names of folders end that are written to take the place of another, and of those whose place was taken."""


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write that appears under its name only when it is complete and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]}.{os.getpid()}{UNFINISHED}")
    try:
        # By the system call, as it gives a new file the permissions that the user wants for files.
        with os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        _sync_folder(path.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove the files that a killed process was writing in a folder, which no other process writes in now."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def put_in_place(new: Path, place: Path) -> None:
    """Rename a finished folder to `place`; what was at it is removed after that.

    A process that is killed in between leaves `new` as it is, to be put in place again.
    """
    before = place.with_name(f"{place.name}{BEFORE}")
    shutil.rmtree(before, ignore_errors=True)
    if place.exists():
        place.rename(before)
    new.rename(place)
    _sync_folder(place.parent)
    shutil.rmtree(before, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN and infinity are written as null, which JSON has."""
    write_text(path, json.dumps(finite(value), indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds names and values. Raise ValueError if it holds anything else."""
    loaded = json.loads(path.read_text())
    if not isinstance(loaded, dict):
        raise ValueError(f"{path}: names and values are wanted, it holds {type(loaded).__name__}")
    return loaded


def write_image(path: Path, image: Array, bits: int = 8, colour_space: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Write a "c h w" image with values in [0, 1] as PNG of 8 or 16 `bits` per channel, clipped and rounded.

    An even number of channels: the last one is alpha. `colour_space`: chunks that say what the colours mean.
    """
    levels = np.rint(np.clip(np.nan_to_num(image), 0, 1) * (2**bits - 1))
    pixels = np.moveaxis(levels.astype(np.uint8 if bits == 8 else np.uint16), 0, 2)
    encoded = io.BytesIO()
    if bits == 16:  # Pillow writes no RGB of 16 bit
        height, width, channels = pixels.shape
        kind = {"greyscale": channels < 3, "alpha": channels % 2 == 0, "bitdepth": 16}
        png.Writer(width, height, **kind).write(encoded, pixels.reshape(height, -1))
    else:
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(encoded, format="PNG")
    with atomic(path) as file:
        if not colour_space:
            file.write(encoded.getvalue())
            return
        head, *others = png.Reader(bytes=encoded.getvalue()).chunks()
        png.write_chunks(file, [head, *colour_space, *others])


def copy_middle(path: Path, to: Path, part: int) -> None:
    """Write the middle square of a PNG of 8 bits per channel, 1 / `part` of its short side long, pixel by pixel."""
    with Image.open(path) as picture:
        side = min(picture.size) // part
        left, top = ((length - side) // 2 for length in picture.size)
        picture.crop((left, top, left + side, top + side)).save(to, format="PNG")


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays by name, compressed; `numpy.load` reads them."""
    with atomic(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # the stubs take them for its option


def write_columns(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns of equal length as CSV; floats in full, so that what is read is what was written.

    Those of a float32 array take half the room: as many digits as tell them apart from other float32.
    """
    with atomic(path) as file:
        text = io.StringIO()
        rows = zip(*map(cells, columns.values()), strict=True)
        csv.writer(text, lineterminator="\n").writerows([list(columns), *rows])
        file.write(text.getvalue().encode())


def cells(column: Any) -> Sequence[Any]:
    """Return a column as the file has it."""
    if not isinstance(column, np.ndarray):
        return list(column)
    return list((column.astype(str) if column.dtype == np.float32 else column).tolist())


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def value_digest(value: Any) -> str:
    """Return the SHA-256 of names, numbers and texts, whatever order the names come in."""
    canonical = json.dumps(finite(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def finite(value: Any) -> Any:
    """Return the same nested value as JSON has it: None for what is not finite, Python's own numbers."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _sync_folder(folder: Path) -> None:
    """Flush a folder to the disk: only then a new name is on it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
