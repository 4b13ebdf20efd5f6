"""The tables of denoisers: what stands behind their numbers, and numbers that other code has reached."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import ROOT, make_bare_run, part_of, selection

from dip_experiments.metrics import psnr
from dip_experiments.store import Selection

MEASURED = {"NL-Ridge": {10: 34.77, 25: 30.33, 50: 26.24}, "LIChI": {10: 34.94, 25: 30.61, 50: 26.98}}
"""PSNR in dB of other code for the same formulas on the middle of CSet9, with other noise at 10 and 50."""
SCRIPT = "tables/denoisers_noise"
PICTURES = ("coffee", "chelsea")


def test_nl_ridge_and_lichi_are_as_good_as_another_implementation_of_their_formulas() -> None:
    with (ROOT / "results" / "laptop" / "tables" / "denoisers.csv").open() as file:
        rows = {(row["method"], row["sigma"]): row for row in csv.DictReader(file)}
    for method, numbers in MEASURED.items():
        for sigma, wanted in numbers.items():
            assert float(rows[method, f"{sigma}"]["psnr"]) == pytest.approx(wanted, abs=0.05)
            assert rows[method, f"{sigma}"]["pictures"] == "9 of 9"


def job(noise: str, picture: str, draw: int) -> dict[str, Any]:
    kinds = {"white": {"name": "gaussian", "sigma": 25.0, "clip": False}, "channels": {"name": "grey_gaussian"}}
    return {
        "experiment": {"name": "denoisers_noise", "noise": noise, "draw": draw},
        "image": {"name": picture, "path": None}, "task": {"name": "denoising", "noise": kinds[noise]},
        "seed": 1000 + draw,
    }  # fmt: skip


def jobs(draws: Sequence[int], noises: Sequence[str] = ("white", "channels")) -> Iterator[dict[str, Any]]:
    yield from (job(noise, picture, draw) for draw in draws for noise in noises for picture in PICTURES)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The script's names, with three methods that shift a picture, and pictures of no noise."""
    names: dict[str, Any] = part_of(SCRIPT, "draw").__globals__
    method, clean = names["Method"], np.full((3, 4, 4), 0.5)
    shifts = {("BM3D", "sigma", "bm3d"): 0.1, ("BM3D", "spectrum", "coloured_bm3d"): 0.05, ("NLM", "no", "nlm"): 0.01}
    rows = [method(*which, lambda noisy, spectrum, shift=shift: noisy + shift) for which, shift in shifts.items()]
    monkeypatch.setitem(names, "methods", lambda: rows)
    monkeypatch.setitem(names, "measurement", lambda case, picture: (clean + 0.1 * case.draw, clean, clean))
    return names


def drawn(script: dict[str, Any], of: Selection) -> dict[tuple[str, str], dict[str, str]]:
    rows = script["draw"](of).numbers.to_dict("records")
    return {(row["method"], row["knows"]): row for row in rows}


def test_numbers_are_means_over_draws_and_pictures_and_gaps_to_bm3d(script: dict[str, Any], tmp_path: Path) -> None:
    table = drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0, 1))))
    clean = np.zeros((3, 4, 4))
    wanted = {shift: np.mean([psnr(clean + shift + more, clean) for more in (0.0, 0.1)]) for shift in (0.1, 0.05)}
    bm3d, coloured = table["BM3D", "sigma"], table["BM3D", "spectrum"]
    assert float(bm3d["channels"]) == pytest.approx(wanted[0.1], abs=0.006)
    assert float(coloured["channels"]) == pytest.approx(wanted[0.05], abs=0.006)
    assert float(coloured["channels_gap"]) == pytest.approx(wanted[0.05] - wanted[0.1], abs=0.006)
    assert coloured["channels_least_gap"] == coloured["channels_gap"]
    assert coloured["white"] == bm3d["white"], "white noise has a flat spectrum, which is a sigma"
    assert (bm3d["channels_gap"], bm3d["camera"], bm3d["both"]) == ("-", "not run", "not run")


def test_stored_numbers_are_looked_up_and_those_of_a_further_draw_added(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0,))))
    stored = set(tmp_path.rglob("*.json"))
    computed: list[int] = []
    measured = script["measurement"]
    monkeypatch.setitem(
        script, "measurement", lambda case, picture: [computed.append(case.draw), measured(case, picture)][1]
    )
    assert drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0,)))) == first
    assert not computed
    drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0, 1))))
    assert set(computed) == {1}
    assert stored < set(tmp_path.rglob("*.json"))


def test_a_package_that_is_missing_leaves_its_row_empty(script: dict[str, Any], tmp_path: Path) -> None:
    method = script["Method"]
    rows = [method("BM3D", "sigma", "bm3d", None), method("NLM", "no", "nlm", lambda noisy, spectrum: noisy + 0.1)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(script, "methods", lambda: rows)
        table = drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0,))))
    assert (table["BM3D", "sigma"]["white"], table["NLM", "no"]["white"]) == ("not run", "20.00")
    assert table["NLM", "no"]["white_gap"] == "-"


def test_a_method_with_all_draws_is_not_compared_with_one_that_lacks_some(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0,))))
    assert first["NLM", "no"]["channels_gap"] != "-"
    rows = [replace(row, apply=None) if row.title == "BM3D" else row for row in script["methods"]()]
    monkeypatch.setitem(script, "methods", lambda: rows)
    table = drawn(script, selection(tmp_path, "denoisers_noise", *jobs((0, 1))))
    assert (table["BM3D", "sigma"]["channels"], table["NLM", "no"]["channels_gap"]) == ("not run", "-")


def test_networks_have_a_row_once_they_are_fitted(script: dict[str, Any], tmp_path: Path) -> None:
    of = list(jobs((0,), ("white",)))
    scores = {"scores": {"stop-split-mixed": {"psnr": [31.0]}}}
    runs = [make_bare_run(tmp_path, f"r{i}", [1000], summary=scores, **one) for i, one in enumerate(of)]
    table = drawn(script, selection(tmp_path, "denoisers_noise", *runs, *jobs((0,), ("channels",))))
    assert (table["DIP, mixed", "nothing"]["white"], table["DIP, mixed", "nothing"]["channels"]) == ("31.00", "not run")
