"""Ablations: one change each, compared seed by seed, and what the intervals and the rank correlation say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from studio import draw, files, make_run, rows, selection

from dip_experiments.compose import compose_jobs, conf_folder, options
from dip_experiments.drawing.intervals import mean_interval, rank_correlation
from dip_experiments.settings import read_settings
from dip_experiments.store import Run


@pytest.mark.parametrize("change", options("change"))
def test_a_change_changes_one_group_and_says_what_it_asks(change: str) -> None:
    plain, changed = (compose_jobs(words, multirun=False)[0] for words in ([], [f"change={change}"]))
    read_settings(changed)
    groups = {key for key in plain if key not in ("scale", "experiment") and plain[key] != changed[key]}
    assert len(groups) == (change != "default")
    assert changed.experiment.change == change
    question = (conf_folder() / "change" / f"{change}.yaml").read_text().splitlines()[1]
    assert question.startswith("# ")
    assert question.endswith(".")


def test_student_intervals_hold_the_mean_as_often_as_they_say() -> None:
    draws = np.random.default_rng(0).normal(0.3, 2.0, (2000, 9))
    found = [mean_interval(values) for values in draws]
    assert np.mean([one.low <= 0.3 <= one.high for one in found]) == pytest.approx(0.95, abs=0.015)
    assert np.isnan(mean_interval(np.array([1.0])).low)


def test_a_rank_correlation_is_spearmans_and_what_was_not_reached_ranks_highest() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, 30))
    found = rank_correlation(x, x + y)
    assert found.value == pytest.approx(stats.spearmanr(x, x + y).statistic)
    assert found.low < found.value < found.high
    assert rank_correlation(np.array([1.0, 2.0, np.inf]), np.array([5.0, 6.0, 7.0])).value == pytest.approx(1)


def denoising(folder: Path, change: str, image: str, averages: list[float], seeds: tuple[int, ...] = (0, 1)) -> Run:
    peak = {"psnr_average": averages, "psnr_reference": [value - 1 for value in averages]}
    at = {"psnr_average": [100] * len(averages), "psnr_reference": [80] * len(averages)}
    return make_run(
        folder, f"{change}{image}", seeds=seeds,
        summary={"oracle_peak": peak, "oracle_iteration": at, "final": {"psnr_average": [20.0] * len(averages)}},
        experiment={"name": "ablation", "change": change},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


def test_a_change_is_compared_with_the_default_of_the_same_picture_and_seed(tmp_path: Path) -> None:
    default = [denoising(tmp_path, "default", "a", [30.0, 31.0]), denoising(tmp_path, "default", "b", [20.0, 21.0])]
    better = [denoising(tmp_path, "relu", "a", [30.5, 31.3]), denoising(tmp_path, "relu", "b", [20.4, 21.4])]
    alone = denoising(tmp_path, "lbfgs", "a", [29.0], seeds=(1,))
    asked = [
        selection(tmp_path, "ablation_denoising", *default),
        selection(tmp_path, "ablation_layers", *better, {"experiment": {"name": "ablation", "change": "gelu"}}),
        selection(tmp_path, "ablation_lbfgs", alone),
    ]
    page = draw("table_ablation_denoising", *asked)
    found = {row["change"]: row for row in rows(page)}
    assert list(found) == ["default", "relu", "gelu", "lbfgs"]
    assert (found["relu"]["difference"], found["relu"]["pairs"]) == ("+0.40", "4")
    half = stats.t.ppf(0.975, 3) * np.std([0.5, 0.3, 0.4, 0.4], ddof=1) / 2
    assert float(found["relu"]["difference_low"]) == pytest.approx(0.4 - half, abs=1e-3)
    assert (found["lbfgs"]["difference"], found["lbfgs"]["interval"]) == ("-2.00", "-")
    assert (found["default"]["difference"], found["default"]["average_peak"]) == ("+0.00", "25.50")
    assert found["gelu"]["pairs"] == "not run"
    assert (found["relu"]["average_end"], found["relu"]["output_iteration"]) == ("20.00", "80")
    ranking = draw("figure_ablation_denoising", *asked)
    assert [row["change"] for row in rows(ranking)] == ["lbfgs", "relu"]
    assert "page.png" in files(ranking, tmp_path / "drawn")


def study(folder: Path, change: str, psnr: float, **explained: list[int | None]) -> list[Run]:
    reached: dict[str, list[int | None]] = {"natural": [50, 60], "noisy": [90, 90], "noise": [None, None]} | explained
    peak = {"psnr_average": [psnr, psnr], "psnr_reference": [psnr - 1, psnr - 1]}
    summary: dict[str, Any] = {"oracle_peak": peak}
    return [
        make_run(
            folder, f"{change}-{target}", summary=summary | {"iterations_explained": at},
            experiment={"name": "ablation_impedance", "change": change}, target={"name": target},
        )
        for target, at in reached.items()
    ]  # fmt: skip


def test_the_impedance_is_that_of_the_shuffled_image_and_stands_beside_the_denoising(tmp_path: Path) -> None:
    runs = [
        *study(tmp_path, "default", 27.0, shuffled=[500, 600]),
        *study(tmp_path, "nearest", 26.0, shuffled=[100, 240]),
        *study(tmp_path, "pixels", 20.0, shuffled=[50, 60], noise=[50, 60]),
        *study(tmp_path, "deep_decoder", 25.0, shuffled=[None, None]),
        *study(tmp_path, "width_8", 24.0, shuffled=[90, 90])[:3],
    ]
    page = draw("table_ablation_impedance", selection(tmp_path, "ablation_impedance", *runs))
    found = {row["change"]: row for row in rows(page)}
    assert (found["default"]["impedance"], found["default"]["interval"]) == ("10.00", "10.00 to 10.00")
    assert found["nearest"]["impedance"] == f"{(2 * 4) ** 0.5:.2f}"
    assert (found["pixels"]["noise_ratio"], found["default"]["noise_ratio"]) == ("1.00", ">2.18")
    assert (found["deep_decoder"]["shuffled"], found["deep_decoder"]["impedance"]) == (">120", ">2.18")
    assert found["width_8"]["natural"] == "not run"
    # pixels 1, nearest 2.8, default 10: 20, 26, 27 dB; the deep decoder beyond 2.2, which may be anywhere
    assert "over 3 networks: +1.00" in " ".join(str(page.shown).split())
    scatter = draw("figure_ablation_impedance", selection(tmp_path, "ablation_impedance", *runs))
    assert {row["change"]: row["reached"] for row in rows(scatter)}["deep_decoder"] == "False"
    assert "page.png" in files(scatter, tmp_path / "drawn")


def test_a_network_whose_impedance_has_no_known_rank_is_in_no_correlation(tmp_path: Path) -> None:
    runs = [
        run
        for change, psnr, natural, shuffled in (
            ("low", 25.0, 10, 20), ("high", 26.0, 10, 50), ("above", 27.0, 10, None), ("open", 20.0, 40, None),
            ("none", 10.0, None, None),
        )
        for run in study(tmp_path, change, psnr, natural=[natural, natural], noisy=[natural, natural],
                         shuffled=[shuffled, shuffled], noise=[None, None])
    ]  # fmt: skip
    page = draw("table_ablation_impedance", selection(tmp_path, "ablation_impedance", *runs))
    shown = " ".join(str(page.shown).split())
    assert "over 3 networks: +1.00" in shown
    assert "rank is not known: open, none" in shown
