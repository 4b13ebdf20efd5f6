"""The paper's pictures are options of `image`, known by content, and never overwritten."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, Dip, only_run
from PIL import Image

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import options
from dip_experiments.data import datasets
from dip_experiments.data.datasets import PICTURES, SHIPPED, File
from dip_experiments.store import file_digest


def test_every_picture_is_an_option_of_its_name() -> None:
    assert set(options("image")) == {*PICTURES, *SHIPPED, "file"}
    assert [name for name in options("image") if "/" not in name] == sorted([*SHIPPED, "file"])
    (job,) = compose_jobs(["image=cset9/f16", "scale=paper"], multirun=False)
    assert job.image == {"path": None, "size": None, "fit": "crop", "multiple": 1, "name": "cset9/f16"}
    (job,) = compose_jobs(["image=paper/snail", "scale=laptop"], multirun=False)
    assert job.image.size == 128


def picture_in(folder: Path, content: int) -> Path:
    path = folder / "cset9" / "f16.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(content).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    return path


def pretend(path: Path) -> Callable[[], list[File]]:
    """A table in which the file at `path` is CSet9's F16."""
    file = File("cset9/f16", "image", "cset9/f16.png", path.stat().st_size, file_digest(path), "", "", "")
    return lambda: [file]


def test_a_fit_knows_its_picture_by_content(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "data"))
    words = [*SMALL, "image=cset9/f16", "fit.iterations=2", "target=natural"]
    monkeypatch.setattr(datasets, "files", pretend(picture_in(tmp_path / "data", 0)))
    assert dip(*words) == 0
    first = only_run(tmp_path)
    assert first.settings["image"]["name"] == "cset9/f16"
    monkeypatch.setattr(datasets, "files", pretend(picture_in(tmp_path / "data", 1)))
    assert dip(*words) == 0
    assert len([path for path in first.folder.parent.iterdir() if path.is_dir()]) == 2


def test_a_fit_of_a_missing_picture_says_how_to_get_it(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "data"))
    assert dip(*SMALL, "image=set5/baby") == 2
    told = capfd.readouterr().err
    assert "`make data`" in told
    assert len(told.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_output_never_overwrites_a_picture_of_the_paper(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = picture_in(tmp_path / "data", 0)
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(datasets, "files", pretend(path))
    assert dip(*SMALL, "image=cset9/f16", f"output={path}") == 2
    assert "would overwrite the input" in capfd.readouterr().err
