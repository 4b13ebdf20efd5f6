"""The fit sees a picture's colours alone; its alpha is kept aside and put back into what is written for the user."""

from pathlib import Path

import numpy as np
import png
import pytest
import tifffile
from conftest import SMALL, Dip, load_image
from PIL import Image

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data.cropping import centre_crop, resized
from dip_experiments.data.layers import Array
from dip_experiments.data.pictures import with_alpha
from dip_experiments.data.reading import bit_depth, read_alpha, read_image
from dip_experiments.runner.build import load
from dip_experiments.runner.export import image_frame
from dip_experiments.store import Run, write_image

COLOURS = load_image("coffee", None, 64, "resize")[:, :33, :42]
ALPHA = np.random.default_rng(0).random((1, 33, 42))
OWN = ["image=file", "image.size=null", "task=denoising", "task.noise=none", "fit.iterations=6"]


def settings(picture: Path, *words: str) -> Settings:
    (job,) = compose_jobs([*SMALL, "image=file", f"image.path={picture}", "image.size=null", *words], multirun=False)
    return read_settings(job)


def levels(image: Array, bits: int) -> Array:
    return np.rint(image * (2**bits - 1))


def eight_bit() -> Image.Image:
    return Image.fromarray(np.moveaxis(levels(COLOURS, 8), 0, 2).astype(np.uint8))


@pytest.mark.parametrize(
    ("channels", "bits"),
    [pytest.param(1, 8, marks=pytest.mark.slow), (3, 16)],
    ids=["LA, 8 bit", "RGBA, 16 bit"],
)
def test_a_fit_of_a_picture_with_alpha_is_that_of_its_colours_and_gives_the_alpha_back(
    channels: int, bits: int, dip: Dip, tmp_path: Path
) -> None:
    write_image(tmp_path / "opaque.png", COLOURS[:channels], bits)
    write_image(tmp_path / "clear.png", np.concatenate([COLOURS[:channels], ALPHA]), bits)
    curves, outputs = [], [tmp_path / "plain.png", tmp_path / "restored.png"]
    for name, output in zip(("opaque", "clear"), outputs, strict=True):
        before = set((tmp_path / "results").glob("runs/*/"))
        assert dip(*SMALL, *OWN, f"image.path={tmp_path / name}.png", f"output={output}") == 0
        (folder,) = set((tmp_path / "results").glob("runs/*/")) - before
        curves.append(Run(folder).curves[0]["loss"].tolist())
    assert curves[0] == curves[1]
    assert [bit_depth(str(output)) for output in outputs] == [bits, bits]
    assert (read_image(outputs[0]) == read_image(outputs[1])).all()
    plain, written = (read_alpha(output) for output in outputs)
    assert plain is None
    assert written is not None
    assert (levels(written, bits) == levels(ALPHA, bits)).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_comes_through_reading_and_writing_unchanged_and_the_fit_is_given_none_of_it(
    channels: int, bits: int, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png", np.concatenate([COLOURS[:channels], ALPHA]), bits)
    asked = settings(tmp_path / "a.png")
    seen = load(asked).image
    assert (levels(seen, bits) == levels(COLOURS[:channels], bits)).all()
    write_image(tmp_path / "b.png", with_alpha(seen, asked.image.path, image_frame(asked)), bits)
    for name in ("a.png", "b.png"):
        kept = read_alpha(tmp_path / name)
        assert kept is not None
        assert (levels(kept, bits) == levels(ALPHA, bits)).all()


def transparent(folder: Path) -> dict[str, tuple[Image.Image, Array]]:
    """Name of a PNG without alpha channel in which a colour is transparent -> what it shows, and its alpha."""
    eight = eight_bit()
    palette, grey = eight.quantize(64), eight.convert("L")
    table = bytes(range(0, 256, 4))
    palette.save(folder / "palette.png", transparency=table)
    grey.save(folder / "grey.png", transparency=grey.getpixel((0, 0)))
    eight.save(folder / "rgb.png", transparency=eight.getpixel((0, 0)))
    return {
        "palette": (palette.convert("RGB"), np.asarray(list(table))[np.asarray(palette)] / 255),
        "grey": (grey, (np.asarray(grey) != grey.getpixel((0, 0))).astype(float)),
        "rgb": (eight, (np.asarray(eight) != eight.getpixel((0, 0))).any(2).astype(float)),
    }


@pytest.mark.parametrize("kind", ["palette", "grey", "rgb"])
def test_a_transparent_colour_of_a_png_is_alpha_too(kind: str, tmp_path: Path) -> None:
    shown, alpha = transparent(tmp_path)[kind]
    shown.save(tmp_path / "opaque.png")
    asked = settings(tmp_path / f"{kind}.png")
    seen = load(asked).image
    assert 0 < alpha.mean() < 1
    assert (seen == read_image(tmp_path / "opaque.png")).all()
    assert (levels(with_alpha(seen, asked.image.path, image_frame(asked))[-1], 16) == levels(alpha, 16)).all()


def test_the_transparent_grey_of_a_png_of_16_bit_is_alpha_too(tmp_path: Path) -> None:
    pixels = levels(COLOURS[0], 16).astype(int)
    with (tmp_path / "grey.png").open("wb") as file:
        png.Writer(42, 33, greyscale=True, bitdepth=16, transparent=int(pixels[3, 4])).write(file, pixels.tolist())
    alpha = read_alpha(tmp_path / "grey.png")
    assert alpha is not None
    assert (alpha[0] == (pixels != pixels[3, 4])).all()
    assert (levels(read_image(tmp_path / "grey.png"), 16)[0] == pixels).all()


def test_alpha_is_enlarged_with_the_picture(tmp_path: Path) -> None:
    smooth = resized(ALPHA[:, :3, :4], (33, 42))
    write_image(tmp_path / "small.png", np.concatenate([COLOURS, smooth]), 16)
    asked = settings(tmp_path / "small.png", "task=super_resolution", "task.source=low_resolution")
    restored = np.zeros((3, 132, 168))
    large = with_alpha(restored, asked.image.path, image_frame(asked))
    assert large.shape == (4, 132, 168)
    assert (large[:3] == restored).all()
    means = large[3].reshape(33, 4, 42, 4).mean((1, 3))
    assert np.abs(means - smooth[0]).max() < 0.03


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["image.size=24", "image.fit=crop"], centre_crop(ALPHA, 24)),
        (["image.size=24", "image.fit=resize"], centre_crop(resized(ALPHA, (24, round(42 * 24 / 33))), 24)),
        (["image.multiple=8"], ALPHA[:, :32, :40]),
    ],
    ids=["crop", "resize", "multiple"],
)
def test_alpha_is_cut_as_the_picture_is(words: list[str], part: Array, tmp_path: Path) -> None:
    write_image(tmp_path / "clear.png", np.concatenate([COLOURS, ALPHA]), 16)
    asked = settings(tmp_path / "clear.png", *words)
    seen = load(asked).image
    both = with_alpha(seen, asked.image.path, image_frame(asked))
    assert (both[:3] == seen).all()
    assert np.abs(both[3:] - part).max() < 1 / 65535


def test_alpha_of_a_tiff_is_kept(tmp_path: Path) -> None:
    deep = np.moveaxis(levels(np.concatenate([COLOURS, ALPHA]), 16), 0, 2).astype(np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    kept = read_alpha(tmp_path / "deep.tif")
    assert kept is not None
    assert (levels(kept, 16) == levels(ALPHA, 16)).all()


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_that_a_tiff_holds_multiplied_by_their_opacity_are_divided_by_it(
    channels: int, kind: str, tmp_path: Path
) -> None:
    largest = 1 if kind == "float32" else np.iinfo(kind).max
    alpha = np.maximum(ALPHA, 0.2)
    alpha[:, :4] = 0
    held = np.concatenate([COLOURS[:channels] * alpha, alpha]) * largest
    held = np.moveaxis(held if kind == "float32" else np.rint(held), 0, 2).astype(kind)
    photometric = "minisblack" if channels == 1 else "rgb"
    words = {"photometric": photometric, "extrasamples": ["assocalpha"], "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", held, **words)
    seen, kept = read_image(tmp_path / "a.tif"), read_alpha(tmp_path / "a.tif")
    rounding = 0.6 / min(largest, 65535) / 0.2 + 1.1 / min(largest, 65535)
    assert np.abs(seen - COLOURS[:channels])[:, 4:].max() < rounding
    assert (seen[:, :4] == 0).all()
    assert seen.max() <= 1
    assert kept is not None
    assert np.abs(kept - alpha).max() < rounding


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_channel_of_which_a_tiff_says_nothing_is_refused_at_every_depth(kind: str, tmp_path: Path) -> None:
    levels_held = np.moveaxis(np.concatenate([COLOURS, ALPHA]) * np.iinfo(kind).max, 0, 2).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", levels_held, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(ValueError, match="a further channel that is not said to be its opacity; save it without"):
        read_image(tmp_path / "a.tif")


def test_what_was_filled_in_is_opaque(dip: Dip, tmp_path: Path) -> None:
    known = np.ones((1, 33, 42))
    known[:, 5:9, 10:20] = 0
    write_image(tmp_path / "photo.png", np.concatenate([COLOURS, ALPHA * known]), 8)
    write_image(tmp_path / "mask.png", known)
    words = ["task=inpainting", f"task.mask={tmp_path / 'mask.png'}", f"image.path={tmp_path / 'photo.png'}"]
    assert dip(*SMALL, *words, "image.size=null", "fit.iterations=4", f"output={tmp_path / 'filled.png'}") == 0
    alpha = read_alpha(tmp_path / "filled.png")
    assert alpha is not None
    assert (levels(alpha, 8) == levels(np.where(known > 0, ALPHA, 1.0), 8)).all()
