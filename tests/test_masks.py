"""A mask hides a pixel or does not; what may have been meant otherwise is told."""

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from dip_experiments.data.masks import read_mask

WHITE = np.full((40, 60, 3), 255, np.uint8)


def marked(colour: tuple[int, int, int]) -> Image.Image:
    pixels = WHITE.copy()
    pixels[10:20, 30:40] = colour
    return Image.fromarray(pixels)


def told(path: Path, caplog: pytest.LogCaptureFixture) -> tuple[np.ndarray, str]:
    """What is known, and the warning; a line says how much is missing."""
    caplog.clear()
    caplog.set_level(logging.INFO)
    known = read_mask(path, "task.mask.path")
    assert all(record.name == "dip_experiments" for record in caplog.records)
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)
    assert f": {100 * (~known).mean():.1f} % missing" in caplog.text
    return known, "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (255, 255, 0), (0, 255, 255), (0, 0, 0)], ids=["red", "yellow", "cyan", "black"]
)
def test_a_mark_of_any_colour_hides_whole_pixels_and_colour_is_reported(
    colour: tuple[int, int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marked(colour).save(tmp_path / "mask.png")
    known, warning = told(tmp_path / "mask.png", caplog)
    assert known.shape == (1, 40, 60)
    assert (known[0] == (np.asarray(marked((0, 0, 0)))[..., 0] > 0)).all()
    assert ("task.mask.path=" in warning) == ("a coloured mask" in warning) == (colour != (0, 0, 0))


def test_of_a_mask_with_0_and_one_other_level_the_latter_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mask = marked((0, 0, 0)).convert("L")
    for level in (1, 2, 100):
        Image.fromarray(np.asarray(mask) // 255 * np.uint8(level)).save(tmp_path / "ones.png")
        known, warning = told(tmp_path / "ones.png", caplog)
        assert (known[0] == (np.asarray(mask) > 0)).all()
        assert not warning


def test_a_mask_that_may_be_meant_the_other_way_round_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.fromarray(255 - np.asarray(marked((0, 0, 0)))).save(tmp_path / "mask.png")
    assert (
        "95.8 % missing; white is known: if white marks the hole, invert it" in told(tmp_path / "mask.png", caplog)[1]
    )


def test_a_grey_mask_of_any_depth_is_read_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mask = marked((0, 0, 0)).convert("L")
    mask.save(tmp_path / "grey.png")
    mask.convert("1").save(tmp_path / "bit.png")
    mask.save(tmp_path / "grey.jpg", quality=95)
    tifffile.imwrite(tmp_path / "deep.tif", np.asarray(mask).astype(np.uint16) * 257)
    for name in ("grey.png", "bit.png", "grey.jpg", "deep.tif"):
        known, warning = told(tmp_path / name, caplog)
        assert (~known).sum() == 100
        assert not warning, name


def test_many_pixels_that_are_neither_black_nor_white_are_reported_and_a_few_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = np.asarray(marked((0, 0, 0)).convert("L")).copy()
    pixels[0, :20] = 128
    Image.fromarray(pixels).save(tmp_path / "few.png")
    assert told(tmp_path / "few.png", caplog)[1] == ""
    Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4)).save(tmp_path / "soft.png")
    assert "neither black nor white" in told(tmp_path / "soft.png", caplog)[1]


def test_a_mask_that_is_drawn_in_transparency_is_refused(tmp_path: Path) -> None:
    mask = marked((255, 255, 255)).convert("RGBA")
    mask.putalpha(marked((0, 0, 0)).convert("L"))
    mask.save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"task.mask.path=.*partly transparent.*flatten"):
        read_mask(tmp_path / "mask.png", "task.mask.path")
    mask.putalpha(255)
    mask.save(tmp_path / "opaque.png")
    assert read_mask(tmp_path / "opaque.png", "task.mask.path").all()
