"""Every record in git comes of code that is in git, and is whole."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

from dip_experiments.store import Run, doubtful_code

ROOT = Path(__file__).parents[1]
RECORDS = [Run(path.parent) for path in sorted((ROOT / "results").glob("*/records/*/provenance.json"))]


def git(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)


@cache
def is_known(commit: str) -> bool:
    """Whether it is the commit that is checked out, or one before it."""
    return git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0


def doubtful() -> set[str]:
    """Names of the records whose code nobody can look up."""
    history = git("rev-parse", "--is-shallow-repository").stdout.strip() == "false"
    if not history:
        pytest.skip("the history of the code is not here")
    commits = {run.name: {sitting["commit"] for sitting in run.provenance["sittings"]} for run in RECORDS}
    unknown = {name for name, of in commits.items() if not all(commit and is_known(commit) for commit in of)}
    return unknown | {run.name for run in RECORDS if doubtful_code(run.provenance)}


def test_records_are_of_committed_code() -> None:
    """If a record is named here: fit it again from a clean checkout."""
    assert doubtful() == set()


def test_records_are_whole() -> None:
    assert {run.name: run.integrity_errors() for run in RECORDS if not run.finished} == {}


@pytest.mark.parametrize(
    ("sittings", "said"),
    [
        ([("0" * 40, False)], ""),
        ([("0" * 40, False), ("0" * 40, True)], "not committed"),
        ([("0" * 40, None)], "nobody knows the commit"),
        ([(None, None)], "nobody knows the commit"),
        ([], "nobody knows the commit"),
    ],
)
def test_what_is_known_of_a_runs_code_is_reported(sittings: list[tuple[str | None, bool | None]], said: str) -> None:
    found = [{"commit": commit, "uncommitted_changes": changed} for commit, changed in sittings]
    assert said in doubtful_code({"sittings": found})
    assert bool(doubtful_code({"sittings": found})) == bool(said)
