"""The store: one folder per run under the hash of its settings. Plain files; never imports torch."""

import csv
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import filelock
import numpy as np
import png
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Columns = dict[str, Array]
PACKAGES = ("dip_experiments", "torch", "pytorch-lightning", "hydra-core", "numpy", "pillow", "scikit-image", "wandb")
"""Packages whose versions a run records."""


def signature(identity: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that name a run: the hash of all settings that can change its numbers."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


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


@dataclass(frozen=True)
class Run:
    """One run's folder and what it gives back."""

    folder: Path

    @property
    def name(self) -> str:
        """The signature."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """Whether the summary, which is written last, is there."""
        return (self.folder / "summary.json").exists()

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished run keeps its state."""
        return self.folder / "checkpoint.pt"

    @property
    def failure(self) -> str | None:
        """Why the run stopped without a result, or None."""
        path = self.folder / "failure.txt"
        return path.read_text() if path.exists() else None

    @property
    def settings(self) -> dict[str, Any]:
        return self._json("settings.json")

    @property
    def provenance(self) -> dict[str, Any]:
        return self._json("provenance.json")

    @property
    def summary(self) -> dict[str, Any]:
        return self._json("summary.json")

    @property
    def curves(self) -> list[Columns]:
        """Columns of curves.csv, one set per replica; row i is iteration i + 1."""
        columns = read_columns(self.folder / "curves.csv")
        replicas = columns["replica"].astype(int)
        return [{name: column[replicas == r] for name, column in columns.items()} for r in range(replicas.max() + 1)]

    def image(self, name: str, replica: int) -> Path:
        """One replica's image: `target` (the measurement), `reference`, `iteration-000100`, `average`.

        `average-001800`: the average as it was then; `unperturbed`: the output for the latent itself; `flash`: the
        latent of all replicas, kept as replica 0's.
        """
        return self.folder / "images" / f"{name}-replica{replica}.png"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second process out. Raises ValueError while another one fits this run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.folder / "lock", timeout=0):
                yield
        except filelock.Timeout:
            raise ValueError(f"run {self.name} is being fitted by another process; wait for it, or stop it") from None

    def clear(self) -> None:
        """Forgets a former result, so that the run can be made again."""
        for name in ("summary.json", "checkpoint.pt", "failure.txt"):
            (self.folder / name).unlink(missing_ok=True)

    def _json(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / name).read_text())
        return loaded


@dataclass(frozen=True)
class Store:
    """All runs below one results folder."""

    results: Path

    def run(self, name: str) -> Run:
        """The run of that signature, there or not."""
        return Run(self.results / "runs" / name)

    def write_grid(self, experiment: str, scale: str, names: list[str]) -> None:
        """Remembers which runs an experiment consists of, as last asked for at this scale."""
        write_json(self._grid(experiment, scale), names)

    def finished(self, experiment: str, scale: str) -> list[Run]:
        """The runs of an experiment that are finished: all, some or none of them."""
        return [run for run in self._asked(experiment, scale) if run.finished]

    def read_grid(self, experiment: str, scale: str) -> list[Run]:
        """The finished runs of an experiment. Raises ValueError, naming the command, if any is missing."""
        runs = self._asked(experiment, scale)
        missing = [run.name for run in runs if not run.finished]
        if missing or not runs:
            lack = f"{len(missing)} of {len(runs)} runs are not finished" if runs else "no runs"
            raise ValueError(
                f"{experiment} at scale {scale} in {self.results}: {lack}; make them with "
                f"`dip -m experiment={experiment} scale={scale} paths.results={self.results}`"
            )
        return runs

    def _asked(self, experiment: str, scale: str) -> list[Run]:
        path = self._grid(experiment, scale)
        return [self.run(name) for name in json.loads(path.read_text())] if path.exists() else []

    def _grid(self, experiment: str, scale: str) -> Path:
        return self.results / "runs" / f"{experiment}-{scale}.json"


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


def provenance(seeds: list[int], device: str, threads: int, command: list[str]) -> dict[str, Any]:
    """What is needed to repeat a run or to doubt it: code, versions, machine, seeds, command."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": _uncommitted(),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "device": device,
        "threads": threads,
        "seeds": seeds,
        "command": command,
    }


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return f"{found[1] if found else platform.processor() or 'unknown processor'}, {os.cpu_count()} cores"


def _uncommitted() -> bool | None:
    status = _git("status", "--porcelain", "--", "dip_experiments", "conf", "scripts")
    return None if status is None else bool(status)


def _git(*words: str) -> str | None:
    """What git says about the checkout that this package runs from; None for an installed package."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


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
