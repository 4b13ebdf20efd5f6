"""Any still picture is read for what it shows; anything else is refused in plain words."""

from pathlib import Path

import numpy as np
import png
import pytest
import tifffile
from conftest import load_image
from PIL import Image, ImageOps

from dip_experiments.datasets import SHIPPED
from dip_experiments.images import read_image

PIXELS = np.random.default_rng(0).integers(0, 65536, (18, 20, 3), dtype=np.uint16)
EIGHT = (PIXELS >> 8).astype(np.uint8)
WANTED = np.moveaxis(PIXELS / 65535, 2, 0)


def save_png16(path: Path, pixels: np.ndarray, mode: str) -> None:
    png.from_array(pixels.reshape(len(pixels), -1).tolist(), mode).save(str(path))


def test_sixteen_bit_pictures_keep_their_precision(tmp_path: Path) -> None:
    save_png16(tmp_path / "rgb.png", PIXELS, "RGB;16")
    tifffile.imwrite(tmp_path / "rgb.tif", PIXELS)
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgb.png"), WANTED)
    np.testing.assert_array_equal(read_image(tmp_path / "rgb.tif"), WANTED)
    tifffile.imwrite(tmp_path / "float.tif", (PIXELS / 65535).astype(np.float32), photometric="rgb")
    np.testing.assert_allclose(read_image(tmp_path / "float.tif"), WANTED, atol=1e-7)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), WANTED[:1])


def test_eight_bit_pictures_of_every_kind_are_read(tmp_path: Path) -> None:
    Image.fromarray(EIGHT).save(tmp_path / "a.png")
    Image.fromarray(EIGHT).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), np.moveaxis(EIGHT / 255, 2, 0))
    Image.fromarray(np.full((16, 16, 3), 128, np.uint8)).save(tmp_path / "flat.jpg")
    assert read_image(tmp_path / "flat.jpg") == pytest.approx(128 / 255)
    Image.fromarray(EIGHT[..., 0]).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").shape == (1, 18, 20)
    Image.fromarray(EIGHT).convert("P").save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == (3, 18, 20)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_deflate"])
def test_a_tiff_shows_what_a_png_of_it_shows(compression: str, tmp_path: Path) -> None:
    for picture in (Image.fromarray(EIGHT), Image.fromarray(EIGHT).quantize(64), Image.fromarray(EIGHT[..., 0])):
        picture.save(tmp_path / "a.png")
        picture.save(tmp_path / "a.tif", compression=compression)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), read_image(tmp_path / "a.png"))
    tifffile.imwrite(tmp_path / "white.tif", 255 - EIGHT[..., 0], photometric="miniswhite")
    np.testing.assert_allclose(read_image(tmp_path / "white.tif")[0], EIGHT[..., 0] / 255, atol=1e-9)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_dropped(mode: str, tmp_path: Path) -> None:
    Image.fromarray(EIGHT).convert(mode).save(tmp_path / "a.png")
    opaque = np.asarray(Image.fromarray(EIGHT).convert(mode).convert("L" if mode == "LA" else "RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.moveaxis(np.atleast_3d(opaque) / 255, 2, 0))
    save_png16(tmp_path / "b.png", np.concatenate([PIXELS, PIXELS[..., :1]], 2), "RGBA;16")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), WANTED)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_at_eight_and_sixteen_bit(orientation: int, tmp_path: Path) -> None:
    for pixels in (EIGHT, PIXELS[..., 0]):
        picture = Image.fromarray(pixels)
        exif = picture.getexif()
        exif[0x0112] = orientation
        for name in ("a.png", "a.tif"):
            picture.save(tmp_path / name, exif=exif)
        with Image.open(tmp_path / "a.png") as opened:  # Pillow turns a TIFF of 16 bit wrongly
            upright = np.asarray(ImageOps.exif_transpose(opened)) / np.iinfo(pixels.dtype).max
        for name in ("a.png", "a.tif"):
            np.testing.assert_array_equal(read_image(tmp_path / name), np.moveaxis(np.atleast_3d(upright), 2, 0))


def damaged_files(folder: Path) -> dict[str, str]:
    """File name -> what the message must say."""
    (folder / "text.png").write_text("not a picture")
    Image.fromarray(np.repeat(np.repeat(EIGHT, 8, 0), 8, 1)).save(folder / "whole.png")
    whole = (folder / "whole.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    save_png16(folder / "whole16.png", PIXELS, "RGB;16")
    whole = (folder / "whole16.png").read_bytes()
    (folder / "truncated16.png").write_bytes(whole[: len(whole) // 2])
    tifffile.imwrite(folder / "whole16.tif", PIXELS)
    whole = (folder / "whole16.tif").read_bytes()
    (folder / "truncated16.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "beginning.tif").write_bytes(whole[:8])
    Image.fromarray(EIGHT[:1, :1]).save(folder / "tiny.png")
    holes = np.full((32, 32), 0.5, np.float32)
    holes[3, 3] = np.nan
    tifffile.imwrite(folder / "nan.tif", holes)
    tifffile.imwrite(folder / "wide.tif", np.full((32, 32), 7.0, np.float32))
    Image.fromarray(PIXELS[..., 0]).save(folder / "deep.pgm")
    Image.fromarray(PIXELS[..., 0]).save(folder / "squeezed.tif", compression="tiff_lzw")
    tifffile.imwrite(folder / "white.tif", PIXELS[..., 0], photometric="miniswhite")
    frames = [Image.fromarray(EIGHT), Image.fromarray(255 - EIGHT)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    return {
        "missing.png": "no such file",
        ".": "not an image",
        "text.png": "not an image",
        "truncated.png": "damaged",
        "truncated16.png": "damaged",
        "truncated16.tif": "cannot be read",
        "beginning.tif": "not an image",
        "tiny.png": "1 x 1",
        "nan.tif": "NaN",
        "wide.tif": r"must lie in \[0, 1\]",
        "moving.gif": "animation",
        "deep.pgm": "save it as one of these",
        "squeezed.tif": "LZW.*; save it again, uncompressed",
        "white.tif": "grey with black as 0",
    }


def test_what_is_no_whole_still_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    for name, wanted in damaged_files(tmp_path).items():
        with pytest.raises(ValueError, match=wanted) as refusal:
            load_image("file", str(tmp_path / name), 16, "resize")
        assert len(str(refusal.value).splitlines()) == 1, name


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_pictures_need_no_download(name: str) -> None:
    image = load_image(name, None, 64, "resize")
    assert image.shape == (1 if name == "camera" else 3, 64, 64)
    assert 0 <= image.min() < image.max() <= 1


def test_resizing_keeps_the_mean_and_cropping_keeps_the_pixels() -> None:
    whole = load_image("astronaut", None, None, "resize")
    assert load_image("astronaut", None, 128, "resize").mean() == pytest.approx(whole.mean(), abs=1e-3)
    np.testing.assert_array_equal(load_image("astronaut", None, 128, "crop"), whole[:, 192:320, 192:320])


def test_a_picture_is_never_enlarged() -> None:
    with pytest.raises(ValueError, match=r"image.size to 512"):
        load_image("astronaut", None, 1024, "resize")
