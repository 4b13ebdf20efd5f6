"""A large picture is restored in tiles: one noise for all, resumable, from Python as by the command, without seams."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dip, load_image
from PIL import Image, ImageCms

import dip_experiments as dipx
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data.reading import bit_depth, read_alpha, read_image
from dip_experiments.data.tiling import Tiling, windowed
from dip_experiments.fitting import run_writer
from dip_experiments.fitting.run_writer import Recorder
from dip_experiments.fitting.tile import TileResult
from dip_experiments.losses import DistributionalConsistency, Whitened
from dip_experiments.runner import run_tiles
from dip_experiments.runner.export import restored_image
from dip_experiments.runner.select_runs import run_id
from dip_experiments.runner.tiles import tile_settings
from dip_experiments.stopping.noise_models import CorrelatedNoiseModel, GaussianNoiseModel
from dip_experiments.store import Run, write_image

NETWORK = {"architecture.down": [8, 8], "architecture.skip": [4, 4], "fit.iterations": 10, "fit.block": 5}
SMALL = {**NETWORK, "stopping.patience": 5, "stopping.mix": ["dct"], "tile": 32}
WORDS = ["scale=smoke", "replicas=2", "logger=none"]
WORDS += [f"{key}={value}".replace(" ", "").replace("'", "") for key, value in SMALL.items()]
CLEAN = load_image("coffee", None, 64, "resize")[:, :40, :52]
NOISY = np.clip(CLEAN + np.random.default_rng(0).normal(0, 0.1, CLEAN.shape), 0, 1)
ALPHA = np.random.default_rng(1).random((1, 40, 52))
TILES = 4


def levels(image: np.ndarray, bits: int = 16) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * (2**bits - 1)).astype(np.uint16)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_image(tmp_path / "photo.png", np.concatenate([NOISY, ALPHA]), 16)
    return tmp_path / "photo.png"


def runs(folder: Path) -> list[Run]:
    return [Run(path) for path in sorted((folder / "results" / "runs").iterdir()) if path.is_dir()]


def settings_of(*words: str) -> Settings:
    return read_settings(compose_jobs(list(words), multirun=False)[0])


def restored(noise: str = "gaussian", **settings: Any) -> Any:
    given = np.moveaxis(levels(NOISY), 0, 2)
    return dipx.restore(given, noise=noise, scale="smoke", replicas=2, settings={**SMALL, **settings}, progress=False)


@pytest.mark.parametrize("noise", ["gaussian", pytest.param("auto", marks=pytest.mark.thorough)])
def test_python_and_command_give_the_same_picture_bit_for_bit_in_its_depth_with_its_alpha(
    noise: str,
    photo: Path,
    dip: Dip,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert dip("restore", str(photo), *WORDS, f"noise={noise}") == 0
    output = tmp_path / "photo_restored.png"
    caplog.clear()
    result = restored(noise)
    unsure = sum(not tile["final"] for tile in result.summary["tiles"])
    assert unsure
    assert f"not sure of its stop in {unsure} of {TILES} tiles" in caplog.text
    assert isinstance(result, dipx.TiledReconstruction)
    assert bit_depth(str(output)) == 16
    alpha = read_alpha(output)
    assert alpha is not None
    assert (levels(alpha) == levels(ALPHA)).all()
    assert (levels(read_image(output)) == levels(np.moveaxis(result.image, 2, 0))).all()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith(f"{TILES} tiles finished: ")
    assert lines[0].endswith("; wrote photo_restored.png")
    assert f"estimated PSNR {result.estimated_psnr:.2f} +- " in lines[3]
    assert f", estimated PSNR {result.estimated_psnr:.2f} +- " in repr(result)
    assert result.estimated_psnr_range
    assert result.estimated_psnr_range[0] < result.estimated_psnr < result.estimated_psnr_range[1]
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["noise", "stop", "result"]
    assert len(runs(tmp_path)) == len(result.summary["tiles"]) == TILES
    assert sorted(set(result.history["tile"])) == [1, 2, 3, 4]


def test_all_tiles_have_the_noise_of_the_picture_and_seeds_of_their_own(photo: Path, dip: Dip, tmp_path: Path) -> None:
    assert dip("restore", str(photo), *WORDS, "noise=gaussian") == 0
    y = torch.from_numpy(read_image(photo))[None]
    law = GaussianNoiseModel(name="gaussian", sigma=None)
    sigma = law.known(y).facts["sigma"]
    found, settings = runs(tmp_path), settings_of("experiment=restore_noisy", "image.path=photo.png")
    assert {run.summary["stopping"]["split"]["facts"]["sigma"] for run in found} == {sigma}
    alone = [law.known(windowed(y, run.settings["image"]["window"])).facts["sigma"] for run in found]
    assert len({sigma, *alone}) == 1 + TILES
    assert sorted(run.settings["seed"] for run in found) == [0, 2, 4, 6]
    assert len({run.tile()["image"].tobytes() for run in found}) == TILES
    for run in found:
        assert (levels(run.tile()["image"].astype(float)) == levels(read_image(restored_image(run, settings)))).all()


def test_a_law_and_a_loss_that_are_fixed_take_the_noise_of_the_picture_for_a_tile() -> None:
    y = torch.from_numpy(NOISY)[None]
    part = windowed(y, [4, 8, 24, 24])
    law = CorrelatedNoiseModel(name="correlated", sigma=None, width=None, correlation=None, growth=None)
    assert law.fixed(y).noise_of(part).facts == law.known(y).facts
    assert law.fixed(y).noise_of(part).facts != law.noise_of(part).facts
    assert law.fixed(y).model_dump() == law.model_dump()
    whitened = Whitened(name="whitened", width=None, correlation=None, floor=0.05)
    for loss in (whitened, DistributionalConsistency(name="distributional", sigma=None)):
        fixed = loss.fixed(y)
        assert fixed.model_dump() == loss.model_dump()
        at_tile = fixed.for_measurement(part, True)(part, part + 0.1)
        assert at_tile != loss.for_measurement(part, True)(part, part + 0.1)
        assert fixed.for_measurement(y, True)(y, y + 0.1) == loss.for_measurement(y, True)(y, y + 0.1)


@pytest.mark.parametrize("at", [2, pytest.param(1, marks=pytest.mark.thorough)])
def test_a_restoration_that_is_interrupted_goes_on_with_the_tile_at_which_it_was(
    at: int, photo: Path, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip("restore", str(photo), *WORDS, "output=first.png") == 0
    ids = {run.name for run in runs(tmp_path)}
    for run in runs(tmp_path):
        for path in sorted(run.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    original, ends = Recorder.on_train_batch_end, []

    def interrupted(self: Recorder, *arguments: Any) -> None:
        original(self, *arguments)
        ends.append(self.run.name)
        if len(ends) == 2 * at + 1:  # after the first of the two blocks of a tile
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "on_train_batch_end", interrupted)
    assert dip("restore", str(photo), *WORDS, "output=second.png") == 130
    assert sum(run.finished for run in runs(tmp_path)) == at
    assert dip("restore", str(photo), *WORDS, "output=second.png") == 0
    assert len(ends) == 2 * TILES  # no block is fitted again
    assert {run.name for run in runs(tmp_path)} == ids
    assert (tmp_path / "second.png").read_bytes() == (tmp_path / "first.png").read_bytes()
    assert f"{TILES} tiles finished (resumed)" in capfd.readouterr().out
    monkeypatch.setattr(run_tiles, "fix_noise", None)  # nothing is estimated for what is finished
    assert dip("restore", str(photo), *WORDS, "output=third.png", "blend=0.5") == 0
    assert f"{TILES} tiles skipped" in capfd.readouterr().out
    mean = (read_image(tmp_path / "first.png") + NOISY) / 2
    np.testing.assert_allclose(read_image(tmp_path / "third.png"), mean, rtol=0, atol=2 / 65535)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restoration that leaves every pixel as it is."""

    def unchanged(module: Any, rule: str, mixtures: Any) -> TileResult:
        image = module.problem.original_task.measurement[0].numpy()
        error = np.array([0.001, 0.0001])
        return TileResult(image, error, error, np.array(0.0), np.array(1.0))

    monkeypatch.setattr(run_writer, "tile_result", unchanged)


def jpeg(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    levels_of = np.moveaxis(levels(NOISY, 8).astype(np.uint8), 0, 2)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(levels_of).save(path, quality=90, exif=exif, icc_profile=profile)


@pytest.mark.parametrize(
    ("name", "write", "bits"),
    [
        ("photo.jpg", jpeg, 8),
        ("grey.png", lambda path: write_image(path, NOISY[:1], 16), 16),
    ],
)
def test_an_exact_denoiser_gives_the_file_back_upright_in_its_depth_and_colours(
    name: str, write: Callable[[Path], None], bits: int, exact: None, dip: Dip, tmp_path: Path
) -> None:
    write(tmp_path / name)
    assert dip("restore", name, *WORDS, "output=same.png", "precision=float64", "fit.iterations=5") == 0
    seen, written = read_image(tmp_path / name), read_image(tmp_path / "same.png")
    assert bit_depth(str(tmp_path / "same.png")) == bits
    assert (levels(seen[:1] if bits == 16 else seen, bits) == levels(written, bits)).all()
    with Image.open(tmp_path / "same.png") as picture:
        assert picture.size == ((40, 52) if name == "photo.jpg" else (52, 40))
        assert ("icc_profile" in picture.info) == (name == "photo.jpg")


def test_number_memory_and_time_of_the_tiles_are_said_before_the_first(
    photo: Path, dip: Dip, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="dip_experiments")
    assert dip("restore", str(photo), *WORDS) == 0
    told = [record.getMessage() for record in caplog.records]
    first = next(number for number, line in enumerate(told) if line.startswith("tile 1 of 4"))
    before = "\n".join(told[:first])
    assert "40 x 52 pixels in 4 tiles of 32 x 32 that overlap" in before
    assert "GB of memory" in before
    assert "iterations, and the time of the filters that are mixed in" in before
    assert sum("sigma_from estimated" in line for line in told) == 1
    assert "left" in next(line for line in told if line.startswith("tile 1 of 4 took"))


def test_the_largest_picture_that_is_not_divided_has_the_run_id_that_it_had(photo: Path) -> None:
    one, other = (
        settings_of("experiment=restore_noisy", f"image.path={photo}", f"tile={tile}") for tile in ("null", "768")
    )
    assert run_id(one, "cpu") == run_id(other, "cpu")
    tiling = Tiling.of(40, 52, 32)
    assert tiling is not None
    names = {run_id(job, "cpu") for job in tile_settings(other, tiling)}
    assert len(names | {run_id(one, "cpu")}) == TILES + 1


RESTORE, FIT = ["restore", "photo.png", *WORDS], ["image.path=photo.png", "tile=32", "logger=none", "scale=smoke"]
WRONG = [
    ([*RESTORE, "tile=8"], "tile: got 8; input should be greater than or equal to 16"),
    (
        [*RESTORE, "architecture.down=[8,8,8,8,8]", "architecture.skip=[4,4,4,4,4]"],
        "tile: too small for the network, 32 x 32 pixels have room for 4 of the 5 scales",
    ),
    ([*RESTORE, "observe=[windowed_variance]"], "tile=32 with observe=[windowed_variance]: "),
    ([*RESTORE, "task/noise=gaussian"], "use task.noise=none, or tile=null"),
    ([*RESTORE, "+image.window=[0,0,32,32]", "tile=null"], "image.window: part of a picture that tile=... makes"),
    ([*RESTORE, "output=photo.png"], "would overwrite the input"),
    ([*FIT, "task=jpeg"], "tile=32 with task=jpeg: only denoising is done in tiles; leave it out"),
    ([*FIT, "task=denoising"], "tile=32 with stopping=none: "),
]


@pytest.mark.parametrize(("words", "wanted"), WRONG, ids=[wanted for _, wanted in WRONG])
def test_what_cannot_be_restored_in_tiles_is_refused_in_a_line_before_anything_is_written(
    words: list[str], wanted: str, photo: Path, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*words) == 2
    assert len([line for line in capfd.readouterr().err.splitlines() if wanted in line]) == 1
    assert not list((tmp_path / "results").glob("runs/*"))


def test_python_refuses_tiles_where_they_would_do_nothing_or_give_several_runs(photo: Path) -> None:
    with pytest.raises(ValueError, match=r"only dip\.restore\(noisy\) restores in tiles"):
        dipx.reconstruct(NOISY[0], settings={"tile": 32})
    with pytest.raises(ValueError, match="4 runs, one for each tile"):
        dipx.run("experiment=restore_noisy", f"image.path={photo}", *WORDS)
    with pytest.raises(ValueError, match="too small for the network"):
        restored(**{"architecture.down": [8] * 5, "architecture.skip": [4] * 5})


def test_where_a_tile_has_no_room_a_smaller_one_is_named(
    photo: Path, dip: Dip, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    large = np.tile(NOISY, (1, 4, 3))
    write_image(photo, large, 8)
    monkeypatch.setattr("dip_experiments.runner.validate.available_memory", lambda device: 5_000_000)
    words = [*(word for word in WORDS if not word.startswith("tile=")), "tile=128", "replicas=1"]
    assert dip("restore", str(photo), *words) == 2
    told = capfd.readouterr().err
    assert "96 x 96 pixels" in told
    assert "or with tile=32" in told


@pytest.mark.slow
@pytest.mark.thorough
def test_a_picture_in_tiles_is_as_good_as_in_one_piece() -> None:
    """Measured in bf16: 30.37 dB in four tiles, 30.31 dB in one piece (docs/your_image.md)."""
    clean = load_image("astronaut", None, 192, "resize")
    noisy = np.moveaxis(clean + np.random.default_rng(1).normal(0, 25 / 255, clean.shape), 0, 2)
    tiled, one = (dipx.restore(noisy, replicas=2, settings={"tile": tile}, progress=False) for tile in (128, None))
    errors = [np.mean((result.image - np.moveaxis(clean, 0, 2)) ** 2) for result in (tiled, one)]
    assert 10 * np.log10(errors[0] / errors[1]) < 0.1
    estimate = tiled.summary["stopping"]["split"]["mix"]["estimate"]
    assert abs(estimate["mse"] - errors[0]) < 2 * estimate["mse_se"]
