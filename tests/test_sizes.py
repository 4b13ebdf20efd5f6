"""A picture of any size is fitted and given back as large as it is, whatever size the network computes on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, load_image, only_run
from interruptions import interrupt_at

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.data.reading import read_image
from dip_experiments.runner.build import load, make_task
from dip_experiments.store import Run, write_image

ODD = load_image("coffee", None, 64, "resize")[:, :37, :50]
WORDS = ["image=file", "image.size=null", "task=denoising", "fit.iterations=8"]
"""After SMALL: the network, three scales deep, computes on 40 x 56 pixels."""


@pytest.fixture
def odd(tmp_path: Path) -> list[str]:
    write_image(tmp_path / "odd.png", ODD)
    return [*WORDS, f"image.path={tmp_path / 'odd.png'}"]


@pytest.mark.parametrize(
    "task",
    [["task=inpainting", "task/mask=bernoulli", "latent=meshgrid"], ["task=jpeg", "architecture.downsample=lanczos2"]],
    ids=" ".join,
)
def test_every_image_of_a_run_has_the_size_of_the_picture(
    task: list[str], odd: list[str], dip: Dip, tmp_path: Path
) -> None:
    run = fresh(tmp_path, dip, *odd, *task, f"output={tmp_path / 'out' / 'restored.png'}")
    images = list((run.folder / "images").iterdir())
    assert {path.name.split("-replica")[0] for path in images} >= {
        "target",
        "average",
        "unperturbed",
        "iteration-000008",
    }
    assert {read_image(path).shape for path in [*images, tmp_path / "out" / "restored.png"]} == {(3, 37, 50)}


def test_a_small_picture_of_odd_size_is_enlarged_by_the_factor_exactly(dip: Dip, tmp_path: Path) -> None:
    write_image(tmp_path / "small.png", ODD[:, :17, :21])
    words = ["task=super_resolution", "task.source=low_resolution", "task.factor=4", f"output={tmp_path / 'large.png'}"]
    run = fresh(tmp_path, dip, *WORDS, f"image.path={tmp_path / 'small.png'}", *words)
    assert read_image(run.image("target", 0)).shape == (3, 17, 21)
    assert read_image(run.image("average", 0)).shape == (3, 68, 84)
    assert read_image(tmp_path / "large.png").shape == (3, 68, 84)


def test_sides_are_cut_to_the_multiple_that_super_resolution_needs(odd: list[str], tmp_path: Path) -> None:
    words = [*SMALL, *odd, "task=super_resolution", "task.factor=4", "image.multiple=4"]
    (job,) = compose_jobs(words, multirun=False)
    settings = read_settings(job)
    task = make_task(settings, load(settings), settings.seeds)
    assert task.measurement.shape == (1, 3, 9, 12)
    assert task.reference is not None
    assert (task.reference[0].numpy() == read_image(tmp_path / "odd.png")[:, :36, :48]).all()


def test_a_replica_of_a_padded_fit_is_exactly_the_single_fit_with_its_seed(
    odd: list[str], dip: Dip, tmp_path: Path
) -> None:
    words = [*SMALL, *odd, "task/noise=gaussian", "precision=float64", "fit.block=4"]
    assert dip(*words, "replicas=2") == 0
    folded = only_run(tmp_path)
    assert read_image(folded.image("average", 1)).shape == (3, 37, 50)
    assert dip(*words, "seed=1") == 0
    runs = [Run(path) for path in folded.folder.parent.iterdir()]
    (single,) = [run for run in runs if run.name != folded.name]
    for column in ("loss", "psnr_measurement", "psnr_reference", "psnr_average"):
        np.testing.assert_allclose(folded.curves[1][column], single.curves[0][column], rtol=0, atol=1e-8)
    assert np.abs(folded.curves[0]["loss"] - folded.curves[1]["loss"]).max() > 1e-4


@pytest.mark.thorough
def test_an_interrupted_padded_fit_resumes_to_the_very_pictures(
    odd: list[str], dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*odd, "task=inpainting", "task/mask=bernoulli", "fit.block=4", f"output={tmp_path / 'restored.png'}"]

    def left(of: Run) -> list[bytes]:
        paths = [of.folder / "curves.csv", tmp_path / "restored.png", *sorted((of.folder / "images").iterdir())]
        return [path.read_bytes() for path in paths]

    whole = fresh(tmp_path, dip, *words)
    expected = left(whole)
    for path in [*whole.folder.rglob("*.*"), tmp_path / "restored.png"]:
        path.unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 6)
        assert dip(*SMALL, *words) == 130
    assert torch.load(whole.checkpoint, weights_only=True)["fit"]["done"] == 4
    assert not (tmp_path / "restored.png").exists()
    assert dip(*SMALL, *words) == 0
    assert left(whole) == expected
