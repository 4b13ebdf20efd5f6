"""output= writes the averaged picture where it is wanted, in the depth of the picture, never over it."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from conftest import SMALL, Dip, load_image, only_run, thorough_after
from interruptions import interrupt_at

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.data.layers import Array
from dip_experiments.data.reading import bit_depth, read_image
from dip_experiments.data.writing import check_output, expanded, write_output
from dip_experiments.runner.validate import warn_of_young_average
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


@pytest.mark.parametrize(("kind", "bits"), thorough_after(2, [("png", 8), ("tif", 16), ("png", 16), ("tif", 8)]))
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


@pytest.mark.parametrize(
    ("iterations", "decay", "stopping", "warned"),
    [(100, 0.99, "none", True), (389, 0.99, "none", True), (390, 0.99, "none", False), (100, 0.9, "none", False),
     (100, 0.99, "split", False)],
)  # fmt: skip
def test_a_result_that_is_still_grey_from_the_first_output_is_reported(
    iterations: int, decay: float, stopping: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["task=denoising", f"stopping={stopping}", f"fit.iterations={iterations}", f"fit.average_decay={decay}"]
    warn_of_young_average(read_settings(compose_jobs(words, multirun=False)[0]))
    assert ("is grey; give at least 390" in caplog.text) == warned
    assert (decay**iterations > 0.02) == (warned or stopping != "none")


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_blended_in_is_the_picture_in_its_own_depth(bits: int, dip: Dip, tmp_path: Path) -> None:
    write_image(tmp_path / "mine.png", PICTURE, bits)
    own = [word for word in words(tmp_path / "mine.png", tmp_path / "one.png") if not word.startswith("task")]
    assert dip(*own, "task=denoising", "blend=1") == 0
    np.testing.assert_array_equal(read_image(tmp_path / "one.png"), read_image(tmp_path / "mine.png"))


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
        ("hard.png", [], "would overwrite the input"),
        ("dangling.png", [], "a link to what is not there"),
        ("nowhere/x.png", [], "a link to what is not there"),
        ("pipe.png", [], "a pipe"),
        (f"{'a' * 300}.png", [], "File name too long"),
        (f"{'a' * 300}/x.png", [], "File name too long"),
        ("/proc/restored.png", [], "choose another folder with output="),
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
    (tmp_path / "hard.png").hardlink_to(tmp_path / "mine.png")
    for link in ("dangling.png", "nowhere"):
        (tmp_path / link).symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.iterdir()), (tmp_path / "mine.png").read_bytes()
    given = words(tmp_path / "mine.png", tmp_path / output)
    given = [word for word in given if not (more and "task" in more[0] and word.startswith("task"))]
    assert dip(*given, *more) == 2
    assert wanted in (told := capfd.readouterr().err)
    assert len(told.splitlines()) <= 2
    assert (sorted(tmp_path.iterdir()), (tmp_path / "mine.png").read_bytes()) == before


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_reported_in_one_line_before_a_fit_and_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "new" / "restored.png"
    monkeypatch.setattr(os, "replace", full)
    for act in (lambda: check_output(output, []), lambda: write_output(output, PICTURE, None)):
        with pytest.raises(ValueError, match=r"output=.*No space left on device") as refusal:
            act()
        assert len(str(refusal.value).splitlines()) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_name_as_long_as_the_disk_takes_is_taken_where_it_can_be_written(tmp_path: Path) -> None:
    for length in (100, 200, 240, 251):
        path = tmp_path / f"{'a' * length}.png"
        try:
            check_output(path, [])
        except ValueError:
            with pytest.raises(ValueError, match="File name too long"):
                write_output(path, PICTURE, None)
            assert length > 200
        else:
            write_output(path, PICTURE, None)


@pytest.mark.parametrize(
    ("output", "path", "name", "wanted"),
    [
        ("restored_{image}.png", "in/photo (1).v2.jpg", "file", "restored_photo (1).v2.png"),
        ("{image}/{image}.png", None, "set14/lenna", "set14-lenna/set14-lenna.png"),
        ("plain.png", "a.png", "file", "plain.png"),
        ("{image}.png", "{seed}.png", "file", "{seed}.png"),
    ],
)
def test_the_name_of_the_picture_is_put_into_that_of_the_output(
    output: str, path: str | None, name: str, wanted: str
) -> None:
    assert expanded(output, path, name) == wanted


@pytest.mark.parametrize("output", ["{seed}.png", "{image", "a}.png", "{}.png"])
def test_other_words_in_braces_are_refused(output: str) -> None:
    with pytest.raises(ValueError, match=r"only \{image\} is known"):
        expanded(output, "a.png", "file")
