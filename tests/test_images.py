"""Any still picture is read for what it shows; anything else is refused in plain words."""

import builtins
import io
import os
import socket
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from conftest import load_image
from PIL import Image, ImageOps

from dip_experiments.data.datasets import SHIPPED
from dip_experiments.data.reading import bit_depth, read_alpha, read_image, read_layers

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


@pytest.mark.parametrize("bytes_first", ["<", ">"])
def test_a_big_tiff_keeps_its_precision(bytes_first: str, tmp_path: Path) -> None:
    for pixels in (PIXELS, EIGHT):
        tifffile.imwrite(tmp_path / "big.tif", pixels, bigtiff=True, byteorder=bytes_first, photometric="rgb")
        largest = np.iinfo(pixels.dtype).max
        np.testing.assert_array_equal(read_image(tmp_path / "big.tif"), np.moveaxis(pixels / largest, 2, 0))
        assert bit_depth(str(tmp_path / "big.tif")) == 8 * pixels.itemsize


def test_a_tiff_with_its_channels_one_after_the_other_is_the_same_picture(tmp_path: Path) -> None:
    planes = np.moveaxis(PIXELS, 2, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "planes.tif"), WANTED)


def test_a_png_of_which_only_some_bits_are_significant_is_as_bright(tmp_path: Path) -> None:
    save_png16(tmp_path / "whole.png", PIXELS, "RGB;16")
    chunks = [*png.Reader(bytes=(tmp_path / "whole.png").read_bytes()).chunks()]
    with (tmp_path / "ten.png").open("wb") as file:
        png.write_chunks(file, [chunks[0], (b"sBIT", bytes([10, 10, 10])), *chunks[1:]])
    np.testing.assert_allclose(read_image(tmp_path / "ten.png"), WANTED, atol=2**-10)


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
    for name in ("moving.gif", "moving.png", "pages.tif"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    tifffile.imwrite(folder / "stack.tif", np.stack([PIXELS[..., 0]] * 3), photometric="minisblack")
    tifffile.imwrite(folder / "signed.tif", EIGHT[..., 0].astype(np.int8))
    tifffile.imwrite(folder / "bands.tif", np.zeros((20, 20, 5), np.uint8), photometric="rgb", planarconfig="contig")
    tifffile.imwrite(folder / "raw.dng", EIGHT, photometric="rgb", subfiletype=1)
    volume = {"volumetric": True, "tile": (16, 16, 16), "photometric": "minisblack"}
    tifffile.imwrite(folder / "volume.tif", np.zeros((4, 16, 16), np.uint8), **volume)
    plain = bytearray((folder / "white.tif").read_bytes())
    at = plain.index(struct.pack("<HHI", 258, 3, 1))  # BitsPerSample
    plain[at + 8 : at + 10] = struct.pack("<H", 12)
    (folder / "packed.tif").write_bytes(
        bytes(plain).replace(struct.pack("<HHIH", 262, 3, 1, 0), struct.pack("<HHIH", 262, 3, 1, 1))
    )
    np.save(folder / "words.npy", np.array(["a", "b"]))
    np.save(folder / "objects.npy", np.array([{}, {}]), allow_pickle=True)
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
        "moving.gif": "a file of type GIF; PNG, JPEG, TIFF and .npy are read",
        "moving.png": "an animation; give a still",
        "deep.pgm": "a file of type PPM.*save it as one of these",
        "pages.tif": "2 pictures in one file; choose one by image.page, from 0 to 1",
        "stack.tif": "3 pictures in one file; choose one by image.page, from 0 to 2",
        "signed.tif": "pixels of type int8; 8 or 16 bit unsigned",
        "packed.tif": "pixels of 12 bits, packed; save it with 16",
        "bands.tif": "5 channels; grey or RGB",
        "raw.dng": "a preview beside another picture",
        "volume.tif": "a volume of 4 slices",
        "words.npy": r"an array of shape \(2,\) and type",
        "objects.npy": "an array of Python objects",
        "squeezed.tif": "LZW.*; `pip install imagecodecs`, or save it uncompressed",
        "white.tif": "grey with black as 0",
    }


def test_what_is_no_whole_still_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    for name, wanted in damaged_files(tmp_path).items():
        with pytest.raises(ValueError, match=wanted) as refusal:
            load_image("file", str(tmp_path / name), 16, "resize")
        assert len(str(refusal.value).splitlines()) == 1, name


def test_what_is_no_file_with_a_picture_is_refused_at_once_and_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket.png"))
    (tmp_path / "empty.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    unreadable = {
        "pipe.png": "a pipe",
        "socket.png": "a pipe, socket",
        "/dev/zero": "device",
        ".": "a folder",
        "empty.png": "an empty file",
        "link.png": "no such file",
        "empty.png/x.png": "no such file",
        "round.png": "cannot be read",
        "long" * 100: "cannot be read",
    }
    for name, wanted in unreadable.items():
        with pytest.raises(ValueError, match=wanted) as refusal:
            read_image(tmp_path / name)
        assert len(str(refusal.value).splitlines()) == 1, name
    listening.close()


def test_a_file_that_is_not_named_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"image.path=null.*add image.path="):
        load_image("file", None, 16, "resize")


def claiming(height: int, width: int) -> bytes:
    """A whole PNG in every respect but that its pixels are missing."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    file = io.BytesIO()
    png.write_chunks(file, chunks)
    return file.getvalue()


@pytest.mark.parametrize("side", [10_001, 30_000])
def test_a_picture_that_claims_too_many_pixels_is_refused_by_its_head(side: int, tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(claiming(side, side))
    with pytest.raises(ValueError, match=r"at most 100,000,000 are read; scale it down") as refusal:
        read_image(tmp_path / "bomb.png")
    assert len(str(refusal.value).splitlines()) == 1


def test_a_deep_tiff_that_claims_too_many_pixels_is_refused_by_its_head(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "bomb.tif", shape=(20_000, 6_000), dtype=np.uint16)  # a hole: no disk is needed
    with pytest.raises(ValueError, match="20000 x 6000 pixels, at most 100,000,000"):
        read_image(tmp_path / "bomb.tif")


@pytest.mark.parametrize("name", ["photo (1) [x] {y}.png", "größer a=b, c.png", "a.jpg", "none", 'it\'s "$HOME" ~.tif'])
def test_a_picture_is_read_whatever_its_name_and_ending_is(name: str, tmp_path: Path) -> None:
    save_png16(tmp_path / name, PIXELS, "RGB;16")
    np.testing.assert_array_equal(read_image(tmp_path / name), WANTED)


def test_each_file_is_opened_once_for_colours_opacity_and_depth_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, mask = tmp_path / "a.png", tmp_path / "mask.tif"
    save_png16(picture, np.concatenate([PIXELS, PIXELS[..., :1]], 2), "RGBA;16")
    tifffile.imwrite(mask, PIXELS[..., 0])
    opened: Counter[str] = Counter()
    plain = io.open

    def counting(file: Any, *words: Any, **more: Any) -> Any:
        opened[str(file)] += 1
        return plain(file, *words, **more)

    monkeypatch.setattr(io, "open", counting)
    monkeypatch.setattr(builtins, "open", counting)
    for _ in range(2):
        alpha = read_alpha(picture)
        assert alpha is not None
        np.testing.assert_array_equal(alpha, WANTED[:1])
        np.testing.assert_array_equal(read_image(picture), WANTED)
        np.testing.assert_array_equal(read_image(mask), WANTED[:1])
        assert read_layers(picture).bits == bit_depth(str(picture)) == 16
    assert opened == {str(picture): 1, str(mask): 1}
    monkeypatch.undo()
    save_png16(picture, PIXELS[:, ::-1], "RGB;16")
    np.testing.assert_array_equal(read_image(picture), WANTED[..., ::-1])
    assert read_alpha(picture) is None


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
