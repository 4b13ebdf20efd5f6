"""Verdicts on the claims of the benchmark's methods: a claim holds or falls by pictures of known numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import draw, make_bare_run, rows, selection
from scipy import stats

from dip_experiments.analysis.method_claims import METHOD_CLAIMS, MethodClaim
from dip_experiments.config.groups import options
from dip_experiments.store import Run

PICTURES = {"a": 0.0, "b": 0.1, "c": -0.1, "d": 0.05}
"""By how much its numbers differ from the mean."""


def run_of(
    folder: Path, problem: str, name: str, picture: str, *, peak: float, fall: float, at: int, time: float
) -> Run:
    """A run of two draws: peak, fall after it, iteration of it, seconds of an iteration."""
    summary = {
        "oracle_peak": {"psnr_average": [peak + 1, peak - 1]},
        "oracle_iteration": {"psnr_average": [at, at]},
        "final": {"psnr_average": [peak + 1 - fall, peak - 1 - fall]},
        "wall_seconds": time * 120 * 2,
    }
    return make_bare_run(
        folder, f"{problem} {name} {picture}", (0, 1), summary=summary,
        experiment={"name": "benchmark", "problem": problem, "method": name},
        image={"name": picture, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


PLAIN: Mapping[str, Any] = {"peak": 30.0, "fall": 3.0, "at": 60, "time": 0.1}
GOOD: Mapping[str, Mapping[str, Any]] = {
    "distributional": {"fall": 0.0}, "self_guided": {"fall": 0.0}, "sgld": {"fall": 0.0}, "fourier": {"fall": 0.0},
    "deep_decoder": {"fall": 0.0}, "aseqdip": {"fall": 1.0}, "target_moving": {"fall": 1.0},
    "self_diffusion": {"peak": 32.0, "fall": 1.0}, "l1": {"peak": 31.0}, "huber": {"peak": 31.0}, "tv": {"peak": 31.0},
    "random_projector": {"peak": 29.8, "at": 50, "time": 0.05}, "lowpass20": {"fall": 3.5}, "lowpass100": {"fall": 2.5},
    "fourier_features": {"at": 30}, "siren": {"peak": 28.0},
}  # fmt: skip
"""Numbers of each method, where they differ from the plain fit's, by which all claims hold."""
BAD: Mapping[str, Mapping[str, Any]] = {
    "distributional": {"fall": 1.0}, "self_guided": {"fall": 1.0}, "sgld": {"fall": 1.0}, "fourier": {"fall": 1.0},
    "deep_decoder": {"fall": 1.0}, "aseqdip": {"fall": 4.0}, "target_moving": {"fall": 4.0},
    "self_diffusion": {"peak": 32.0, "fall": 3.0}, "l1": {"peak": 29.0}, "huber": {"peak": 29.0}, "tv": {"peak": 29.0},
    "random_projector": {"peak": 29.0, "at": 50, "time": 0.2}, "lowpass20": {"fall": 2.5}, "lowpass100": {"fall": 3.5},
    "fourier_features": {"at": 90}, "siren": {"peak": 31.0},
}  # fmt: skip


def benchmark(folder: Path, numbers: Mapping[str, Mapping[str, Any]], spread: float = 1.0) -> list[Run]:
    """The runs of all methods on all pictures; `spread`: factor of the differences of pictures."""
    problems = sorted({problem for one in METHOD_CLAIMS for problem in one.problems})
    runs = []
    for problem in problems:
        for name in ("plain", *numbers):
            for picture, off in PICTURES.items():
                own = {**PLAIN, **numbers.get(name, {})}
                if name != "plain":  # pairs: what is common to both is no part of the difference
                    own["fall"] += off * spread
                    own["peak"] += off * spread
                runs.append(run_of(folder, problem, name, picture, **own))
    return runs


@pytest.mark.parametrize(("numbers", "verdict"), [(GOOD, "holds"), (BAD, "falsified")])
def test_a_claim_holds_where_its_number_is_above_the_bound_and_falls_where_it_is_below(
    numbers: Mapping[str, Mapping[str, Any]], verdict: str, tmp_path: Path
) -> None:
    page = draw(
        "studies/benchmark", selection(tmp_path, "benchmark", *benchmark(tmp_path, numbers)), name="draw_claims"
    )
    found = rows(page)
    assert len(found) == len(METHOD_CLAIMS)
    assert {row["verdict"] for row in found} == {verdict}
    assert isinstance(page.shown, str)
    assert " ".join(page.shown.split()).count(f"Verdict: {verdict}.") == len(found)


def test_it_is_open_where_pictures_disagree_or_there_is_but_one(tmp_path: Path) -> None:
    runs = benchmark(tmp_path, GOOD, spread=100.0)
    found = rows(draw("studies/benchmark", selection(tmp_path, "benchmark", *runs), name="draw_claims"))
    assert {row["verdict"] for row in found if row["method"] in ("l1", "aseqdip", "distributional")} == {"open"}
    single = [run for run in runs if run.settings["image"]["name"] == "a"]
    found = rows(draw("studies/benchmark", selection(tmp_path, "benchmark", *single), name="draw_claims"))
    assert {row["verdict"] for row in found} == {"open"}


def test_the_picture_is_the_unit_and_problems_are_averaged_for_each(tmp_path: Path) -> None:
    runs = [run for run in benchmark(tmp_path, GOOD) if run.settings["experiment"]["method"] in ("plain", "aseqdip")]
    kept = [
        run
        for run in runs
        if (run.settings["experiment"]["problem"], run.settings["image"]["name"]) != ("sigma50", "d")
    ]
    (row,) = rows(draw("studies/benchmark", selection(tmp_path, "benchmark", *kept), name="draw_claims"))
    values = 2.0 - np.array([PICTURES[name] for name in "abc"])  # d is not on both problems
    half = stats.t.ppf(0.975, 2) * values.std(ddof=1) / 3**0.5
    expected = f"+{values.mean():.2f} (+{values.mean() - half:.2f} to +{values.mean() + half:.2f})"
    assert row["measured"] == f"fall of the other less its own (dB) {expected}, 3 pictures"


def test_seconds_and_iterations_are_factors(tmp_path: Path) -> None:
    found = rows(
        draw("studies/benchmark", selection(tmp_path, "benchmark", *benchmark(tmp_path, GOOD)), name="draw_claims")
    )
    by_claim = {row["claim"]: row["measured"] for row in found}
    assert "by its own 2.40 (2.40 to 2.40)" in by_claim["it is fast (Li et al. 2023)"]  # 60 x 0.1 / (50 x 0.05)
    assert "by its own 2.00 (" in by_claim["high frequencies are fitted sooner (Tancik et al. 2020)"]


def test_every_method_but_the_plain_fit_and_the_middle_filter_has_a_claim() -> None:
    claimed = {name for one in METHOD_CLAIMS for name in (one.method, one.than)}
    assert set(options("method")) - claimed == {"lowpass"}


def test_no_verdict_without_both_methods(tmp_path: Path) -> None:
    claim: MethodClaim = METHOD_CLAIMS[0]
    assert claim.judge({"sigma25": {"plain": [], claim.method: []}}) is None
    runs = [run for run in benchmark(tmp_path, GOOD) if run.settings["experiment"]["method"] == "l1"]
    page = draw("studies/benchmark", selection(tmp_path, "benchmark", *runs), name="draw_claims")
    assert str(page.shown).endswith("Of no claim are there runs.\n")
