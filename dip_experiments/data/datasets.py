"""The pictures that have a name: those inside scikit-image, and the paper's, fetched with `make data`.

`published/datasets.csv` says where the authors keep each file; the files themselves belong to others and are not here.
"""

import argparse
import csv
import difflib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pooch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from dip_experiments.data.folders import check_writable

TABLE = Path(__file__).parents[1] / "published" / "datasets.csv"
SHARED = Path(__file__).parents[3] / "shared" / "data"
"""Folder next to the checkout in which some machines have the files already."""
SERVER = "https://raw.githubusercontent.com"
RETRIES = 2
"""Number of times that a file is requested again in the same command, after 1 and 2 seconds."""
GET = "`make data` (installed with pip: `python -m dip_experiments.data.datasets`)"
SHIPPED = ("astronaut", "camera", "coffee", "chelsea")
"""Pictures inside the scikit-image package: no download."""
FAILED, WRONG, INTERRUPTED = 1, 2, 130


@dataclass(frozen=True)
class File:
    """One file: which `part` of a picture, its `path` below the folder of all, and where its authors keep it."""

    picture: str
    part: str
    path: str
    bytes: int
    sha256: str
    repository: str
    commit: str
    source_path: str

    def url(self, server: str) -> str:
        """Return the public address of the file."""
        return f"{server}/{self.repository}/{self.commit}/{quote(self.source_path)}"

    def is_at(self, path: Path) -> bool:
        """Return True if a path has this very file, byte for byte."""
        return path.is_file() and pooch.file_hash(str(path)) == self.sha256


@functools.cache
def files() -> tuple[File, ...]:
    """Return all files of the paper's pictures."""
    with TABLE.open(newline="", encoding="utf-8") as table:
        return tuple(File(bytes=int(row.pop("bytes")), **row) for row in csv.DictReader(table))


PICTURES = tuple(file.picture for file in files() if file.part == "image")
"""The paper's pictures by name."""


def check_name(name: str) -> str:
    """Return the name of a picture as it was given. Raises ValueError with a close one if no picture has it."""
    return _check(name, [*SHIPPED, "file", *PICTURES])


def parts(picture: str) -> tuple[str, ...]:
    """Return the parts of one of the paper's pictures: `image`, and what the authors made of it or use with it.

    `noisy25`: with their noise of sigma 25; `masked50`: half of the pixels 0; `mask`: white is known; `bicubic_x4`:
    made small and enlarged by 4; `flash`: the same scene in flashlight.
    """
    return tuple(file.part for file in files() if file.picture == picture)


def cache() -> Path:
    """Return the folder that pictures are fetched into: $DIP_DATA, or this package's place in the system's cache."""
    chosen = os.environ.get("DIP_DATA")
    return Path(chosen).expanduser() if chosen else pooch.os_cache("dip_experiments")


def entry(picture: str, part: str = "image") -> File:
    """Return what is known of a file without having it. Raises ValueError with the known names instead."""
    everything = files()
    _check(picture, [file.picture for file in everything])
    found = {file.part: file for file in everything if file.picture == picture}
    if part not in found:
        raise ValueError(f"{picture} has no {part}; it has {', '.join(found)}")
    return found[part]


def locate(picture: str, part: str = "image") -> Path:
    """Return the local file of one of the paper's pictures, its SHA-256 checked.

    Looked for in $DIP_DATA alone if that is set, else in ../shared/data next to the checkout if that exists, else in
    the system's cache. Raises ValueError with what to do.
    """
    file = entry(picture, part)
    folder = SHARED if not os.environ.get("DIP_DATA") and SHARED.is_dir() else cache()
    path = folder / file.path
    if not path.is_file():
        subject = f"image={picture}" + ("" if part == "image" else f", its {part}")
        raise ValueError(f"{subject}: not on this machine (looked in {folder}); get the paper's pictures with {GET}")
    if not file.is_at(path):
        raise ValueError(_not_the_papers(path))
    return path


def fetch(folder: Path, server: str = SERVER) -> int:
    """Fetch what is missing into the folder, from ../shared/data or else from the authors' repositories.

    Returns how many files came. Each appears under its name only when it is complete and right, so another call
    continues with the rest. Raises ValueError for a folder that will not do, ConnectionError if a file cannot be had.
    """
    missing = [file for file in files() if not _is_present(file, folder / file.path)]
    if not missing:
        return 0
    check_writable(folder, "DIP_DATA")
    folder.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")
    source = pooch.create(
        path=folder,
        base_url=server,
        registry={file.path: file.sha256 for file in missing},
        urls={file.path: file.url(server) for file in missing},
        retry_if_failed=RETRIES,
    )
    with _bar() as bar:
        task = bar.add_task("the paper's pictures", total=sum(file.bytes for file in missing))
        for file in missing:
            _bring(source, file)
            bar.advance(task, file.bytes)
    return len(missing)


def main(arguments: Sequence[str] | None = None, server: str = SERVER) -> int:
    """Return the exit code of `make data`: 0, 1 if a file could not be had, 2 for a wrong request."""
    argparse.ArgumentParser(
        description="Fetches the paper's pictures into the folder $DIP_DATA, or the system's cache."
    ).parse_args(arguments)
    try:
        fetched = fetch(cache(), server)
    except (ValueError, ConnectionError) as error:
        print(error, file=sys.stderr)
        return WRONG if isinstance(error, ValueError) else FAILED
    except KeyboardInterrupt:
        print("Interrupted. Ask again to go on from there.", file=sys.stderr)
        return INTERRUPTED
    print(f"{len(files())} files of the paper's pictures in {cache()}, {fetched} of them new")
    return 0


def _bring(source: pooch.Pooch, file: File) -> None:
    path = Path(source.path) / file.path
    local = SHARED / file.path
    try:
        source.fetch(file.path, downloader=_copy(local) if file.is_at(local) else pooch.HTTPDownloader())
        path.chmod(path.parent.stat().st_mode & 0o666)  # pooch's files are the user's alone; a folder may be shared
    except (ValueError, OSError) as error:
        raise ConnectionError(
            f"{source.get_url(file.path)}: {_reason(error)}\n"
            f"What came before stays: ask again to go on from there, or put the file at {path} yourself."
        ) from None


def _copy(local: Path) -> Callable[[str, str, pooch.Pooch], None]:
    def copy(url: str, output: str, source: pooch.Pooch) -> None:
        shutil.copyfile(local, output)

    return copy


def _reason(error: Exception) -> str:
    """Return in short why a file did not come: the errors of the HTTP library are long and carry no number."""
    if isinstance(error, ValueError):
        return "what came has a wrong checksum, it is not the paper's picture"
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answers {response.status_code} {response.reason}"
    return getattr(error, "strerror", None) or "no connection to the server, or it was cut"


def _is_present(file: File, path: Path) -> bool:
    """Return True for the very file; raise ValueError for another one under its name, which is never overwritten."""
    if path.exists() and not file.is_at(path):
        raise ValueError(_not_the_papers(path))
    return path.exists()


def _not_the_papers(path: Path) -> str:
    return f"{path}: not the paper's picture (wrong checksum); delete this file and ask for it again with {GET}"


def _bar() -> Progress:
    """Show the bytes over all files, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))


def _check(name: str, known: Sequence[str]) -> str:
    if name not in known:
        choices = list(dict.fromkeys(known))
        close = difflib.get_close_matches(name, choices)
        hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(choices)}"
        raise ValueError(f"image={name}: there is no such picture; {hint}")
    return name


if __name__ == "__main__":
    sys.exit(main())
