"""What a split estimates where the operator is not the identity: the error of what is measured, and it is named so."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, only_run
from test_splitting import WAITS, observation, smooth, split

from dip_experiments.metrics import estimate_in
from dip_experiments.operators import Downsampler, Identity, Mask, Operator
from dip_experiments.report.numbers import stop_table
from dip_experiments.stopping import FitInput, hold_out
from dip_experiments.stopping.held_out_pixels import HeldOutPixels
from dip_experiments.store import write_image
from dip_experiments.tensors import generator

CLEAN = torch.from_numpy(smooth(64))
KNOWN = torch.rand(1, 1, 64, 64, generator=generator(0, "task"), dtype=torch.float64).expand_as(CLEAN) < 0.1
OPERATORS: dict[str, Operator] = {"nine tenths missing": Mask(KNOWN), "every fourth pixel": Downsampler(4, 2)}
SIGMA = 25.0


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("name", OPERATORS)
def test_an_image_that_is_wrong_by_a_known_amount_has_that_error_over_what_is_measured(name: str, hidden: bool) -> None:
    operator, rule, rules = OPERATORS[name], split("gaussian"), {}
    known = operator(torch.ones_like(CLEAN)).ne(0)
    if hidden:
        rules["held_out_pixels"] = HeldOutPixels(name="held_out_pixels", fraction=0.2, **WAITS)
    image = CLEAN + 0.15 * torch.randn(CLEAN.shape, generator=generator(1, "error"), dtype=torch.float64)
    fitted, clean = operator(image), operator(CLEAN)
    true = float((fitted - clean)[known].square().mean())
    z, mean_z, freedom = [], [], []
    for seed in range(60):
        noise = torch.randn(clean.shape, generator=generator(seed, "noise"), dtype=torch.float64)
        given = FitInput(clean + known * noise * SIGMA / 255, operator)
        _, kept = hold_out({**rules, "split": rule}, given, [seed])
        seen = dataclasses.replace(observation(image), operator=operator)
        columns = rule.observe(seen, {}, kept["split"].held_out).columns
        estimate = rule.estimate(fitted, kept["split"].held_out)
        assert estimate == {name: float(columns[f"split_mean_{name}"]) for name in ("mse", "mse_se")}
        z.append(float((columns["split_mse"] - true) / columns["split_mse_se"]))
        mean_z.append(float((columns["split_mean_mse"] - true) / columns["split_mean_mse_se"]))
        freedom.append(float(columns["split_freedom"]))
    for found in (z, mean_z):
        assert abs(np.mean(found)) < 3 / len(z) ** 0.5
        assert np.std(found) == pytest.approx(1, abs=0.28)
    assert abs(np.mean(freedom)) < 3 * np.std(freedom) / len(freedom) ** 0.5  # the image knows nothing of y + e


def test_means_over_replicas_with_holes_are_those_of_the_values_that_are_measured() -> None:
    """A picture whose known values alone are the whole of another one gives the same numbers."""
    rule, side = split("gaussian"), 24
    known = torch.zeros(3, 3, side, side, dtype=torch.bool)
    known[..., ::2] = True
    draws = [torch.randn(3, 3, side, side, generator=generator(n, "noise"), dtype=torch.float64) for n in range(2)]
    y = CLEAN[..., :side, :side] + 0.1 * draws[0]
    images = y + 0.1 * draws[1]
    part = rule.hold_out(FitInput(y * known, Mask(known)), [0, 1, 2])
    cut = {name: value[..., ::2] if value.ndim == 4 else value for name, value in part.held_out.items()}
    whole = cut | {"measured": torch.arange(3 * side * side // 2)}
    assert part.held_out["strength"].tolist() == pytest.approx(whole["extra"].square().mean((1, 2, 3)).tolist())
    assert float(part.held_out["level"]) == pytest.approx((SIGMA / 255) ** 2)
    seen = dataclasses.replace(observation(images), operator=Mask(known))
    found, wanted = rule.observe(seen, {}, part.held_out), rule.observe(observation(images[..., ::2]), {}, whole)
    for name, values in wanted.columns.items():
        torch.testing.assert_close(found.columns[name], values)
    torch.testing.assert_close((found.value, found.ensemble), (wanted.value, wanted.ensemble))


def test_replicas_that_see_different_masks_have_no_mean_that_a_split_could_judge() -> None:
    known = torch.rand(2, 3, 24, 24, generator=generator(0, "task")) < 0.5
    y = Mask(known)(CLEAN[..., :24, :24].expand(2, -1, -1, -1))
    with pytest.raises(ValueError, match=r"shared=\[task\]"):
        split("gaussian").hold_out(FitInput(y, Mask(known)), [0, 1])


def test_only_where_nothing_comes_between_is_an_error_that_of_the_image() -> None:
    assert [operator.is_identity for operator in OPERATORS.values()] == [False, False]
    assert Identity().is_identity
    assert (Identity() @ Identity()).is_identity
    assert not (Mask(KNOWN) @ Identity()).is_identity
    assert not (Identity() @ Mask(KNOWN)).is_identity


@pytest.mark.parametrize(
    "words",
    [
        ["task=inpainting", "task.mask.missing=0.9"],
        pytest.param(["task=super_resolution"], marks=pytest.mark.slow),
    ],
)
def test_a_fit_names_the_psnr_of_the_measurement_so_wherever_it_is_told(
    words: list[str], dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    asked = [*words, "stopping=split", "stopping.law.sigma=5", "stopping.patience=10", "fit.iterations=10"]
    assert dip(*SMALL, *asked) == 0
    told, run = capfd.readouterr(), only_run(tmp_path)
    rule = run.summary["stopping"]["split"]
    assert "estimate" not in rule
    assert estimate_in(rule) == ("PSNR of the measurement", rule["measurement_estimate"])
    lines = [line for line in told.out.splitlines() if "estimated" in line]
    assert len(lines) == 1
    assert lines[0].startswith("  estimated PSNR of the measurement ")
    assert lines[0].endswith("dB (not of the image)")
    assert "PSNR of the measurement" not in told.err.splitlines()[-1], "it stands beside an image's PSNR"
    assert "estimated PSNR of the measurement " in stop_table(run)[1][0][-1]
    assert "share their noise" not in caplog.text, "holes are no noise"


def test_progress_tells_the_psnr_of_the_measurement_where_nobody_knows_that_of_the_image(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "photo.png", CLEAN[0].numpy())
    write_image(tmp_path / "mask.png", KNOWN[0].double().numpy())
    paths = [f"image.path={tmp_path / 'photo.png'}", f"task.mask={tmp_path / 'mask.png'}"]
    words = ["image=file", "image.size=64", "task=inpainting", "fit.iterations=10"]
    asked = [*words, *paths, "stopping=split", "stopping.law.sigma=5"]
    assert dip(*SMALL, *asked) == 0
    last = capfd.readouterr().err.splitlines()[-1]
    assert "estimated PSNR of the measurement " in last
    assert "to the reference" not in last
