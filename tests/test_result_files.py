"""A job in another process has the result that it wrote last."""

from dataclasses import replace
from pathlib import Path

from dip_experiments.jobs.result_files import ResultFiles


def test_a_job_that_was_interrupted_and_queued_again_has_its_later_result(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path)
    started = files.start_job(0, ["seed=0"])
    assert started is not None
    assert [result.is_running for result in files.read()] == [True]
    files.write_result(0, replace(started, status="interrupted"))
    assert [result.status for result in files.read()] == ["interrupted"]
    again = files.start_job(0, ["seed=0"])
    assert again is not None
    assert again.attempt == 2
    files.write_result(0, replace(again, status="resumed"))
    assert [result.status for result in files.read()] == ["resumed"]
