"""A finished run is skipped fast: nothing is built, no image is decoded, and what fits is not even loaded."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import SMALL, Dip, only_run
from PIL import Image

from dip_experiments.architectures import Network
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data import reading
from dip_experiments.jobs.job_status import JobResult
from dip_experiments.runner.run_job import run_settings
from dip_experiments.store import Run, locked

WORDS = [*SMALL, "fit.iterations=2"]
FITS_ONLY = ("pytorch_lightning", "wandb", "scipy.stats", "matplotlib", "dip_experiments.runner.build")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.linear_gradient("L").resize((48, 40)).save(tmp_path / "photo.png")
    return f"image.path={tmp_path / 'photo.png'}"


def settings_of(results: Path, *words: str) -> Settings:
    (job,) = compose_jobs([*WORDS, f"paths.results={results}", *words], multirun=False)
    return read_settings(job)


def test_a_skipped_run_builds_no_network_and_decodes_no_image(
    photo: str, dip: Dip, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    decoded, built = list[str](), list[int]()
    plain_decode, plain_network = reading._decode, Network.__init__
    monkeypatch.setattr(reading, "_decode", lambda file, page: (decoded.append(file.name), plain_decode(file, page))[1])
    monkeypatch.setattr(Network, "__init__", lambda *given, **more: (built.append(0), plain_network(*given, **more))[1])
    reading._decoded.cache_clear()
    assert dip(*WORDS, photo) == 0
    assert len(decoded) == 1
    assert built
    decoded.clear()
    built.clear()
    reading._decoded.cache_clear()
    assert dip(*WORDS, photo) == 0
    assert "skipped (finished before)" in capfd.readouterr().out
    assert (decoded, built) == ([], [])


def test_a_skipped_run_loads_nothing_that_only_fits_need(photo: str, dip: Dip, tmp_path: Path) -> None:
    assert dip(*WORDS, photo) == 0
    words = [*WORDS, photo, f"paths.results={tmp_path / 'results'}"]
    asked = (
        "import sys; from dip_experiments.cli.main import main; "
        f"code = main({words!r}); print(code, set({FITS_ONLY!r}) & sys.modules.keys())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=environment)
    assert "skipped (finished before)" in told.stdout
    assert told.stdout.splitlines()[-1] == "0 set()"


def test_settings_are_run_in_any_thread_without_hydra_and_skipped_the_second_time(tmp_path: Path) -> None:
    settings, results = settings_of(tmp_path / "results"), list[JobResult]()
    for _ in range(2):
        thread = threading.Thread(target=lambda: results.append(run_settings(settings, overrides=["seed=0"])))
        thread.start()
        thread.join()
    assert [result.status for result in results] == ["finished", "skipped"]
    run = only_run(tmp_path)
    assert [(result.run, result.folder) for result in results] == [(run.name, str(run.folder))] * 2
    assert results[0].summary == results[1].summary
    assert (results[0].summary or {})["final"] == run.summary["final"]
    assert run.provenance["sittings"][0]["command"] == ["dip", "seed=0"]
    assert not (run.folder / "hydra").exists()


def test_a_wrong_or_locked_request_is_a_result_that_says_why(tmp_path: Path) -> None:
    refused = run_settings(settings_of(tmp_path / "results", "image.size=1024"))
    assert refused.status == "refused"
    assert "set image.size to 512 or less" in str(refused.message)
    assert not list(tmp_path.iterdir())
    settings = settings_of(tmp_path / "results")
    run = run_settings(settings)
    Run(Path(str(run.folder))).clear()
    with locked(Path(str(run.folder))):
        second = run_settings(settings)
    assert (second.status, second.run) == ("locked", run.run)
    assert f"process {os.getpid()}" in str(second.message)


def test_the_same_numbers_come_of_the_command_line_and_of_settings(dip: Dip, tmp_path: Path) -> None:
    assert dip(*WORDS, "-m", "seed=3") == 0
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    result = run_settings(settings_of(tmp_path / "others", "seed=3"))
    assert result.run == folder.name
    assert (Path(str(result.folder)) / "curves.csv").read_bytes() == (folder / "curves.csv").read_bytes()
