"""Results of other methods on a measurement, stored once: by method, version, settings and measurement."""

import shutil
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from dip_experiments.store.files import Array, read_json, value_digest, write_image, write_json


def age(versions: str) -> tuple[int, list[tuple[str, bool, Version]], str]:
    """Return what sorts entries by their versions, the latest last: `scipy 1.9.3` before `scipy 1.10.0, epoch 2`.

    Epochs come first, then the libraries' versions; what is no version is older than any that is one.
    """
    parts = dict(part.rpartition(" ")[::2] for part in versions.split(", "))
    epoch = int(parts.pop("epoch", 1))
    return epoch, [(name, *_version(value)) for name, value in parts.items()], versions


def _version(value: str) -> tuple[bool, Version]:
    try:
        return True, Version(value)
    except InvalidVersion:
        return False, Version("0")


@dataclass(frozen=True)
class Baselines:
    """One JSON file, and a PNG where one was given, per method and measurement in one folder."""

    folder: Path

    def find(
        self, method: str, version: str | None, measurement: str, settings: Mapping[str, Any]
    ) -> dict[str, float] | None:
        """Return the numbers of a method; `version` None takes those of any, the latest: see `age`."""
        found = [entry for entry in self._of(method, measurement, settings) if version in (None, entry["version"])]
        return None if not found else dict(found[-1]["numbers"])

    def add(
        self,
        method: str,
        version: str,
        measurement: str,
        settings: Mapping[str, Any],
        numbers: Mapping[str, float],
        picture: Array | None = None,
    ) -> None:
        """Store the numbers, and the picture "c h w" in [0, 1] where one will be shown."""
        key = {"method": method, "version": version, "measurement": measurement, "words": dict(settings)}
        path = self.folder / f"{method}-{value_digest(key)[:16]}.json"
        if picture is not None:
            write_image(path.with_suffix(".png"), picture)
        write_json(path, {**key, "numbers": dict(numbers)})

    def picture(self, method: str, version: str | None, measurement: str, settings: Mapping[str, Any]) -> Path | None:
        """Return the file of the picture that was stored with the numbers, None without one."""
        found = [
            path
            for entry in self._of(method, measurement, settings)
            if version in (None, entry["version"]) and (path := Path(entry["path"]).with_suffix(".png")).exists()
        ]
        return found[-1] if found else None

    def give(self, other: "Baselines", measurements: Set[str]) -> None:
        """Copy what was made of some measurements to `other`, but for what it has."""
        for path in sorted(self.folder.glob("*.json")):
            if read_json(path)["measurement"] in measurements:
                for source in (path, path.with_suffix(".png")):
                    copy = other.folder / source.name
                    if source.exists() and not copy.exists():
                        copy.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(source, copy)

    def _of(self, method: str, measurement: str, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        paths = sorted(self.folder.glob(f"{method}-*.json"))
        entries = sorted(({**read_json(path), "path": str(path)} for path in paths), key=lambda it: age(it["version"]))
        for entry in entries:
            if (entry["measurement"], entry["words"]) == (measurement, dict(settings)):
                yield entry
