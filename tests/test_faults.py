"""What goes wrong is said in a line, and nothing half-written is taken for a result."""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SMALL, Dip, fresh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dip_experiments.cli.main import main
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.jobs.job_status import REUSE_RECORDS
from dip_experiments.runner import run_job
from dip_experiments.schema import flat
from dip_experiments.store import Run, Store, states

WORDS = ["fit.iterations=20", "fit.checkpoint_every=10"]
EVERYWHERE = ("seed",)
"""Numbers that may be negative."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system in memory with room for so many kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(*options: str) -> Path:
        asked = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place)]
        if subprocess.run(asked, capture_output=True, check=False).returncode:
            pytest.skip("a file system can only be mounted by root")
        return place

    yield mounted
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def test_a_full_disk_ends_the_run_in_plain_words_and_what_is_there_is_no_result(
    small_disk: Callable[..., Path], dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = fresh(tmp_path, dip, *WORDS)
    disk = small_disk("size=220k")
    capfd.readouterr()
    assert main([*SMALL, *WORDS, f"paths.results={disk}"]) == 1
    told = capfd.readouterr().err
    assert "No space left on device" in told
    assert "Traceback" not in told
    assert [state.status for state in states(disk)] in (["failed"], ["interrupted"], ["aborted"])
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    assert main([*SMALL, *WORDS, f"paths.results={disk}"]) == 0
    (state,) = states(disk)
    assert state.run.finished
    assert (state.run.folder / "curves.csv").read_bytes() == (whole.folder / "curves.csv").read_bytes()


def test_a_store_that_cannot_be_written_is_refused_before_anything_is_fitted(
    small_disk: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk("ro", "size=1m")
    assert main([*SMALL, *WORDS, f"paths.results={disk}"]) == 2
    assert "choose another folder with paths.results=" in capfd.readouterr().err


@pytest.mark.thorough
def test_a_damaged_record_is_named_and_its_run_made_again(
    dip: Dip, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REUSE_RECORDS, "yes")
    run = fresh(tmp_path, dip, *WORDS)
    record = Store(tmp_path / "results").export_record(run, "smoke")
    curves = (run.folder / "curves.csv").read_bytes()
    shutil.rmtree(run.folder)
    (record.folder / "curves.csv").write_text("")
    assert dip(*SMALL, *WORDS) == 0
    assert f"record {run.name}: curves.csv was changed" in caplog.text
    assert (run.folder / "curves.csv").read_bytes() == curves
    assert Run(run.folder).finished


@pytest.mark.parametrize("what", ["settings.json", "provenance.json"])
def test_a_finished_run_whose_words_were_changed_is_no_result(what: str, dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *WORDS)
    words = json.loads((run.folder / what).read_text())
    (run.folder / what).write_text(json.dumps(words | {"seed": 7}))
    assert Run(run.folder).integrity_errors() == [f"{what} was changed"]
    assert dip(*SMALL, *WORDS) == 0
    assert (run.folder.with_name(f"{run.name}.damaged-1") / what).exists()


@pytest.mark.thorough
def test_a_clock_that_jumps_back_changes_no_result_and_no_time_that_was_spent(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = (fresh(tmp_path, dip, *WORDS).folder / "curves.csv").read_bytes()
    jumping, real = itertools.count(), time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86400 * next(jumping))
    run = fresh(tmp_path, dip, *WORDS)
    assert (run.folder / "curves.csv").read_bytes() == curves
    assert 0 < run.summary["wall_seconds"] < 600


def numbers() -> list[str]:
    """Settings of plain `dip` that are numbers."""
    default = flat(read_settings(compose_jobs([], multirun=False)[0]).to_dict())
    of_their_own = {key for key in default if key.startswith(("experiment.", "scale."))}
    return sorted(
        key
        for key, value in default.items()
        if type(value) in (int, float) and key not in of_their_own and key not in EVERYWHERE
    )


NO_NUMBER = st.one_of(
    st.text(st.sampled_from("abc{}[]()'\"$,:=\\ %ä"), min_size=1, max_size=12),
    st.floats(max_value=-1e-6, allow_infinity=False).map(str),
    st.sampled_from(["nan", "inf", "-inf", "true", "[]", "{}", "1e999", "0x10", "1_000_", "--", "1 2", "${seed}.5"]),
)
"""Words that are no number of any setting."""


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_malformed_overrides_are_refused_before_anything_begins(
    data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_job, "fit_and_record", lambda *words: pytest.fail("begun"))
    key = data.draw(st.sampled_from(numbers()))
    word = f"{key}={data.draw(NO_NUMBER)}"
    assert main(["logger=none", word]) == 2, word
    told = capfd.readouterr().err
    assert 0 < len(told.splitlines()) <= 4, word
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())
