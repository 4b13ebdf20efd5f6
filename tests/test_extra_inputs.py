"""What belongs to a picture, the authors' mask, noise and flash, reaches the fit cut as the picture is."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from conftest import SMALL, Dip, every_third_first, fresh, load_image
from numpy.typing import NDArray

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data import datasets
from dip_experiments.data.datasets import File
from dip_experiments.data.reading import read_image
from dip_experiments.fitting.fit import make_latent
from dip_experiments.operators import Mask
from dip_experiments.runner.build import flash_image, load, make_task
from dip_experiments.runner.select_runs import run_id
from dip_experiments.runner.validate import validate
from dip_experiments.store import file_digest, write_image
from dip_experiments.tasks import Task

Pixels = NDArray[np.float64]
CLEAN = (np.random.default_rng(0).integers(1, 256, (3, 48, 56)) / 255).astype(np.float64)
"""8 bit, no black."""
NOISY = np.random.default_rng(1).integers(0, 256, CLEAN.shape) / 255
KNOWN = np.random.default_rng(2).random(CLEAN.shape[1:]) < 0.5
PARTS = {
    ("cset9/f16", "image"): CLEAN,
    ("cset9/f16", "noisy25"): NOISY,
    ("standard11/barbara", "image"): CLEAN[:1],
    ("standard11/barbara", "masked50"): CLEAN[:1] * KNOWN,
    ("paper/kate", "image"): CLEAN,
    ("paper/kate", "mask"): KNOWN[None].astype(np.float64),
    ("paper/cave", "image"): CLEAN,
    ("paper/cave", "flash"): NOISY,
}
CENTRE = np.s_[..., 8:40, 12:44]
"""The middle 32 x 32 pixels."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of data in which four of the paper's pictures are small, each with its companion."""
    table = []
    for (picture, part), content in PARTS.items():
        path = tmp_path / "data" / picture / f"{part}.png"
        write_image(path, content)
        place = path.relative_to(tmp_path / "data").as_posix()
        table.append(File(picture, part, place, path.stat().st_size, file_digest(path), "", "", ""))
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(datasets, "files", lambda: table)


def settings(*words: str) -> Settings:
    (job,) = compose_jobs([*SMALL, *words], multirun=False)
    return read_settings(job)


def made(asked: Settings) -> Task:
    return make_task(asked, load(asked), asked.seeds)


def check(given: torch.Tensor | None, wanted: Pixels) -> None:
    assert given is not None
    np.testing.assert_allclose(given[0].numpy(), wanted, rtol=0, atol=1e-9)


def known(task: Task) -> NDArray[np.bool_]:
    assert isinstance(task.operator, Mask)
    return task.operator.known.numpy()


def test_the_authors_noisy_picture_is_measured_and_the_clean_one_is_the_reference(data: None) -> None:
    task = made(settings("image=cset9/f16", "task=denoising", "task/noise=noisy25", "replicas=2"))
    check(task.measurement, NOISY[CENTRE])
    check(task.reference, CLEAN[CENTRE])
    assert torch.equal(*task.measurement)


@pytest.mark.parametrize("image", ["standard11/barbara", "paper/kate"], ids=["masked picture", "mask"])
def test_the_authors_mask_hides_their_pixels_in_every_channel_and_replica(image: str, data: None) -> None:
    task = made(settings(f"image={image}", "task=inpainting", "task/mask=authors", "replicas=2"))
    clean = CLEAN[: 1 if image == "standard11/barbara" else 3]
    assert (known(task) == KNOWN[CENTRE]).all()
    check(task.measurement, (clean * KNOWN)[CENTRE])
    check(task.reference, clean[CENTRE])


def test_where_a_mask_is_scaled_missing_wins(tmp_path: Path) -> None:
    """A scratch of one pixel must not vanish: half of it would be taken for the picture."""
    write_image(tmp_path / "photo.png", np.full((3, 96, 96), 0.5))
    mask = np.ones((1, 96, 96))
    mask[:, 40, 3:90] = 0
    write_image(tmp_path / "mask.png", mask)
    words = [f"image.path={tmp_path / 'photo.png'}", "image=file", "task=inpainting", "task/mask=damage"]
    found = known(made(settings(*words, f"task.mask.path={tmp_path / 'mask.png'}")))[0, 0]
    assert not found[13, 2:29].any()
    assert found[[11, 16]].all()
    assert found.mean() > 0.85


def test_the_flash_picture_of_the_authors_is_the_latent_with_its_border_repeated(data: None) -> None:
    asked = settings("image=paper/cave", "task=flash_no_flash", "image.size=36", "replicas=2")
    planned = validate(asked)
    network = planned.build(2)
    latent = make_latent(asked.latent, network, made(asked), asked.seeds, flash_image(planned.pictures))
    inside = NOISY[:, 6:42, 10:46]
    assert latent.shape == (2, 3, 40, 40)
    check(latent, np.pad(inside, ((0, 0), (2, 2), (2, 2)), mode="edge"))
    assert torch.equal(*latent)
    check(made(asked).measurement, CLEAN[:, 6:42, 10:46])
    assert made(asked).reference is None


def test_a_flash_picture_of_ones_own_is_the_latent_and_part_of_the_runs_name(dip: Dip, tmp_path: Path) -> None:
    dark, flash = (load_image(name, None, 40, "resize")[:, :37] for name in ("coffee", "astronaut"))
    write_image(tmp_path / "dark.png", dark)
    words = ["image=file", f"image.path={tmp_path / 'dark.png'}", "image.size=null", "task=flash_no_flash"]
    words += [f"task.flash={tmp_path / 'flash.png'}", "fit.iterations=6"]
    names = []
    for content in (flash[..., ::-1], flash):
        write_image(tmp_path / "flash.png", content)
        names.append(run_id(settings(*words), "cpu"))
    run = fresh(tmp_path, dip, *words)
    assert run.name == names[1] != names[0]
    latent = run.settings["latent"]
    assert (latent["name"], latent["perturbation"], latent["channels"]) == ("flash", 0, 3)
    assert read_image(run.image("average", 0)).shape == (3, 37, 40)


def test_the_same_task_with_noise_for_a_latent_is_its_control(data: None) -> None:
    asked = settings("image=paper/cave", "task=flash_no_flash", "latent=noise")
    planned = validate(asked)
    drawn = make_latent(asked.latent, planned.build(1), made(asked), [0], flash_image(planned.pictures))
    assert drawn.shape == (1, 32, 32, 32)
    assert 0.09 < drawn.max() <= 0.1
    check(made(asked).measurement, CLEAN[CENTRE])


def test_a_grey_flash_picture_is_a_latent_of_one_channel(data: None, tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", NOISY[:1])
    asked = settings(
        "image=paper/cave", "task=flash_no_flash", f"task.flash={tmp_path / 'grey.png'}", "latent.channels=1"
    )
    planned = validate(asked)
    check(
        make_latent(asked.latent, planned.build(1), made(asked), [0], flash_image(planned.pictures)), NOISY[:1][CENTRE]
    )


NONE = "the authors published none"
FLASH = ["image=paper/cave", "task=flash_no_flash"]
WRONG: list[tuple[list[str], tuple[str, ...]]] = [
    (
        ["task=denoising", "task/noise=noisy25"],
        ("task/noise=noisy25 with image=astronaut", NONE, "or one of cset9/f16"),
    ),
    (
        ["image=paper/kate", "task=denoising", "task/noise=noisy25"],
        ("image=paper/kate", NONE, "use task/noise=gaussian"),
    ),
    (
        ["image=cset9/f16", "task=inpainting", "task/mask=authors"],
        ("task/mask=authors with image=cset9/f16", NONE, "standard11/barbara", "paper/kate", "task/mask=bernoulli"),
    ),
    (
        ["image=camera", "task=flash_no_flash"],
        ("task=flash_no_flash with image=camera", NONE, "task.flash=", "paper/cave"),
    ),
    (
        ["image=file", "image.path={here}/small.png", "image.size=null", "task=inpainting", "task/mask=authors"],
        ("image=file", NONE, "task.mask="),
    ),
    ([*FLASH, "task.flash={here}/grey.png"], ("the flash image has 1 channels", "set latent.channels=1")),
    ([*FLASH, "task.flash={here}/small.png"], ("task.flash: a flash of 20 x 30 pixels for an image of 48 x 56",)),
    ([*FLASH, "task.flash=nowhere.png"], ("task.flash=nowhere.png: no such file",)),
    ([*FLASH, "task.flash={here}/nan.tif"], ("nan.tif holds NaN or infinite pixels",)),
    (
        [*FLASH, "architecture=deep_decoder"],
        ("latent of this architecture 1 x 1", "such as skip"),
    ),
    (["task=denoising", "latent=flash"], ("latent=flash without a flash image; use it with task=flash_no_flash",)),
    (["latent=flash"], ("use it with task=flash_no_flash",)),
]


@pytest.mark.parametrize(
    ("words", "wanted"),
    every_third_first(WRONG),
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_companion_that_is_not_there_or_does_not_fit_is_refused_before_anything_is_written(
    words: list[str], wanted: tuple[str, ...], data: None, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "grey.png", NOISY[:1])
    write_image(tmp_path / "small.png", NOISY[:, :20, :30])
    tifffile.imwrite(tmp_path / "nan.tif", np.full((48, 56, 3), np.nan, np.float32), photometric="rgb")
    network = SMALL if "architecture=deep_decoder" not in words else SMALL[:3]
    assert dip(*network, *(word.format(here=tmp_path) for word in words)) == 2
    told = capfd.readouterr().err
    assert [part for part in wanted if part not in told] == []
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "results").exists()
