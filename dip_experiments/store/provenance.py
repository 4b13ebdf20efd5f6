"""Provenance of a run: id, code, versions and machine of each session."""

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dip_experiments.store.files import value_digest

PACKAGES = ("dip_experiments", "torch", "pytorch-lightning", "hydra-core", "numpy", "pillow", "scikit-image", "wandb")
"""Packages whose versions a run records."""


def signature(identity: Mapping[str, Any]) -> str:
    """Return the id of a run, 16 hexadecimal digits: the hash of all settings that can change its numbers."""
    return value_digest(dict(identity))[:16]


def describe_session(device: str, threads: int, command: list[str], done: int) -> dict[str, Any]:
    """Return code, versions, machine and command of one session of a run, which started after `done` iterations."""
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "after_iteration": done,
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": _uncommitted(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "device": device,
        "threads": threads,
        "command": command,
    }


def doubtful_code(provenance: Mapping[str, Any]) -> str:
    """Return why the code of a run cannot be looked up; empty where it was committed in every session.

    A commit of an installed package is not known.
    """
    sessions = provenance.get("sittings", [])
    found = [(session.get("commit"), session.get("uncommitted_changes")) for session in sessions]
    if any(changed for _, changed in found):
        return "the code that fits it was not committed"
    if not found or any(not commit or changed is None for commit, changed in found):
        return "nobody knows the commit of the code that fits it"
    return ""


def version(package: str) -> str:
    """Return the version of an installed package, or `not installed`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return f"{found[1] if found else platform.processor() or 'unknown processor'}, {os.cpu_count()} cores"


def _uncommitted() -> bool | None:
    status = _git("status", "--porcelain", "--", "dip_experiments", "conf", "scripts")
    return None if status is None else bool(status)


def _git(*arguments: str) -> str | None:
    """Run git in the checkout of this package and return its output; None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
