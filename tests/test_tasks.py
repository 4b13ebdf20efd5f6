"""A task measures the image as its degradation does, the fit looks through its operator, holes are filled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, load_image, only_run, thorough_after
from interruptions import interrupt_at
from PIL import Image

from dip_experiments.architectures import Skip
from dip_experiments.config.compose import compose_jobs
from dip_experiments.data.layers import Array
from dip_experiments.metrics import psnr
from dip_experiments.schema import make_part
from dip_experiments.store import Run
from dip_experiments.tasks import Restoration, Task, TaskSettings
from dip_experiments.tasks.jpeg import through_file
from dip_experiments.tasks.noise import AddedNoise
from dip_experiments.tasks.super_resolution import low_resolution
from dip_experiments.tensors import generator, mean_squared_error

IMAGE = torch.from_numpy(load_image("astronaut", None, 32, "resize"))
SEEDS = [3, 4]
NOISES: dict[str, dict[str, Any]] = {
    "gaussian": {"sigma": 25.0, "clip": True},
    "speckle": {"sigma": 25.0},
    "poisson": {"peak": 30.0},
    "salt_and_pepper": {"fraction": 0.1},
}
BERNOULLI = {"name": "bernoulli", "missing": 0.5, "per": "pixel"}
BOX = {"name": "box", "top": 4, "left": 8, "height": 6, "width": 10}
CHOICES: dict[str, dict[str, Any]] = {
    "denoising": {"noise": {"name": "gaussian", **NOISES["gaussian"]}},
    "jpeg": {"quality": 10},
    "super_resolution": {"factor": 4, "lobes": 2, "source": "original"},
    "inpainting": {"mask": BERNOULLI},
}


def energy(task: Task, image: torch.Tensor) -> torch.Tensor:
    """Mean squared error of A x to the measurement, of each replica."""
    return mean_squared_error(task.operator(image), task.measurement)


def words_of(name: str, **options: Any) -> Restoration:
    task: Any = make_part(TaskSettings, {"name": name, **CHOICES[name], **options})
    return task


def task(name: str, **options: Any) -> Task:
    return words_of(name, **options).make(IMAGE, SEEDS, {})


def write_mask(path: Path, size: tuple[int, int], value: int | None = None) -> Path:
    """Black left third, white right; or one value everywhere. `size`: columns, rows."""
    pixels = np.full(size[::-1], 255 if value is None else value, dtype=np.uint8)
    if value is None:
        pixels[:, : size[0] // 3] = 0
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("name", NOISES)
def test_a_noisy_measurement_is_its_degradation_drawn_anew_for_each_replica(name: str) -> None:
    made = task("denoising", noise={"name": name, **NOISES[name]})
    for seed, measurement in zip(SEEDS, made.measurement, strict=True):
        noise = getattr(words_of("denoising", noise={"name": name, **NOISES[name]}), "noise")  # noqa: B009
        assert isinstance(noise, AddedNoise)
        assert torch.equal(measurement, noise.apply(IMAGE, generator(seed, "task")))
    assert not torch.equal(*made.measurement)
    assert made.reference is not None
    assert torch.equal(made.operator(made.reference), made.reference)


def test_a_jpeg_measurement_is_the_round_trip_through_a_file() -> None:
    made = task("jpeg", quality=7)
    assert torch.equal(made.measurement[1], through_file(IMAGE, 7))


def test_the_small_image_is_made_by_pillow_and_looked_at_through_lanczos_2() -> None:
    made = task("super_resolution")
    assert torch.equal(made.measurement[0], low_resolution(IMAGE, 4))
    assert made.reference is not None
    seen = made.operator(made.reference)
    assert seen.shape == made.measurement.shape == (2, 3, 8, 8)
    assert 0.0001 < float(energy(made, made.reference).max()) < 0.003  # near, but two different kernels
    assert made.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("mask", [BERNOULLI, BOX, {**BERNOULLI, "per": "channel"}], ids=["pixel", "box", "channel"])
def test_the_measurement_of_inpainting_is_what_the_operator_sees_of_the_clean_image(mask: dict[str, Any]) -> None:
    made = task("inpainting", mask=mask)
    assert made.reference is not None
    assert torch.equal(made.operator(made.reference), made.measurement)
    assert float(energy(made, made.reference).max()) == 0


def test_the_energy_of_inpainting_is_the_mean_over_all_pixels_also_the_missing_ones() -> None:
    made = task("inpainting")
    assert made.reference is not None
    known = made.operator.get_buffer("known")
    off = made.reference + 0.1
    expected = 0.01 * known.double().flatten(1).mean(1)
    torch.testing.assert_close(energy(made, off), expected)
    assert (expected - 0.005).abs().max() < 0.0005
    hidden = made.reference + 0.5 * ~known
    assert float(energy(made, hidden).max()) == 0


def test_each_replica_has_the_mask_of_its_own_seed() -> None:
    known = task("inpainting").operator.get_buffer("known")
    assert not torch.equal(*known)
    assert torch.equal(words_of("inpainting").make(IMAGE, [4], {}).operator.get_buffer("known")[0], known[1])


def test_a_drawn_mask_holds_for_every_channel_and_replica() -> None:
    drawn = torch.ones(1, 32, 32, dtype=torch.bool)
    drawn[:, :8] = False
    made = words_of("inpainting", mask={"name": "file", "path": "mask.png"}).make(IMAGE, SEEDS, {"mask": drawn})
    assert (made.measurement[:, :, :8] == 0).all()
    assert made.reference is not None
    assert torch.equal(made.measurement[..., 8:, :], made.reference[..., 8:, :])


@pytest.mark.parametrize("name", thorough_after(2, CHOICES))
def test_a_task_is_chosen_on_the_command_line_and_degrades_the_image_itself(
    name: str, dip: Dip, tmp_path: Path
) -> None:
    run = fresh(tmp_path, dip, f"task={name}", "replicas=2", "seed=3")
    assert run.settings["task"] == {"name": name, **CHOICES[name]}
    assert run.settings["target"] == {"name": "natural"}
    made = task(name)
    for replica, measurement in enumerate(made.measurement):
        stored = np.asarray(Image.open(run.image("target", replica))) / 255
        assert np.abs(stored - measurement.clamp(0, 1).permute(1, 2, 0).numpy()).max() < 0.51 / 255
        assert np.asarray(Image.open(run.image("average", replica))).shape == (32, 32, 3)
    assert list(run.curves[0])[-4:] == ["loss", "psnr_measurement", "psnr_reference", "psnr_average"]
    first = run.curves[0]
    np.testing.assert_allclose(first["psnr_measurement"], -10 * np.log10(first["loss"]), rtol=1e-5)


def test_another_noise_is_another_word() -> None:
    jobs = compose_jobs(["task=denoising", "task/noise=gaussian,poisson,speckle,salt_and_pepper,none"], multirun=True)
    assert [job.task.noise.name for job in jobs] == [*("gaussian", "poisson", "speckle", "salt_and_pepper"), "none"]


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ([], "natural"),
        (["target=noise"], "noise"),
        pytest.param(["experiment=acceleration"], "natural", marks=pytest.mark.thorough),
    ],
    ids=["alone", "the command line wins", "in an experiment"],
)
def test_a_restoration_task_brings_the_natural_target(words: list[str], target: str) -> None:
    for name in CHOICES:
        assert {job.target.name for job in compose_jobs([*words, f"task={name}"], multirun=True)} == {target}


def test_what_changes_the_measurement_changes_the_name_of_the_run(dip: Dip, tmp_path: Path) -> None:
    write_mask(tmp_path / "one.png", (32, 32))
    words = [*SMALL, "fit.iterations=1", "task=inpainting", "task/mask=file"]
    assert dip(*words, f"task.mask.path={tmp_path / 'one.png'}") == 0
    name = only_run(tmp_path).name
    (tmp_path / "one.png").rename(tmp_path / "two.png")
    assert dip(*words, f"task.mask.path={tmp_path / 'two.png'}") == 0
    assert only_run(tmp_path).name == name
    assert np.asarray(Image.open(only_run(tmp_path).image("target", 0)))[:, :10].max() == 0
    write_mask(tmp_path / "two.png", (32, 32)).write_bytes((tmp_path / "two.png").read_bytes() + b" ")
    assert dip(*words, f"task.mask.path={tmp_path / 'two.png'}") == 0
    assert len(list((tmp_path / "results" / "runs").iterdir())) == 2


@pytest.mark.slow
def test_an_interrupted_restoration_resumes_to_the_very_curves(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["task=inpainting", "replicas=2", "fit.iterations=24"]
    whole = fresh(tmp_path, dip, *words)
    curves, average = (whole.folder / "curves.csv").read_bytes(), whole.image("average", 1).read_bytes()
    for path in whole.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 17)
        assert dip(*SMALL, *words) == 130
    assert dip(*SMALL, *words) == 0
    assert (whole.folder / "curves.csv").read_bytes() == curves
    assert whole.image("average", 1).read_bytes() == average


def pixels(run: Run, name: str) -> Array:
    return np.asarray(Image.open(run.image(name, 0))) / 255


def test_missing_pixels_come_back_far_better_than_by_zero_or_mean(dip: Dip, tmp_path: Path) -> None:
    words = ["task=inpainting", "architecture.down=[16,16,16]", "fit.iterations=200", "image.size=64"]
    run = fresh(tmp_path, dip, *words)
    clean, holes, restored = (pixels(run, name) for name in ("reference", "target", "average"))
    missing = (holes == 0).all(2)
    mean = np.broadcast_to(holes[~missing].mean(0), clean.shape)
    ours, zero, flat = (psnr(image[missing], clean[missing]) for image in (restored, holes, mean))
    assert abs(missing.mean() - 0.5) < 0.05
    assert ours > zero + 8
    assert run.scores("average", "psnr_missing")[0] == pytest.approx(ours, abs=0.05)  # pictures have 8 bit
    alone = Skip(32, 3, (64, 64), [16] * 3, [16] * 3, [4] * 3)
    assert run.summary["parameters"] == sum(weights.numel() for weights in alone.parameters())
    assert ours > flat + 5
