"""What a file says beside its pixels: colour profiles, several pictures, the level of white; and arrays of NumPy."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image
from test_images import EIGHT, PIXELS, WANTED

from dip_experiments.data.pictures import Frame, load_pictures
from dip_experiments.data.reading import Form, read_image, read_layers, read_picture
from dip_experiments.data.writing import write_output
from dip_experiments.store import write_image


def with_chunks(path: Path, extra: list[tuple[bytes, bytes]], damage: bool = False) -> None:
    """Put chunks behind the head of a PNG, the checksums of which are wrong where they are to be `damage`d."""
    head, *others = png.Reader(bytes=path.read_bytes()).chunks()
    file = io.BytesIO()
    png.write_chunks(file, [head, *extra, *others])
    content = bytearray(file.getvalue())
    for kind, data in extra if damage else ():
        content[content.index(kind + data) + 4 + len(data)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "chunk", [(b"iCCP", b"x\0\7bad"), (b"iCCP", b"x\0\0bad"), (b"eXIf", b"garbage!"), (b"tIME", b"1")]
)
@pytest.mark.parametrize("damage", [False, True])
def test_what_is_damaged_beside_the_pixels_is_not_needed(
    bits: int, chunk: tuple[bytes, bytes], damage: bool, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png", WANTED, bits)
    whole = read_layers(tmp_path / "a.png")
    with_chunks(tmp_path / "a.png", [chunk], damage)
    found = read_layers(tmp_path / "a.png")
    np.testing.assert_array_equal(found.levels, whole.levels)
    assert found.colour_space == ()
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[content.index(b"IDAT") + 20] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match="damaged or incomplete image file"):
        read_layers(tmp_path / "a.png")


def icc(space: bytes) -> bytes:
    """The head of a profile, for channels of some kind."""
    return bytes(16) + space + bytes(16) + b"acsp" + bytes(100)


@pytest.mark.parametrize(("pixels", "space", "other"), [(EIGHT, b"RGB ", b"GRAY"), (EIGHT[..., 0], b"GRAY", b"RGB ")])
def test_a_colour_profile_is_carried_on_from_every_format(
    pixels: np.ndarray, space: bytes, other: bytes, tmp_path: Path
) -> None:
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(pixels).save(tmp_path / name, icc_profile=icc(space))
        layers = read_layers(tmp_path / name)
        write_image(tmp_path / "b.png", layers.colours, 16, layers.colour_space)
        with Image.open(tmp_path / "b.png") as opened:
            assert opened.info["icc_profile"] == icc(space), name
        np.testing.assert_array_equal(read_layers(tmp_path / "b.png").colours, layers.colours)
        Image.fromarray(pixels).save(tmp_path / name, icc_profile=icc(other))
        assert read_layers(tmp_path / name).colour_space == (), "of other channels"
    deep = PIXELS if pixels.ndim == 3 else PIXELS[..., 0]
    tifffile.imwrite(tmp_path / "deep.tif", deep, iccprofile=icc(space))
    ((kind, _),) = read_layers(tmp_path / "deep.tif").colour_space
    assert kind == b"iCCP"


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(
    "chunk", [(b"iCCP", b"x\0\0" + zlib.compress(icc(b"RGB "))), (b"gAMA", struct.pack(">I", 100000))]
)
def test_grey_of_a_file_in_colours_keeps_what_its_values_mean(
    chunk: tuple[bytes, bytes], alpha: bool, tmp_path: Path
) -> None:
    grey = WANTED[:1]
    opacity = [np.full_like(grey, 0.5)] * alpha
    write_image(tmp_path / "a.png", np.concatenate([grey, grey, grey, *opacity]), 16, [chunk])
    assert len(read_picture("file", str(tmp_path / "a.png"))) == 1, "equal channels are one"
    write_output(tmp_path / "b.png", np.concatenate([grey, *opacity]), str(tmp_path / "a.png"))
    written = read_layers(tmp_path / "b.png")
    assert written.colour_space == (chunk,)
    np.testing.assert_array_equal(written.colours, read_layers(tmp_path / "a.png").colours[: written.channels])
    assert written.channels == (3 if chunk[0] == b"iCCP" else 1)
    assert written.has_alpha == alpha


def test_a_gamma_is_carried_on(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", WANTED)
    with_chunks(tmp_path / "a.png", [(b"gAMA", struct.pack(">I", 100000))])
    assert read_layers(tmp_path / "a.png").colour_space == ((b"gAMA", struct.pack(">I", 100000)),)


def test_one_picture_of_several_is_chosen_by_its_number(tmp_path: Path) -> None:
    stack = np.stack([PIXELS[..., n] for n in range(3)])
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "imagej.tif", stack, imagej=True)
    tifffile.imwrite(tmp_path / "bytes.tif", (stack >> 8).astype(np.uint8), photometric="minisblack", metadata=None)
    for number in range(3):
        for name, wanted in (("stack", stack[number] / 65535), ("imagej", stack[number] / 65535)):
            np.testing.assert_array_equal(read_image(tmp_path / f"{name}.tif", form=Form(page=number))[0], wanted)
        found = read_image(tmp_path / "bytes.tif", form=Form(page=number))
        np.testing.assert_array_equal(found[0], (stack[number] >> 8) / 255)
    with pytest.raises(ValueError, match=r"image\.page=3: it has 3, of which the first is 0"):
        read_image(tmp_path / "stack.tif", form=Form(page=3))
    write_image(tmp_path / "a.png", WANTED)
    with pytest.raises(ValueError, match=r"image\.page=0: only a TIFF holds several"):
        read_image(tmp_path / "a.png", form=Form(page=0))


def test_the_level_of_white_can_be_given(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS >> 4)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif", form=Form(white=4095)), np.moveaxis((PIXELS >> 4) / 4095, 2, 0)
    )
    with pytest.raises(ValueError, match=r"image\.white=1000: the picture has levels up to 40"):
        read_image(tmp_path / "a.tif", form=Form(white=1000))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(18, 20), (18, 20, 3)])
def test_an_array_of_numpy_is_read(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = PIXELS[..., 0] if len(shape) == 2 else PIXELS
    values = values / 65535 if kind[0] == "f" else values >> (16 - 8 * np.dtype(kind).itemsize)
    np.save(tmp_path / "a.npy", values.astype(kind))
    largest = 1 if kind[0] == "f" else np.iinfo(kind).max
    wanted = np.moveaxis(np.atleast_3d(values / largest), 2, 0)
    np.testing.assert_allclose(read_image(tmp_path / "a.npy"), wanted, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", [">u2", ">f4", "<f8", "float16", "bool"])
def test_an_array_is_read_in_any_byte_order_and_as_bools(kind: str, tmp_path: Path) -> None:
    values = (PIXELS > 30000) if kind == "bool" else PIXELS / 65535 if "f" in kind else PIXELS
    np.save(tmp_path / "a.npy", values.astype(kind))
    wanted = values if kind == "bool" else PIXELS / 65535
    np.testing.assert_allclose(read_image(tmp_path / "a.npy"), np.moveaxis(wanted, 2, 0), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([[None, 1]]), "an array of Python objects"),
        (np.zeros((3, 20, 30)), "channels come last"),
        (np.zeros((20, 30), complex), "in bool, uint8, uint16 or float"),
        (np.zeros((2, 3, 20, 30)), "in bool, uint8"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_the_reason(values: Any, reason: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ValueError, match=reason):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_each_picture_of_a_stack_in_one_block_is_read_in_either_byte_order(byteorder: Any, tmp_path: Path) -> None:
    stack = np.stack([PIXELS[..., 0], PIXELS[..., 1]])
    tifffile.imwrite(
        tmp_path / "stack.tif", stack, byteorder=byteorder, imagej=byteorder == ">", metadata={"axes": "ZYX"}
    )
    for page in range(2):
        read = read_image(tmp_path / "stack.tif", form=Form(page=page))
        np.testing.assert_array_equal(read, stack[page][None] / 65535)


@pytest.mark.parametrize("name", ["print.tif", "print.jpg"])
def test_the_colours_of_print_are_refused(name: str, tmp_path: Path) -> None:
    Image.fromarray((PIXELS >> 8).astype(np.uint8)).convert("CMYK").save(tmp_path / name)
    with pytest.raises(ValueError, match="RGB"):
        read_image(tmp_path / name)


def test_a_picture_that_uses_a_small_part_of_its_range_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dip_experiments")
    tifffile.imwrite(tmp_path / "twelve.tif", PIXELS >> 4, photometric="rgb")
    tifffile.imwrite(tmp_path / "sixteen.tif", PIXELS, photometric="rgb")
    cases = (("twelve", Form(), True), ("twelve", Form(white=4095), False), ("sixteen", Form(), False))
    for name, form, wanted in cases:
        caplog.clear()
        load_pictures("file", str(tmp_path / f"{name}.tif"), Frame(None, "whole", 1, form), {})
        assert ("of 65535; if it has 12 bits: image.white=4095" in caplog.text) == wanted, name
