"""The study of stability: deviations between seeds, whatever else differs, and each source of them against rounding."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import CLEAN, draw, make_run, part_of, rows, selection
from test_studies import SEEDS, Peaks, line_of

from dip_experiments.analysis.confidence import Interval
from dip_experiments.analysis.deviations import Spread, pooled_spread
from dip_experiments.store import Run


def test_the_mean_of_so_many_replicas_is_expected_over_all_choices_of_them(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    images = CLEAN + 0.05 * draws.normal(size=(4, *CLEAN.shape)) + 0.03 * draws.normal(size=CLEAN.shape)

    def psnr(image: Any) -> float:
        return float(-10 * np.log10(np.square(image - CLEAN).mean()))

    curves = {
        "psnr_average": np.array([[psnr(image)] * 5 for image in images]),
        "psnr_mean": np.array([[psnr(images.mean(0))] * 5] * 4),
    }
    run = make_run(tmp_path, "means", seeds=(0, 1, 2, 3), curves=curves)
    mean_error = part_of("studies/stability", "ensemble_error")
    for count in (1, 2, 3, 4):
        some = [
            np.square(images[list(pick)].mean(0) - CLEAN).mean() for pick in itertools.combinations(range(4), count)
        ]
        assert mean_error(run, count)[0] == pytest.approx(np.mean(some), rel=1e-6)


def test_the_plateau_is_as_long_as_the_curve_is_near_its_best() -> None:
    curve = part_of("studies/stability", "Curve")
    values = -np.abs(np.linspace(-8, 8, 201))[None]  # within 0.2 of the best at 5 of 201 points
    assert part_of("studies/stability", "plateau")(curve(np.arange(1, 202), values)).tolist() == [5.0]


def test_intervals_of_deviations_cover_what_they_are_of_also_where_pictures_differ() -> None:
    numbers, pictures = np.random.default_rng(0), 3
    for sizes in ([1.0, 1.0, 1.0], [2.0, 1.0, 0.5]):
        covered = np.zeros(2)
        for _ in range(400):
            ours, null = (
                pooled_spread(
                    {str(p): [numbers.normal(5, part * sizes[p], 4) for _ in range(3)] for p in range(pictures)}
                )
                for part in (1.0, 0.6)
            )
            true = np.mean(np.square(sizes)) ** 0.5
            for place, (found, wanted) in enumerate(((ours.deviation, true), (ours.beyond(null), 0.8 * true))):
                covered[place] += found.low <= wanted <= found.high
        assert np.abs(covered / 400 - 0.95).max() < 0.035


def test_a_deviation_is_within_draws_and_what_rounding_makes_of_it_is_taken_off_in_squares() -> None:
    groups = {"a": [np.array([1.0, 3.0]), np.array([11.0, 13.0])], "b": [np.array([5.0, 5.0])]}
    found = pooled_spread(groups)
    assert found.deviation.value == pytest.approx(1.0)  # variance 2 in a, however far apart its draws are, and 0 in b
    five, three = (Spread(Interval(size**2, 0.5 * size**2, 2 * size**2), 9.0) for size in (5.0, 3.0))
    left = five.beyond(three)
    assert left.value == pytest.approx(4.0)
    assert left.low == pytest.approx((16 - np.hypot(12.5, 9)) ** 0.5)
    assert left.high == pytest.approx((16 + np.hypot(25, 4.5)) ** 0.5)
    assert (three.beyond(five).value, three.beyond(five).low) == (0.0, 0.0)
    assert np.isnan(pooled_spread({"a": []}).deviation.value)
    assert pooled_spread({"a": [np.array([1.0, 1.0])]}).deviation == Interval(0.0, 0.0, 0.0)


def varied(folder: Path, source: str, image: str, number: int, peaks: Peaks) -> Run:
    summary = {"oracle_peak": {"psnr_average": list(peaks), "psnr_reference": list(peaks)}}
    summary["oracle_iteration"] = {"psnr_average": [70, 80], "psnr_reference": [70, 80]}
    return make_run(
        folder, f"{source}-{image}-{number}", summary=summary, seeds=[10 * number + seed for seed in SEEDS], shared=[],
        experiment={"name": "study_stability", "varies": source, "draw": number},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


def test_the_stability_table_sets_each_source_against_rounding_alone(tmp_path: Path) -> None:
    half = 0.5**0.5  # of two values that far from their mean the variance is 1
    runs = [
        varied(tmp_path, source, image, number, [30 + number - half * size, 30 + number + half * size])
        for source, size in (("rounding", 0.3), ("init", 0.5), ("latent", 0.2))
        for image in ("camera", "coffee")
        for number in (0, 1)
    ]
    waiting = {"experiment": {"name": "study_stability", "varies": "task", "draw": 0}}
    nothing = selection(tmp_path, "study_stopping")
    page = draw("studies/stability", nothing, selection(tmp_path, "study_stability", *runs, waiting), name="draw_table")
    assert line_of(page, "rounding alone")[1:5] == ["2 pictures", "30.50", "0.30 (0.18 to 0.86)", "-"]
    assert line_of(page, "initial weights")[4].startswith("0.40 (0.00 to 1.4")
    assert line_of(page, "latent z")[4].startswith("0.00 (0.00 to 0.")
    assert line_of(page, "picture's noise")[1:] == ["0 of 1", "not run", "-", "-", "-", "-"]
    assert {row["draw"] for row in rows(page)} == {"0", "1"}
    (one,) = (
        row for row in rows(page) if (row["image"], row["varies"], row["draw"]) == ("camera", "initial weights", "1")
    )
    assert (one["best_psnr"], one["best_psnr_sd"], one["best_iteration"]) == ("31.00", "0.500", "75")
