"""Refuse before a pixel is decoded: what is no file, and more pixels than anybody fits."""

import stat
from pathlib import Path

READ = "PNG, JPEG, TIFF and .npy"
MOST_PIXELS = 100_000_000
"""The largest picture that is read (ours): 2.4 GB as float64 RGB."""


class Refused(ValueError):
    """An error that says why a file is not read and what to do, without its name."""


def check_file(path: Path, key: str) -> None:
    """Raise ValueError, naming the setting `key`, unless `path` is a file with something in it.

    Opens nothing: a pipe would wait for its writer, and a device may never end.
    """
    if reason := _unreadable(path):
        raise ValueError(f"{key}={path}: {reason}")


def check_pixels(height: int, width: int) -> None:
    """Raise Refused for a picture of more than `MOST_PIXELS`, by what the head of its file claims."""
    if height * width > MOST_PIXELS:
        raise too_many(f"{height} x {width}")


def too_many(claimed: str) -> Refused:
    """Return the refusal of a picture that claims so many pixels."""
    return Refused(f"claims {claimed} pixels, at most {MOST_PIXELS:,} are read; scale it down or cut it first")


def _unreadable(path: Path) -> str | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"no such file (looked in {Path.cwd()})"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except ValueError:
        return "no name of a file: it has a character of code 0"
    if stat.S_ISDIR(found.st_mode):
        return "a folder, not an image file; give the name of a picture in it"
    if not stat.S_ISREG(found.st_mode):
        return "a pipe, socket or device, not an image file; save the picture as a file first"
    return None if found.st_size else f"an empty file, not an image file; {READ} are read"
