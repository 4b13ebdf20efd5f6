"""A wrong restoration is refused before its first iteration; a degraded picture of one's own has no reference."""

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import SMALL, Dip, every_third_first, load_image, only_run
from PIL import Image
from test_tasks import write_mask

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.overrides import to_hydra_overrides
from dip_experiments.config.settings import read_settings
from dip_experiments.runner.validate import validate
from dip_experiments.store import write_image

MINE = ["image=file", "image.path={here}/mine.png", "image.size=null"]
"""A picture of 37 x 50 pixels."""
WRONG = [
    (
        ["task=denoising", "loss=distributional", "loss.gain=0.1", "stopping=split"],
        "loss=distributional with law=gaussian of split: noise of two kinds; give loss.gain with law=poisson",
    ),
    (
        ["task=denoising", "loss=distributional", "stopping=split", "stopping/law=gamma"],
        "loss=distributional with law=gamma of split: noise of two kinds",
    ),
    (["task=denoising", "target=noisy"], "leave target out, or use target=natural"),
    (["target=noise", "task=jpeg"], "leave target out, or use target=natural"),
    (
        ["task=denoising", "task.noise.sigma=256"],
        "task.noise.sigma: got 256; input should be less than or equal to 255",
    ),
    (["target.sigma=255.1"], "target.sigma: got 255.1"),
    (["task=denoising", "task/noise=speckle", "task.noise.sigma=-1"], "task.noise.sigma: got -1"),
    (["task=denoising", "task/noise=poisson", "task.noise.peak=0"], "task.noise.peak: got 0"),
    (["task=denoising", "task/noise=salt_and_pepper", "task.noise.fraction=1"], "task.noise.fraction: got 1"),
    (["task=denoising", "task/noise=poison"], "did you mean poisson?"),
    (["task=jpeg", "task/noise=poisson"], "task/noise: this task has no noise; choose another task: "),
    (["task=jpeg", "task.qualty=9"], "did you mean task.quality?"),
    (["task=denoising", "task.noise.peak=9"], "it comes with task/noise=poisson"),
    (["task=jpeg", "task.quality=0"], "task.quality: got 0"),
    (["task=jpeg", "task.quality=101"], "task.quality: got 101"),
    (["task=jpg"], "did you mean jpeg?"),
    (["task=super_resolution", "task.factor=5"], "task.factor: got 5; input should be 2, 3, 4 or 8"),
    (["task=super_resolution", "task.factor=8", "image.size=36"], "needs sides that it divides, not 36 x 36 pixels"),
    (["task=super_resolution", "task.source=low"], "task.source: got 'low'"),
    (["task=inpainting", "task.mask.missing=0"], "task.mask.missing: got 0"),
    (["task=inpainting", "task.mask.missing=1.0"], "task.mask.missing: got 1.0"),
    (["task=inpainting", "task.mask.per=row"], "task.mask.per: got 'row'"),
    (["task=inpainting", "task/mask=box"], "task.mask.top is needed"),
    (
        ["task=inpainting", "task/mask=box", *(f"task.mask.{name}=20" for name in ("top", "left", "height", "width"))],
        "must lie in the image of 32 x 32",
    ),
    (["task=inpainting", "task.mask=box"], "task.mask=box: a kind is chosen with a /; say task/mask=box"),
    (["task=denoising", "task.noise=poisson"], "task.noise=poisson: a kind is chosen with a /; say task/noise=poisson"),
    (["task=denoising", "task.noise=poison"], "say task/noise=poison, with one of blurred_gaussian"),
    (["task=inpainting", "task/mask=file"], "task.mask.path is needed"),
    ([*MINE, "task=inpainting"], "task=inpainting of a picture of your own: give the mask"),
    (["-m", *MINE, "task=jpeg,denoising"], "ask for one task at a time"),
    (["task=inpainting", "task.mask=nowhere.png"], "task.mask.path=nowhere.png: no such file"),
    (
        ["task=inpainting", "task.mask={here}/small.png"],
        "task.mask.path: a mask of 30 x 32 pixels for an image of 512 x 512",
    ),
    (["task=inpainting", "task.mask={here}/white.png"], "hides everything or nothing"),
    (["task=inpainting", "task/mask=file", "task.mask.path={here}/black.png"], "hides everything or nothing"),
    (["task=inpainting", "task.mask={here}/text.png"], "not an image file"),
    (["task=inpainting", "task.mask={here}/moving.gif"], "a file of type GIF; PNG, JPEG, TIFF and .npy are read"),
    (["image=camera", "task=inpainting", "task.mask={here}/colours.png"], "hides everything or nothing"),
    (["task=inpainting", "task.mask={here}/nan.tif"], "nan.tif holds NaN"),
    (["task=inpainting", "task/mask=text", "task.mask.text='  '"], "task.mask.text: got '  '"),
    (["task=inpainting", "task/mask=text", "task.mask.size=0"], "task.mask.size: got 0"),
    (["task=inpainting", "task/mask=text", "task.mask.size=200"], "in letters of 200 pixels hides nothing"),
    (["task=inpainting", "task/mask=text", "task.mask.size=1"], "or another size of its letters"),
    (["fit.keep=[0]"], "fit.keep.0: got 0; input should be greater than 0"),
    ([*MINE, "task=super_resolution", "task.source=original"], "; use image.multiple=4"),
    (
        [*MINE, "task=jpeg", "image.multiple=64"],
        "has 37 x 50 pixels, image.multiple=64 leaves none; set image.multiple to 37 or less",
    ),
]


@pytest.mark.parametrize(
    ("words", "wanted"),
    every_third_first(WRONG),
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_restoration_is_refused_before_anything_is_written(
    words: list[str], wanted: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_mask(tmp_path / "small.png", (32, 30))
    write_mask(tmp_path / "white.png", (32, 32), 255)
    write_mask(tmp_path / "black.png", (32, 32), 0)
    (tmp_path / "text.png").write_text("no picture")
    frames = [Image.new("L", (32, 32), 0), Image.new("L", (32, 32), 255)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (32, 32), "red").save(tmp_path / "colours.png")
    tifffile.imwrite(tmp_path / "nan.tif", np.full((32, 32), np.nan, np.float32))
    write_image(tmp_path / "mine.png", load_image("coffee", None, 64, "resize")[:, :37, :50])
    assert dip(*SMALL, *(word.format(here=tmp_path) for word in words)) == 2
    told = capfd.readouterr().err
    assert wanted in told
    assert len(told.splitlines()) <= 2
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "side"),
    [
        (["task=denoising", "task/noise=none"], 32),
        (["task=denoising", "task.noise=none"], 32),
        (["task=jpeg", "task.quality=null"], 32),
        (["task=inpainting", "task.mask={here}/mask.png"], 32),
        (["task=super_resolution", "task.source=low_resolution", "task.factor=2"], 64),
        (["task=flash_no_flash", "task.flash={here}/flash.png"], 32),
    ],
    ids=["noisy", "noisy, in short", "jpeg", "damaged", "low resolution", "flash"],
)
def test_a_picture_that_is_degraded_already_is_measured_as_it_is_at_its_own_size_and_has_no_reference(
    words: list[str], side: int, dip: Dip, tmp_path: Path
) -> None:
    picture = load_image("coffee", None, 32, "resize")
    write_image(tmp_path / "mine.png", picture)
    write_mask(tmp_path / "mask.png", (32, 32))
    write_image(tmp_path / "flash.png", 1 - picture)
    given = [word.format(here=tmp_path) for word in words]
    own = [word for word in SMALL if not word.startswith("image.size")]
    own += ["image=file", f"image.path={tmp_path / 'mine.png'}", f"output={tmp_path / 'restored.png'}"]
    assert dip(*own, *given, "fit.iterations=4") == 0
    run = only_run(tmp_path)
    assert run.settings["image"]["size"] is None
    assert (tmp_path / "restored.png").read_bytes() == run.image("average", 0).read_bytes()
    assert list(run.curves[0]) == ["replica", "seed", "iteration", "loss", "psnr_measurement"]
    assert not run.image("reference", 0).exists()
    assert np.asarray(Image.open(run.image("average", 0))).shape == (side, side, 3)
    measured = np.array(Image.open(run.image("target", 0)))
    mine = np.array(Image.open(tmp_path / "mine.png"))
    if words[0] == "task=inpainting":
        mine[:, :10] = 0
    assert (measured == mine).all()


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["task=denoising"], ["task.noise=none"]),
        (["task=jpeg"], ["task.quality=null"]),
        (["task=super_resolution"], ["task.source=low_resolution"]),
        (["task=deblurring", "task.kernel.width=2"], ["task.source=measurement"]),
        (["task=deblurring", "task.noise=none"], ["task.source=measurement"]),
        (["task=deblurring", "task/noise=gaussian"], []),
        (["task=deblurring", "task.source=original"], []),
        (["task=denoising", "task.noise=none"], []),
        (["task=denoising", "task.noise.sigma=10"], []),
        (["task=denoising", "task/noise=poisson"], []),
        (["task=jpeg", "task.quality=30"], []),
        (["task=inpainting", "task.mask.missing=0.9"], []),
        (["task=inpainting", "task.mask=mask.png"], []),
        (["target=natural"], []),
        (["experiment=restore"], []),
    ],
    ids=" ".join,
)
def test_a_picture_of_ones_own_is_not_degraded_unless_the_request_says_how(words: list[str], added: list[str]) -> None:
    given = [*words, "image.path=mine.png"]
    overrides = to_hydra_overrides(given, multirun=False)
    assert overrides[len(overrides) - len(added) :] == added
    assert len(overrides) == len(given) + 1 + len(added)  # image=file
    assert len(to_hydra_overrides(words, multirun=False)) == len(words)
    if not words[0].startswith("experiment"):
        compose_jobs(overrides, multirun=False)


@pytest.mark.parametrize("words", [[], ["task=denoising", "task.noise.sigma=10"], ["task=jpeg", "task.quality=9"]])
@pytest.mark.parametrize("name", ["image.path={}", "image=coffee"])
def test_what_is_degraded_on_purpose_is_said(
    name: str, words: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dip_experiments")
    write_image(tmp_path / "mine.png", load_image("coffee", None, 32, "resize"))
    picture = name.format(tmp_path / "mine.png")
    own = "{" in name
    for given, degraded in ((words, own), (["target=natural"], False), (["task=denoising", "task.noise=none"], False)):
        caplog.clear()
        (job,) = compose_jobs(to_hydra_overrides([*SMALL, picture, *given], multirun=False), multirun=False)
        validate(read_settings(job))
        assert ("mine.png: degraded first, to see how well" in caplog.text) == degraded, given
        if degraded and words:
            assert ("task.quality=null" in caplog.text) == ("task=jpeg" in words)
            assert ("dip restore" in caplog.text) == ("task=denoising" in words)
