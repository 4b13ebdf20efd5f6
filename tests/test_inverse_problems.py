"""Blur, operators of one's own and what is measured of an image: contracts, and the tasks made of them."""

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import Dip, only_run
from contracts import check_operator
from scipy.ndimage import convolve
from test_api import CLEAN, WORDS, as_file
from torch import Tensor

from dip_experiments.operators import Blur, Downsampler, FunctionOperator, Identity, Mask, as_operator
from dip_experiments.schema import make_part
from dip_experiments.stopping import FitInput
from dip_experiments.store import write_image
from dip_experiments.tasks import Deblurring, Task, TaskSettings
from dip_experiments.tasks.inverse import measured_through
from dip_experiments.tasks.kernels import BoxKernel, GaussianKernel, KernelFile
from dip_experiments.tasks.noise import Gaussian, Noise, Poisson, SaltAndPepper

KERNEL = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
IMAGE = torch.rand(3, 12, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_blur_is_a_convolution_with_replicated_borders_and_has_its_adjoint() -> None:
    operator = Blur(KERNEL)
    check_operator(operator, (2, 3, 12, 10))
    wanted = np.stack([convolve(plane, KERNEL.numpy(), mode="nearest") for plane in IMAGE.numpy()])
    np.testing.assert_allclose(operator(IMAGE[None])[0], wanted, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="odd height and width"):
        Blur(torch.ones(4, 3))


def test_kernels_have_a_sum_of_1_and_the_width_that_is_given(tmp_path: Path) -> None:
    gaussian = GaussianKernel(name="gaussian", width=1.5).values({})
    distance = torch.arange(len(gaussian)) - len(gaussian) // 2
    assert float((gaussian.sum(0) * distance**2).sum()) == pytest.approx(1.5**2, rel=0.03)
    assert BoxKernel(name="box", width=5).values({}).unique().tolist() == [1 / 25]
    drawn = torch.zeros(1, 3, 3, dtype=torch.float64)
    drawn[0, 1] = 0.5
    read = KernelFile(name="file", path="kernel.png").values({"kernel": drawn})
    assert [float(kernel.sum()) for kernel in (gaussian, read)] == pytest.approx([1, 1])
    with pytest.raises(ValueError, match="both sides must be odd"):
        KernelFile(name="file", path="kernel.png").values({"kernel": drawn[:, :2]})


def test_a_kernel_is_read_from_a_file_of_any_size_and_counts_by_its_content(dip: Dip, tmp_path: Path) -> None:
    picture = as_file(tmp_path, (255 * CLEAN).astype(np.uint8))
    words = [picture, "task=deblurring", "task/kernel=file", f"task.kernel.path={tmp_path / 'k.png'}"]
    for value in (0.5, 1.0):
        kernel = np.zeros((1, 5, 7))
        kernel[0, 2, 2:5] = [value, 1.0, 1.0]
        write_image(tmp_path / "k.png", kernel)
        assert dip(*WORDS, *words, "fit.iterations=2") == 0
    assert len([path for path in (tmp_path / "results" / "runs").iterdir() if path.is_dir()]) == 2


@pytest.mark.thorough
def test_a_blurred_picture_has_its_measurement_and_is_sharper_after_the_fit(dip: Dip, tmp_path: Path) -> None:
    task = make_part(
        TaskSettings,
        {
            "name": "deblurring", "kernel": {"name": "gaussian", "width": 1.0}, "source": "original",
            "noise": {"name": "gaussian", "sigma": 0.0, "clip": False},
        },
    )  # fmt: skip
    assert isinstance(task, Deblurring)
    made = task.make(IMAGE, [0, 1], {})
    torch.testing.assert_close(made.measurement, Blur(task.kernel.values({}))(IMAGE[None]).expand(2, -1, -1, -1))
    assert made.reference is not None
    assert torch.equal(made.reference[0], IMAGE)
    given = task.model_copy(update={"source": "measurement"}).make(IMAGE, [0], {})
    assert given.reference is None
    assert torch.equal(given.measurement[0], IMAGE)
    words = [
        as_file(tmp_path, (255 * CLEAN).astype(np.uint8)),
        "task=deblurring",
        "task/kernel=box",
        "task.kernel.width=3",
        "task.source=original",
    ]
    assert dip(*WORDS, *words, "fit.iterations=400") == 0
    scores = only_run(tmp_path).summary["scores"]
    assert scores["average"]["psnr"][0] > scores["measurement"]["psnr"][0] + 1


def test_the_shape_of_an_image_is_that_of_its_operators() -> None:
    half = FunctionOperator(lambda x: x[..., ::2, :], (3, 12, 10))
    assert half.image_shape((3, 6, 10)) == (3, 12, 10)
    both = Downsampler(2, 2) @ half
    assert both.image_shape((3, 3, 5)) == (3, 12, 10)
    y = both(torch.rand(2, 3, 12, 10))
    assert Task(y, both).shape == (2, 3, 12, 10)
    check_operator(half, (2, 3, 12, 10))


def test_all_values_are_measured_but_those_that_a_mask_hides() -> None:
    signs = FunctionOperator(lambda x: x - x.flip(-1), (1, 4, 4))  # A A^T 1 = 0, and yet all is measured
    assert FitInput(torch.zeros(1, 1, 4, 4), signs).known().all()
    known = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)) > 0.5
    hidden = Mask(known) @ signs
    assert torch.equal(hidden.measured(torch.zeros(1, 1, 4, 4)), known)
    assert torch.equal((Identity() @ Mask(known)).measured(torch.zeros(1, 1, 4, 4)), known)


def test_noise_cuts_off_no_measurement_that_is_no_image() -> None:
    image = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    sums = FunctionOperator(lambda x: 6 * x)
    clipped, free = (Gaussian(name="gaussian", sigma=5.0, clip=clip) for clip in (True, False))
    message = r"is for values in \[0, 1\], .* from 0\.\d+ to 5\.\d+; give .* task\.noise\.clip=false"
    impulses = SaltAndPepper(name="salt_and_pepper", fraction=0.1)
    for noise in (clipped, impulses):
        with pytest.raises(ValueError, match=message):
            measured_through(sums, noise, "original", image, [0])
    centred = FunctionOperator(lambda x: x - 0.5)
    with pytest.raises(ValueError, match="is for values from 0 on"):
        measured_through(centred, Poisson(name="poisson", peak=30.0), "original", image, [0])
    assert measured_through(sums, free, "original", image, [0]).measurement.max() > 2
    assert measured_through(Identity(), clipped, "original", image, [0]).measurement.max() <= 1


class Rays:
    """Sums of rows on a detector that is larger than the object, as of a physics with a method A."""

    def A(self, x: Tensor) -> Tensor:
        return F.pad(x.sum(-1, keepdim=True), (0, 0, 2, 2))

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y[..., 2:-2, :].expand(-1, -1, -1, 4)


def test_rays_past_the_object_are_measured_unless_nothing_stands_where_they_are() -> None:
    rays = as_operator(Rays())
    empty = torch.zeros(1, 1, 8, 1)
    assert rays.measured(empty)[0, 0, :, 0].tolist() == [False] * 2 + [True] * 4 + [False] * 2
    noisy = empty + 0.1
    assert FitInput(noisy, rays).complete
    masked = Rays()
    vars(masked)["mask"] = torch.ones(1)  # what a physics hides by a mask of its own is not measured, noise or none
    assert torch.equal(as_operator(masked).measured(noisy), rays.measured(empty))


def test_what_is_no_operator_is_refused() -> None:
    assert isinstance(as_operator(None), Identity)
    with pytest.raises(ValueError, match="give an Operator, a function"):
        as_operator("blur")


def test_a_part_of_another_package_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples")
    point = importlib.metadata.EntryPoint("rows", "my_parts:Stripes", "dip_experiments.task.noise")

    def entry_points(group: str, name: str) -> list[Any]:
        return [point] if (group, name) == ("dip_experiments.task.noise", "rows") else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    noise = make_part(Noise, {"name": "rows", "sigma": 5.0})
    assert type(noise).__name__ == "Stripes"
    assert noise.model_dump(by_alias=True)["_target_"] == "my_parts.Stripes"
    with pytest.raises(ValueError, match="unknown; choose from gaussian"):
        make_part(Noise, {"name": "columns"})
    sys.modules.pop("my_parts")
