"""output= writes the averaged picture where it is wanted, in the depth of the picture, never over it."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import SMALL, Dip, load_image, only_run
from test_fitting import interrupt_at

from dip_experiments.images import Array, bit_depth, read_image
from dip_experiments.store import write_image

PICTURE = load_image("coffee", None, 32, "resize")


def words(picture: Path, output: Path) -> list[str]:
    mine = ["image=file", f"image.path={picture}", "image.size=null", "task=denoising", "task.noise=none"]
    return [*SMALL, *mine, "fit.iterations=20", f"output={output}"]


def write_tiff(path: Path, image: Array, bits: int) -> None:
    tifffile.imwrite(path, np.moveaxis(np.rint(image * (2**bits - 1)).astype(f"uint{bits}"), 0, 2), photometric="rgb")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_that_is_written_is_read_back_to_the_rounding_of_its_depth(
    channels: int, bits: int, tmp_path: Path
) -> None:
    write_image(tmp_path / "x.png", PICTURE[:channels], bits)
    assert bit_depth(str(tmp_path / "x.png")) == bits
    assert np.abs(read_image(tmp_path / "x.png") - PICTURE[:channels]).max() <= 0.5001 / (2**bits - 1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_the_restored_picture_has_the_depth_of_the_picture(kind: str, bits: int, dip: Dip, tmp_path: Path) -> None:
    picture, output = tmp_path / f"mine.{kind}", tmp_path / "new" / "restored.png"
    (write_image if kind == "png" else write_tiff)(picture, PICTURE, bits)
    before = picture.read_bytes()
    assert dip(*words(picture, output)) == 0
    assert output.read_bytes() == only_run(tmp_path).image("average", 0).read_bytes()
    levels = read_image(output) * 255
    assert bit_depth(str(output)) == bits
    assert (np.abs(levels - np.rint(levels)).max() < 1e-6) == (bits == 8)
    assert picture.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == ["restored.png"]


def test_a_finished_run_writes_its_picture_without_fitting_again(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "mine.png", PICTURE)
    assert dip(*words(tmp_path / "mine.png", tmp_path / "one.png")) == 0
    with monkeypatch.context() as patched:
        interrupt_at(patched, 0, AssertionError)
        assert dip(*words(tmp_path / "mine.png", tmp_path / "two.png")) == 0
    assert only_run(tmp_path).finished
    assert (tmp_path / "two.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_an_unfinished_run_writes_no_picture(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "mine.png", PICTURE)
    interrupt_at(monkeypatch, 5, RuntimeError)
    assert dip(*words(tmp_path / "mine.png", tmp_path / "restored.png")) == 1
    assert not (tmp_path / "restored.png").exists()


@pytest.mark.parametrize(
    ("output", "more", "wanted"),
    [
        ("mine.png", [], "would overwrite the input"),
        ("link.png", [], "would overwrite the input"),
        ("mask.png", ["task=inpainting", "task.mask=mask.png"], "would overwrite the input"),
        ("flash.png", ["task=flash_no_flash", "task.flash=flash.png"], "would overwrite the input"),
        ("restored.jpg", [], "ends in .png"),
        ("folder.png", [], "a folder"),
        ("mine.png/restored.png", [], "choose another folder with output="),
        ("restored.png", ["-m", "seed=0,1"], "ask for one run"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_written(
    output: str, more: list[str], wanted: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "mine.png", PICTURE)
    write_image(tmp_path / "mask.png", np.tile([[[0.0, 1.0]]], (1, 32, 16)))
    write_image(tmp_path / "flash.png", PICTURE)
    (tmp_path / "link.png").symlink_to(tmp_path / "mine.png")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.iterdir()), (tmp_path / "mine.png").read_bytes()
    given = words(tmp_path / "mine.png", tmp_path / output)
    given = [word for word in given if not (more and "task" in more[0] and word.startswith("task"))]
    assert dip(*given, *more) == 2
    assert wanted in (told := capfd.readouterr().err)
    assert len(told.splitlines()) <= 2
    assert (sorted(tmp_path.iterdir()), (tmp_path / "mine.png").read_bytes()) == before
