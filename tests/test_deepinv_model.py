"""Objects of the form of a deepinv physics: as operators, in `DeepinvModel`, with measurements that are no image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dip, only_run, thorough_after
from PIL import Image
from test_api import CLEAN, NOISY, SMALL, WORDS, as_file, fit
from torch import Tensor, nn

import dip_experiments as dipx
from dip_experiments.data.display import displayed, stretched
from dip_experiments.data.reading import read_image
from dip_experiments.operators import FunctionOperator, Operator, as_operator
from dip_experiments.report.pictures import described
from dip_experiments.stopping import FitInput
from dip_experiments.tasks import Task

OPTIONS: dict[str, Any] = {"scale": "smoke", "iterations": 6, "settings": SMALL}
ROWS, COLUMNS = CLEAN.shape
DRAWS = torch.Generator().manual_seed(0)


class Noisy(nn.Module):
    """Missing pixels. `forward` adds noise, which a fit must not do; it holds a buffer, a parameter, a generator."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", (torch.rand(1, 1, ROWS, COLUMNS, generator=DRAWS) < 0.5).float())
        self.sigma = nn.Parameter(torch.tensor(0.1))
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.rng = torch.Generator().manual_seed(0)

    def A(self, x: Tensor, **kwargs: Any) -> Tensor:
        return self.gain * x * self.mask

    def A_adjoint(self, y: Tensor, **kwargs: Any) -> Tensor:
        return self.A(y)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        y = self.A(x)
        return y + self.sigma.detach() * self.mask * torch.randn(y.shape, generator=self.rng)


class Coils(nn.Module):
    """Frequencies below `rows` of images under complex sensitivities, in float32 alone; `A` takes further arguments.

    The measurement has 2 channels for each coil, real and imaginary parts.
    """

    def __init__(self, coils: int = 1, rows: int = ROWS, sampled: float = 1.0) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(1)
        self.rows = rows
        self.register_buffer("maps", torch.randn(1, coils, ROWS, COLUMNS, dtype=torch.complex64, generator=draws))
        self.register_buffer("mask", (torch.rand(1, 1, rows, COLUMNS, generator=draws) < sampled).float())

    def A(self, x: Tensor, mask: Tensor | None = None, scale: float = 1.0, **kwargs: Any) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError("float32 is wanted")
        found = torch.fft.fft(self.maps * x, dim=-2, norm="ortho")[..., : self.rows, :] * scale
        return torch.cat([found.real, found.imag], 1) * (self.mask if mask is None else mask)

    def A_adjoint(self, y: Tensor, mask: Tensor | None = None, **kwargs: Any) -> Tensor:
        real, imaginary = (y * (self.mask if mask is None else mask)).chunk(2, 1)
        full = torch.zeros(*real.shape[:2], ROWS, COLUMNS, dtype=torch.complex64)
        full[..., : self.rows, :] = torch.complex(real, imaginary)
        return (self.maps.conj() * torch.fft.ifft(full, dim=-2, norm="ortho")).real.sum(1, keepdim=True)


class Fourier(Operator):
    """An operator of the package's own form with a complex buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.full((1,), 3 + 4j, dtype=torch.complex128))

    def forward(self, x: Tensor) -> Tensor:
        return (self.factor * x).imag


PHYSICS = {"noisy": Noisy(), "one coil": Coils(), "three coils": Coils(3, 7), "sampled": Coils(1, 9, 0.5)}


def images(count: int) -> Tensor:
    return torch.from_numpy(CLEAN).float().expand(count, 1, -1, -1)


@pytest.mark.parametrize("name", thorough_after(1, reversed(PHYSICS)))
def test_a_model_fits_each_measurement_as_reconstruct_does_and_leaves_the_physics_alone(name: str) -> None:
    physics = PHYSICS[name]
    y = physics(images(2)) if name == "noisy" else physics.A(images(2))
    before = {key: value.clone() for key, value in physics.state_dict().items()}
    state = PHYSICS["noisy"].rng.get_state()
    with torch.inference_mode():
        found = dipx.DeepinvModel(**OPTIONS, seed=3, replicas=2)(y.detach(), physics, x_net=None)
    assert (found.shape, found.dtype, found.requires_grad) == ((2, 1, ROWS, COLUMNS), y.dtype, False)
    for image, measurement, seed in zip(found, y, (3, 5), strict=True):
        expected = dipx.reconstruct(measurement, physics, **OPTIONS, seed=seed, replicas=2, progress=False).image
        np.testing.assert_array_equal(image.numpy(), expected.astype(np.float32))
    assert all(torch.equal(value, before[key]) for key, value in physics.state_dict().items())
    assert torch.equal(state, PHYSICS["noisy"].rng.get_state())
    assert all(parameter.grad is None for parameter in physics.parameters())


@pytest.mark.parametrize("name", PHYSICS)
def test_a_physics_has_its_adjoint_and_the_shape_of_its_image(name: str) -> None:
    operator = Task(torch.zeros(1, 1, 1, 1), as_operator(PHYSICS[name])).to(torch.device("cpu"), torch.float64).operator
    x = torch.rand(2, 1, ROWS, COLUMNS, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = operator(x)
    v = torch.rand(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert operator.image_shape(tuple(y.shape[1:])) == (1, ROWS, COLUMNS)
    for adjoint in (operator.adjoint, super(FunctionOperator, operator).adjoint):
        torch.testing.assert_close((y * v).sum(), (x * adjoint(v)).sum(), rtol=1e-5, atol=0)


def test_a_complex_buffer_keeps_its_imaginary_part_in_every_precision() -> None:
    for dtype in (torch.float32, torch.float64):
        operator = Task(torch.zeros(1, 1, 2, 2), Fourier()).to(torch.device("cpu"), dtype).operator
        assert torch.equal(operator(torch.ones(1, 1, 2, 2, dtype=dtype)), torch.full((1, 1, 2, 2), 4, dtype=dtype))


@pytest.mark.parametrize("stopping", ["split", "held_out_pixels"])
@pytest.mark.parametrize("name", thorough_after(1, reversed(PHYSICS)))
def test_rules_stop_fits_of_measurements_of_other_channels_and_sizes(name: str, stopping: str) -> None:
    rules = {"stopping.patience": 5, **({"stopping.law.sigma": 20.0} if stopping == "split" else {})}
    y = PHYSICS[name].A(images(1))[0].detach()
    result = fit(y, PHYSICS[name], stopping=stopping, replicas=2, iterations=40, settings=rules, reference=CLEAN)
    loss = result.history["loss"].to_numpy(float).reshape(2, -1)
    assert np.isfinite(loss).all()
    assert (loss[:, -1] < 0.9 * loss[:, 0]).all()
    assert result.image.shape == (1, ROWS, COLUMNS)
    assert result.stopped_at is not None
    assert set(result.summary["scores"]["mean"]) == {"psnr", "ssim"}


def test_a_split_adds_noise_to_what_is_measured_alone() -> None:
    y = PHYSICS["sampled"].A(images(1)).double()
    sampled = PHYSICS["sampled"].mask.bool().expand_as(y)
    given = FitInput(y, as_operator(PHYSICS["sampled"]))
    rule = dipx.api.read_rule("split", {"law.sigma": 20.0})
    fitted = rule.hold_out(given, [0])
    assert torch.equal(given.known(), sampled)
    assert torch.equal(fitted.measurement.ne(y), sampled)
    assert float(given.share()) == pytest.approx(float(sampled.double().mean()))


@pytest.mark.thorough
def test_six_channels_have_a_noise_level() -> None:
    noisy = torch.rand(6, 32, 32, generator=torch.Generator().manual_seed(4)).mul(0.1).add(0.4)
    result = fit(noisy, stopping="split", iterations=2)
    assert 5 < result.summary["stopping"]["split"]["facts"]["sigma"] < 10  # that of a uniform law is 7.4


@pytest.mark.parametrize(("coils", "rows", "grid"), thorough_after(1, [(1, 9, (1, 2)), (3, 7, (2, 3))]))
def test_a_measurement_of_other_channels_is_stored_as_it_is_and_shown_as_a_grid(
    coils: int, rows: int, grid: tuple[int, int], dip: Dip, tmp_path: Path
) -> None:
    words = ["task=inverse", "task.operator._target_=test_deepinv_model.Coils", "fit.iterations=10", "replicas=2"]
    words += ["task.source=original"]
    words += [f"++task.operator.coils={coils}", f"++task.operator.rows={rows}", "task.noise=none"]
    assert dip(*WORDS, as_file(tmp_path, NOISY), *words) == 0
    run = only_run(tmp_path)
    with np.load(run.folder / "measurement.npz") as stored:
        measurement = stored["measurement"]
    assert measurement.shape == (2, 2 * coils, rows, COLUMNS)
    assert measurement.min() < 0
    with Image.open(run.image("target", 1)) as shown:
        assert (shown.mode, shown.size) == ("L", (grid[1] * COLUMNS, grid[0] * rows))
    levels = read_image(run.image("target", 1))
    scaled = (measurement[1] - measurement.min()) / np.ptp(measurement)
    np.testing.assert_allclose(levels[0, -rows:, -COLUMNS:], scaled[-1], atol=0.5 / 255 + 1e-6)
    assert (levels.min(), levels.max()) == (0, 1)
    assert described(run)["size"] == (COLUMNS, ROWS)
    assert described(run)["against"] == "reference"


def test_channels_that_fill_no_square_leave_black_places() -> None:
    image = np.arange(1.0, 6).reshape(5, 1, 1) * np.ones((5, 2, 3))
    shown = displayed(image)
    assert shown.shape == (1, 4, 9)
    np.testing.assert_array_equal(shown[0, ::2, ::3], [[1, 2, 3], [4, 5, 0]])
    assert displayed(image[:3]) is not None
    np.testing.assert_array_equal(displayed(image[:3]), image[:3])


def test_values_in_range_are_not_stretched() -> None:
    inside = np.array([0.2, 0.6]).reshape(1, 1, 1, 2)
    np.testing.assert_array_equal(stretched(inside), inside)
    np.testing.assert_allclose(stretched(10 * inside - 4), [[[[0, 1]]]])
    np.testing.assert_array_equal(stretched(np.full((1, 1, 1, 2), 7.0)), np.zeros((1, 1, 1, 2)))


def test_what_a_model_cannot_fit_is_refused_in_a_line() -> None:
    with pytest.raises(TypeError, match="iteration"):
        dipx.DeepinvModel(iteration=5)
    model = dipx.DeepinvModel(**OPTIONS)
    square = torch.zeros(1, 1, 4, 4)
    for y, given in ((square[None], "shape"), ([square], "list"), (square.to(torch.complex64), "complex64")):
        with pytest.raises(ValueError, match=f"measurements.*{given}.*give one tensor"):
            model(y, PHYSICS["noisy"])
    own = Noisy()
    own.mask = own.mask.repeat(2, 1, 1, 1)
    with pytest.raises(ValueError, match="batch_size=1"):
        dipx.DeepinvModel(**OPTIONS, replicas=2)(own.A(images(2)).detach(), own.A)
    with pytest.raises(ValueError, match="A_adjoint finds no image"):
        model(torch.zeros(1, 2, 5, 5), PHYSICS["one coil"])
    stacked = Noisy()
    stacked.A = lambda x, **kwargs: [x, x]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="returns list, a tensor"):
        fit(torch.zeros(1, ROWS, COLUMNS), stacked)
