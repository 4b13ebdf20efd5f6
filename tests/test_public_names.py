"""Baselines and stored runs from Python: the same numbers as inside, in the layout of the picture."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Dip, only_run
from test_api import CLEAN, NOISY, WORDS, fit

import dip_experiments as dipx
from dip_experiments.baselines import classical
from dip_experiments.fitting import progress

COLOUR = np.stack([NOISY, NOISY[::-1], NOISY[:, ::-1]], axis=-1)


def test_every_public_name_can_be_had_and_no_other() -> None:
    for name in dipx.__all__:
        assert getattr(dipx, name) is not None
        assert name in dir(dipx)
    for name in dipx.baselines.__all__:
        assert callable(getattr(dipx.baselines, name))
    with pytest.raises(AttributeError, match="no attribute nothing"):
        dipx.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute nothing"):
        dipx.baselines.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["non_local_means", "total_variation", "wavelet", "sliding_cosines"])
def test_a_denoiser_takes_a_picture_in_any_layout(name: str) -> None:
    wanted = getattr(classical, name)(np.moveaxis(COLOUR / 255, 2, 0), 20.0)
    found = getattr(dipx.baselines, name)(COLOUR, sigma=20.0)
    np.testing.assert_array_equal(found, np.moveaxis(wanted, 0, 2))
    np.testing.assert_array_equal(
        getattr(dipx.baselines, name)(torch.from_numpy(np.moveaxis(COLOUR, 2, 0)), 20.0), wanted
    )
    assert getattr(dipx.baselines, name)(NOISY, 20.0).shape == NOISY.shape


def test_holes_are_filled_and_small_pictures_enlarged() -> None:
    known = np.random.default_rng(0).uniform(size=NOISY.shape) > 0.3
    filled = dipx.baselines.nearest_known(CLEAN * known, known)
    np.testing.assert_array_equal(filled[known], CLEAN[known])
    assert np.abs(filled - CLEAN).mean() < 0.3 * np.abs(CLEAN * ~known).mean()
    assert dipx.baselines.biharmonic(COLOUR * known[..., None], known).shape == COLOUR.shape
    assert dipx.baselines.bicubic(NOISY, factor=2).shape == (40, 48)


@pytest.mark.thorough
def test_a_run_from_python_is_that_of_the_command(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*WORDS, "image.size=32", "fit.iterations=5", f"paths.results={tmp_path / 'results'}"]
    assert dip(*WORDS, "image.size=32", "fit.iterations=5") == 0
    stored = only_run(tmp_path)
    before = (stored.folder / "summary.json").stat().st_mtime_ns
    run = dipx.run(*words)
    assert run.name == stored.name
    assert (run.folder / "summary.json").stat().st_mtime_ns == before
    assert dipx.run(*words, "seed=1").name != run.name
    with pytest.raises(ValueError, match="did you mean"):
        dipx.run(*words, "targt=noise")
    with pytest.raises(ValueError, match="needs sides that it divides"):
        dipx.run(*words, "task=super_resolution", "image.size=33")
    with pytest.raises(ValueError, match="8 runs; choose one of architecture=skip,pixels target=natural,noisy"):
        dipx.run("experiment=fig2", "scale=smoke")


@pytest.mark.thorough
def test_runs_without_an_experiment_are_loaded_by_the_name_single(dip: Dip, tmp_path: Path) -> None:
    words = [*WORDS, "image.size=32", "fit.iterations=5"]
    for seed in (1, 0):
        assert dip(*words, f"seed={seed}") == 0
    assert dip(*words, "scale=demo") == 0
    runs = dipx.load_runs("single", scale="smoke", results=tmp_path / "results")
    assert [run.seeds for run in runs] == [[1], [0]]
    curves = runs.curves()
    assert curves["seed"].tolist() == [1] * 5 + [0] * 5
    assert curves["iteration"].dtype == curves["replica"].dtype == np.int64
    (one,) = dipx.load_runs("single", *words[1:], "seed=0", scale="smoke", results=tmp_path / "results")
    assert one.name == runs[1].name


def test_in_a_notebook_progress_is_one_line_that_is_overwritten(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "Console", partial(progress.Console, force_jupyter=True))
    fit(progress=True)
    told = capsys.readouterr().err
    assert told.startswith("\rskip: ")
    assert told.rpartition("\r")[2].startswith("skip: 10/10")  # a slow computer shows some before the last
    assert told.count("\n") == 1
    assert told.endswith("\n")
    fit(progress=False)
    assert capsys.readouterr().err == ""
