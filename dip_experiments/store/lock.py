"""One process at a time fits a run; who it is, is told."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from dip_experiments.store.files import read_json, remove_unfinished, write_json


class BeingFitted(Exception):
    """Another process fits the run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a run's folder. Raises BeingFitted, saying who has it."""
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / "owner.json"
    try:
        with filelock.FileLock(folder / "lock", timeout=0):
            remove_unfinished(folder)
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            write_json(owner, {"host": platform.node(), "pid": os.getpid(), "since": since})
            try:
                yield
            finally:
                owner.unlink(missing_ok=True)
    except filelock.Timeout:
        raise BeingFitted(_told(owner)) from None


def _told(owner: Path) -> str:
    try:
        words = read_json(owner)
        return f"process {words['pid']} on {words['host']} fits it since {words['since']}"
    except (OSError, json.JSONDecodeError, ValueError, KeyError):
        return "another process fits it"
