"""The table of estimated noise: errors are against the true noise, the picture is the unit, numbers are stored once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_runs import part_of, rows

from dip_experiments.analysis.figure_cli import select_nothing
from dip_experiments.runner import noise_errors
from dip_experiments.stopping.noise_models import KnownNoise
from dip_experiments.store import Selection

SCRIPT = "tables/noise_estimates"
TRUE = 25 / 255


class Known:
    """Noise that is found to be some part of the true one."""

    def __init__(self, part: float, width: float = 0.0, doubt: float = 0.25) -> None:
        self.part, self.doubt, self.facts = part, doubt, {"width": width, "correlation": 0.1}

    def variance(self, y: torch.Tensor) -> torch.Tensor:
        return torch.full_like(y, (self.part * TRUE) ** 2)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The script's names, with white noise alone, and few draws."""
    names: dict[str, Any] = part_of(SCRIPT, "draw").__globals__
    monkeypatch.setitem(names, "NOISES", ["white, 25"])
    monkeypatch.setattr(noise_errors, "TRUE_DRAWS", 50)
    return names


@pytest.fixture
def laws(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the estimates find some part of the noise."""

    def find(**found: Any) -> None:
        for name, known in found.items():
            law = type("Law", (), {"known": staticmethod(lambda y, known=known: known)})
            monkeypatch.setattr(noise_errors, name, law)

    return find


def study(folder: Path) -> Selection:
    return select_nothing("noise_estimates", "smoke", folder, [], "runs")


def test_errors_are_those_of_the_estimate(script: dict[str, Any], laws: Callable[..., None], tmp_path: Path) -> None:
    laws(AUTO=Known(1.1, width=0.2), WHITE=Known(0.8))
    (row,) = rows(script["draw"](study(tmp_path)))
    for column, wanted in {
        "sigma": 10,
        "held_out": 10,
        "large": 10,
        "white": -20,
        "nine_of_ten": 10,
        "half": 10,
    }.items():
        assert float(row[column].split()[0]) == pytest.approx(wanted, abs=0.3)
    assert (row["width"], row["correlation"]) == ("+0.20 (0.20)", "+0.10 (0.10)")
    error = (1 - 1 / 1.1**2) / 0.25  # 0.69 standard errors
    assert 0 < error < 1
    assert (row["within_one"], row["within_two"]) == ("100", "100")
    laws(AUTO=Known(1.1, doubt=0.1))
    (other,) = rows(script["draw"](study(tmp_path / "other")))
    assert (other["within_one"], other["within_two"]) == ("0", "100")


def test_numbers_are_computed_once_and_anew_for_another_epoch(
    script: dict[str, Any], laws: Callable[..., None], tmp_path: Path
) -> None:
    laws(AUTO=Known(1.1), WHITE=Known(1.0))
    first = rows(script["draw"](study(tmp_path)))
    laws(AUTO=Known(1.5))
    assert rows(script["draw"](study(tmp_path))) == first
    script |= {"epoch": lambda: "numpy 1, epoch 99"}
    assert rows(script["draw"](study(tmp_path))) != first
    script |= {"epoch": lambda: "of no record"}
    kept = replace(study(tmp_path), origin="records", results=tmp_path / "reproduced")
    assert rows(script["draw"](kept))


def test_the_interval_is_over_pictures(script: dict[str, Any]) -> None:
    values = {"a": np.array([0.1, 0.1, 0.1]), "b": np.array([0.3, 0.3]), "c": np.array([0.2])}
    assert script["percent"](values) == "+20.0 +- 24.8"


def test_the_true_noise_is_found_by_the_real_estimate(tmp_path: Path) -> None:
    names = part_of(SCRIPT, "draw").__globals__
    assert isinstance(noise_errors.AUTO.known(torch.rand(1, 3, 64, 64, dtype=torch.float64)), KnownNoise)
    row = names["row"]("white, 25", study(tmp_path))
    assert abs(float(row[1].split()[0])) < 10


def test_a_setting_of_a_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image=coffee: nothing is fitted here"):
        select_nothing("noise_estimates", "smoke", tmp_path, ["device=cpu", "image=coffee"], "runs")
    assert select_nothing("noise_estimates", "smoke", tmp_path, ["device=cpu"], "runs").runs == []
