"""Lock of a run: one process at a time fits it, and its name can be read by others."""

import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

from dip_experiments.store.files import REPLACEMENT, read_json, remove_unfinished, write_json

OWNER = "owner.json"


class RunLocked(Exception):
    """Another process holds the lock of the run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder, which may be renamed or removed meanwhile.

    The lock is a file next to the folder. Its owner removes it while it is still held, so that a process that was about
    to take it finds a file without a name and has no lock.

    Raises:
        RunLocked: With the name of the process that holds it.
    """
    path = folder.with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path, timeout=0):
            try:
                folder.mkdir(exist_ok=True)
                for one in (folder, folder.with_name(f"{folder.name}{REPLACEMENT}")):
                    remove_unfinished(one)
                write_owner(folder)
                yield
            finally:
                (folder / OWNER).unlink(missing_ok=True)
                for remove in (folder.rmdir, path.unlink):
                    with suppress(OSError):  # a folder that is not empty stays; some systems remove no open file
                        remove()
    except filelock.Timeout:
        raise RunLocked(_describe(read_owner(folder))) from None


def write_owner(folder: Path) -> None:
    """Write the name of this process into a folder."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    write_json(folder / OWNER, {"host": platform.node(), "pid": os.getpid(), "since": since})


def read_owner(folder: Path) -> dict[str, Any]:
    """Return `host`, `pid` and `since` of the process that holds a folder, or held it when killed; empty if none."""
    with suppress(OSError, ValueError):
        return read_json(folder / OWNER)
    return {}


def alive(owner: Mapping[str, Any]) -> bool:
    """Return True if the process of `read_owner` lives; one of another machine is taken to live."""
    if not owner or owner.get("host") != platform.node():
        return bool(owner)
    try:
        os.kill(int(owner["pid"]), 0)
    except PermissionError:
        return True
    except (OSError, KeyError, ValueError, OverflowError):
        return False
    return True


def _describe(owner: Mapping[str, Any]) -> str:
    try:
        return f"process {owner['pid']} on {owner['host']} fits it since {owner['since']}"
    except KeyError:
        return "another process fits it"
