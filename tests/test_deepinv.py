"""Physics and benchmarks of the real deepinv, in an environment of its own: `make test-deepinv`."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dip, only_run
from torch import Tensor
from torch.utils.data import DataLoader

import dip_experiments as dipx
from dip_experiments.operators import as_operator
from dip_experiments.store import write_image

deepinv = pytest.importorskip(
    "deepinv", reason="needs the extra deepinv, in an environment of its own: make test-deepinv"
)
pytestmark = pytest.mark.filterwarnings("default")  # those of deepinv and of what it imports
SIDE, ANGLES = 32, 20
SETTINGS = {"architecture.down": [16, 16, 16], "architecture.skip": [4, 4, 4], "fit.block": 20}
OPTIONS: dict[str, Any] = {"scale": "smoke", "iterations": 200, "settings": SETTINGS}
KNOWN = [
    "task/noise=gaussian",
    "task.noise.clip=false",
    "loss.width=0",
    "loss.correlation=0",
    "stopping.law.sigma=25",
    "stopping.patience=50",
]
"""Noise, and what is known of it."""
CLEAN = np.kron(np.random.default_rng(0).uniform(0.1, 0.9, (4, 4)), np.ones((8, 8)))


def blur() -> Any:
    kernel = deepinv.physics.functional.blur.gaussian_blur(sigma=(1.0, 1.0))
    return deepinv.physics.Blur(kernel, padding="circular")


def blur_fft() -> Any:
    kernel = deepinv.physics.functional.blur.gaussian_blur(sigma=(1.0, 1.0))
    return deepinv.physics.BlurFFT((1, SIDE, SIDE), kernel)


def tomography() -> Any:
    return deepinv.physics.Tomography(ANGLES, SIDE, normalize=False)


def mri() -> Any:
    mask = (torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    return deepinv.physics.MRI(mask=mask, img_size=(2, SIDE, SIDE))


PHYSICS = {"blur": blur, "blur by FFT": blur_fft, "tomography": tomography, "MRI": mri}
MEASURED = {"blur": (1, 32, 32), "blur by FFT": (1, 32, 32), "tomography": (1, 46, 20), "MRI": (2, 32, 32)}


def clean(name: str) -> Tensor:
    """One image; that of MRI is complex, with an imaginary part of 0."""
    x = torch.from_numpy(CLEAN).float()[None, None]
    return torch.cat([x, torch.zeros_like(x)], 1) if name == "MRI" else x


def with_noise(name: str) -> Any:
    physics = PHYSICS[name]()
    physics.noise_model = deepinv.physics.GaussianNoise(0.05, rng=torch.Generator().manual_seed(0))
    return physics


@pytest.mark.parametrize("name", PHYSICS)
def test_a_physics_is_a_linear_operator_with_its_adjoint_and_shapes(name: str) -> None:
    operator = as_operator(PHYSICS[name]()).double()
    draws = torch.Generator().manual_seed(1)
    x, other = (torch.randn(2, *clean(name).shape[1:], generator=draws, dtype=torch.float64) for _ in range(2))
    y = operator(x)
    assert tuple(y.shape[1:]) == MEASURED[name]
    assert operator.image_shape(MEASURED[name]) == tuple(x.shape[1:])
    torch.testing.assert_close(operator(2 * x - other), 2 * y - operator(other), rtol=1e-4, atol=1e-4)
    v = torch.randn(y.shape, generator=draws, dtype=torch.float64)
    defect = (y * v).sum() - (x * operator.adjoint(v)).sum()
    assert abs(defect) < 1e-5 * y.norm() * v.norm()
    sampled = PHYSICS[name]().mask.bool().expand_as(y) if name == "MRI" else None
    assert sampled is None or torch.equal(operator.measured(y), sampled)


@pytest.mark.parametrize("name", PHYSICS)
def test_a_reconstruction_fits_the_measurement(name: str) -> None:
    physics = PHYSICS[name]()
    y = physics(clean(name))
    result = dipx.reconstruct(y[0], physics, reference=clean(name)[0], progress=False, **OPTIONS)
    found = physics.A(torch.from_numpy(result.output).float())
    empty = physics.A(torch.full_like(clean(name), 0.5))
    assert (found - y).square().mean() < 0.2 * (empty - y).square().mean()
    assert result.history["psnr_average"].iloc[-1] > result.history["psnr_average"].iloc[0] + 5


@pytest.mark.parametrize("stopping", ["split", "held_out_pixels"])
@pytest.mark.parametrize("name", PHYSICS)
def test_rules_stop_a_fit(name: str, stopping: str) -> None:
    physics = with_noise(name)
    rules = {"stopping.patience": 40, **({"stopping.law.sigma": 12.75} if stopping == "split" else {})}
    given = {**OPTIONS, "settings": SETTINGS | rules, "stopping": stopping, "replicas": 2}
    result = dipx.reconstruct(physics(clean(name))[0], physics, progress=False, **given)
    assert result.stopped_at is not None
    assert result.image.shape == tuple(clean(name).shape[1:])


@pytest.mark.parametrize("loss", ["whitened", "distributional"])
def test_losses_that_need_all_values_fit_a_noisy_measurement_of_rays(loss: str) -> None:
    physics = with_noise("tomography")
    noise = {"loss.width": 0.0, "loss.correlation": 0.0} if loss == "whitened" else {"loss.sigma": 12.75}
    rules = {"stopping.patience": 40, "stopping.law.sigma": 12.75}
    given = {**OPTIONS, "settings": SETTINGS | rules | noise, "stopping": "split", "replicas": 2}
    y = physics(clean("tomography"))[0]
    result = dipx.reconstruct(y, physics, loss=loss, reference=clean("tomography")[0], progress=False, **given)
    assert result.stopped_at is not None
    assert result.history["psnr_average"].iloc[-1] > result.history["psnr_average"].iloc[0] + 5


@pytest.mark.parametrize("name", PHYSICS)
def test_a_model_runs_in_the_tests_of_deepinv(name: str) -> None:
    physics = with_noise(name)
    x = clean(name).repeat(3, 1, 1, 1)
    loader = DataLoader([{"x": image, "y": y} for image, y in zip(x, physics(x), strict=True)], batch_size=2)
    model = dipx.DeepinvModel(**{**OPTIONS, "iterations": 100})
    found = deepinv.test(model, loader, physics, verbose=False, show_progress_bar=False, compare_no_learning=False)
    y = next(iter(loader))["y"]
    with torch.no_grad():
        image = model(y, physics)
    assert image.shape == (2, *x.shape[1:])
    assert not torch.equal(image[0], image[1])
    assert 10 < found["PSNR"] < 60


def test_parameters_for_each_image_need_batches_of_one() -> None:
    generator = deepinv.physics.generator.GaussianMaskGenerator((2, SIDE, SIDE), acceleration=2)
    physics = deepinv.physics.MRI(img_size=(2, SIDE, SIDE))
    x = clean("MRI").repeat(2, 1, 1, 1)
    model = dipx.DeepinvModel(**{**OPTIONS, "iterations": 4})
    settings = {"physics_generator": generator, "online_measurements": True, "verbose": False}
    for batch_size in (1, 2):
        loader = DataLoader(list(x), batch_size=batch_size)
        if batch_size == 1:
            assert deepinv.test(model, loader, physics, show_progress_bar=False, **settings)["PSNR"] > 0
            continue
        with pytest.raises(ValueError, match="batch_size=1"):
            deepinv.test(model, loader, physics, show_progress_bar=False, **settings)


def test_stacked_measurements_are_refused_in_a_line() -> None:
    physics = blur().stack(tomography())
    with pytest.raises(ValueError, match="measurements TensorList; give one tensor"):
        dipx.DeepinvModel(**OPTIONS)(physics(clean("blur")), physics)


@pytest.mark.parametrize(
    "further", [["task.noise=none"], ["loss=whitened", "stopping=split", *KNOWN]], ids=["", "split"]
)
def test_the_command_line_takes_a_physics_by_its_name(dip: Dip, tmp_path: Path, further: list[str]) -> None:
    write_image(tmp_path / "clean.png", CLEAN[None])
    words = ["scale=smoke", "logger=none", f"image.path={tmp_path / 'clean.png'}", "fit.iterations=10", "task=inverse"]
    words += ["task.source=original"]
    words += ["task.operator._target_=deepinv.physics.Tomography", f"++task.operator.angles={ANGLES}"]
    words += [f"++task.operator.img_width={SIDE}", "++task.operator.normalize=false"]
    assert dip(*words, *further) == 0
    run = only_run(tmp_path)
    with np.load(run.folder / "measurement.npz") as stored:
        assert stored["measurement"].shape == (1, *MEASURED["tomography"])
    assert ("stopping" in run.summary) == ("stopping=split" in further)


def test_the_example_compares_models() -> None:
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "deepinv_benchmark.py"))
    settings = {**SETTINGS, "stopping.patience": 20}
    found = example["benchmark"](side=SIDE, scale="smoke", iterations=60, settings=settings)
    assert set(found) == {"deep image prior", "total variation"}
    assert all(metrics["PSNR"] > 5 for metrics in found.values())
