"""Ablations: one change each, compared seed by seed, and what the intervals and the rank correlation say."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import draw, files, make_bare_run, part_of, rows, selection
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from scipy import stats

from dip_experiments.analysis.confidence import (
    holm,
    mean_interval,
    picture_interval,
    picture_p_value,
    rank_correlation,
)
from dip_experiments.analysis.impedance import measure_impedance
from dip_experiments.analysis.style import RED
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import conf_folder, options
from dip_experiments.config.settings import read_settings
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


def simulated(draw: np.random.Generator, pictures: int, seeds: int, correlation: float) -> dict[str, Any]:
    """Differences of variance 1 and mean 0.3, correlated between the seeds of a picture."""
    own, common = draw.normal(size=(pictures, seeds)), draw.normal(size=(pictures, 1))
    values = 0.3 + correlation**0.5 * common + (1 - correlation) ** 0.5 * own
    return {f"picture {number}": row for number, row in enumerate(values)}


@pytest.mark.parametrize("pictures", [3, 6])
def test_intervals_over_pictures_hold_the_mean_where_those_over_all_fits_are_too_narrow(pictures: int) -> None:
    draw = np.random.default_rng(0)
    studies = [simulated(draw, pictures, 3, 0.6) for _ in range(1000)]
    by_picture = [picture_interval(study) for study in studies]
    over_all = [mean_interval(np.concatenate(list(study.values()))) for study in studies]
    held, held_over_all = (np.mean([i.low <= 0.3 <= i.high for i in some]) for some in (by_picture, over_all))
    assert held == pytest.approx(0.95, abs=0.02)
    assert held_over_all < 0.85


def test_a_picture_counts_once_however_many_seeds_it_has() -> None:
    values = {"a": [1.0, 2.0, 3.0], "b": [4.0], "c": [6.0, 8.0]}
    found = picture_interval(values)
    assert (found.value, found.high - found.value) == pytest.approx((13 / 3, stats.sem([2, 4, 7]) * 4.302653))
    assert picture_p_value(values) == pytest.approx(stats.ttest_1samp([2, 4, 7], 0).pvalue)
    lone = picture_interval({"a": [1.0, 2.0]})
    assert lone.value == 1.5
    assert np.isnan([lone.low, lone.high, picture_p_value({"a": [1.0, 2.0]}), picture_interval({}).value]).all()
    assert picture_p_value({"a": [0.5], "b": [0.5]}) == 0
    assert np.isnan(picture_p_value({"a": [0.0], "b": [0.0]}))


def test_holms_correction_is_that_of_a_worked_example() -> None:
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 but no less than the one before: by hand, and as in R's p.adjust
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, np.nan, 0.04, 0.03, 0.005, np.nan]) == pytest.approx(
        [0.03, np.nan, 0.06, 0.06, 0.02, np.nan], nan_ok=True
    )
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]).size == 0


def test_holms_correction_keeps_the_chance_of_one_false_finding_at_5_percent() -> None:
    draw = np.random.default_rng(1)
    families = draw.uniform(size=(2000, 20))
    wrong = [min(family) < 0.05 for family in families], [min(holm(family)) < 0.05 for family in families]
    assert np.mean(wrong, axis=1) == pytest.approx([0.64, 0.05], abs=0.03)


def test_a_rank_correlation_is_spearmans_and_what_was_not_reached_ranks_highest() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, 30))
    found = rank_correlation(x, x + y)
    assert found.value == pytest.approx(stats.spearmanr(x, x + y).statistic)
    assert found.low < found.value < found.high
    assert rank_correlation(np.array([1.0, 2.0, np.inf]), np.array([5.0, 6.0, 7.0])).value == pytest.approx(1)
    for one, other in ((np.full(3, np.inf), x[:3]), (x[:3], np.ones(3))):  # no rank is known
        assert np.isnan(astuple(rank_correlation(one, other))).all()


def denoising(
    folder: Path,
    change: str,
    image: str,
    averages: list[float],
    seeds: tuple[int, ...] = (0, 1),
    at: int = 100,
    end: float = 20.0,
) -> Run:
    peak = {"psnr_average": averages, "psnr_reference": [value - 1 for value in averages]}
    reached = {"psnr_average": [at] * len(averages), "psnr_reference": [80] * len(averages)}
    final = {"psnr_average": [end] * len(averages)}
    return make_bare_run(
        folder, f"{change}{image}".replace("/", " "), seeds,
        summary={"oracle_peak": peak, "oracle_iteration": reached, "final": final},
        experiment={"name": "ablation", "change": change},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


def test_a_change_is_compared_with_the_default_of_the_same_picture_and_seed(tmp_path: Path) -> None:
    default = [denoising(tmp_path, "default", "a", [30.0, 31.0]), denoising(tmp_path, "default", "b", [20.0, 21.0])]
    better = [denoising(tmp_path, "relu", "a", [30.5, 31.3]), denoising(tmp_path, "relu", "b", [20.3, 21.1])]
    alone = denoising(tmp_path, "lbfgs", "a", [29.0], seeds=(1,), at=119)
    asked = [
        selection(
            tmp_path, "ablation_denoising", *default, {"image": {"name": "c"}, "experiment": {"change": "default"}}
        ),
        selection(tmp_path, "ablation_layers", *better, {"experiment": {"name": "ablation", "change": "gelu"}}),
        selection(tmp_path, "ablation_lbfgs", alone),
    ]
    page = draw("studies/ablation_denoising", *asked, name="draw_table")
    found = {row["change"]: row for row in rows(page)}
    assert list(found) == ["default", "relu", "gelu", "lbfgs"]
    assert (found["relu"]["difference"], found["relu"]["fits"]) == ("+0.30", "4")
    half = stats.t.ppf(0.975, 1) * np.std([0.4, 0.2], ddof=1) / 2**0.5
    assert float(found["relu"]["difference_low"]) == pytest.approx(0.3 - half, abs=1e-3)
    assert (found["relu"]["difference a"], found["relu"]["difference b"]) == ("+0.400", "+0.200")
    assert (found["relu"]["by_picture"], found["lbfgs"]["by_picture"]) == ("+0.40 +0.20 - -", "-2.00 - - -")
    assert (found["lbfgs"]["difference"], found["lbfgs"]["interval"]) == ("-2.00", "-")
    assert (found["default"]["difference"], found["default"]["average_peak"]) == ("-", "25.50")
    assert found["gelu"]["fits"] == "not run"
    assert (found["relu"]["average_end"], found["relu"]["output_iteration"]) == ("20.00", "80")
    assert (found["relu"]["at"], found["lbfgs"]["at"]) == ("100 (0/4)", "119 (1/1)")
    assert "(conf/change), 1 to 2 of 4 pictures" in " ".join(str(page.shown).split())
    ranking = draw("studies/ablation_denoising", *asked, name="draw_figure")
    assert [(row["change"], row["rising"]) for row in rows(ranking)] == [("lbfgs", "1"), ("relu", "0")]
    (axis,) = ranking.shown.axes if isinstance(ranking.shown, Figure) else ()
    assert [label.get_text() for label in axis.get_yticklabels()] == ["lbfgs  \N{UPWARDS ARROW}1/1", "relu"]
    assert "page.png" in files(ranking, tmp_path / "drawn")


def test_peak_and_end_of_a_change_are_means_over_pictures_however_many_seeds_each_has(tmp_path: Path) -> None:
    runs = [denoising(tmp_path, "default", "a", [30.0] * 3, (0, 1, 2)), denoising(
        tmp_path, "default", "b", [26.0], (3,), end=24.0)]  # fmt: skip
    page = draw("studies/ablation_denoising", selection(tmp_path, "ablation_denoising", *runs), name="draw_table")
    (row,) = rows(page)
    assert (row["average_peak"], row["average_end"], row["fits"]) == ("28.00", "22.00", "4")


def test_a_change_is_marked_only_where_it_stands_holms_correction(tmp_path: Path) -> None:
    """Six pictures: no_norm is sure, width_8 is surely worse alone (p = 0.03) but not among six changes."""
    pictures = [f"set14/{name}" for name in "abcdef"]
    moved = {
        "no_norm": [-14.0, -14.1, -13.9, -14.0, -14.2, -13.8],
        "width_8": [-3.35, -0.73, -0.86, -2.0, -1.0, -0.2],
        **{f"change_{n}": [0.1, -0.1, 0.2, -0.2, 0.05, -0.05] for n in range(4)},
    }
    runs = [denoising(tmp_path, "default", picture, [30.0, 30.5, 31.0], (0, 1, 2)) for picture in pictures]
    runs += [
        denoising(tmp_path, change, picture, [30.0 + value, 30.5 + value], at=120)
        for change, values in moved.items()
        for picture, value in zip(pictures, values, strict=True)
    ]
    asked = selection(tmp_path, "ablation_denoising", *runs)
    page = draw("studies/ablation_denoising", asked, name="draw_table")
    found = {row["change"]: row for row in rows(page)}
    alone = stats.ttest_1samp(moved["width_8"], 0).pvalue
    assert float(found["width_8"]["p_value"]) == pytest.approx(alone, rel=1e-3)
    assert float(found["width_8"]["p_value_holm"]) == pytest.approx(5 * alone, rel=1e-3)
    assert alone < 0.05 < 5 * alone
    assert [row["difference_marked"] for row in found.values()] == ["-", "-14.00*", "-1.36", *["+0.00"] * 4]
    assert "correction for 6 changes (1 of them)" in " ".join(str(page.shown).split())
    ranking = draw("studies/ablation_denoising", asked, name="draw_figure").shown
    assert isinstance(ranking, Figure)
    intervals = [line for line in ranking.axes[0].lines if line.get_linewidth() == 1.2]
    colours = [line.get_color() for line in intervals]
    assert colours == [RED, *["0.45"] * 5]


def test_the_further_pictures_see_all_changes_with_seeds_of_their_own() -> None:
    experiments = conf_folder() / "experiment"
    grids = {path.stem: OmegaConf.load(path).hydra.sweeper.params for path in experiments.glob("ablation_*.yaml")}
    further, siblings = grids.pop("ablation_pictures"), part_of("studies/ablation_denoising", "EXPERIMENTS")[:-1]
    changes = [change for name in siblings for change in grids[name].change.split(",")]
    assert further.change.split(",") == changes
    words = ["experiment=ablation_pictures", "change=default,lbfgs", f"image={further.image},astronaut,coffee"]
    jobs = [read_settings(job) for job in compose_jobs(words, multirun=True)]
    own = {"cset9/f16": 6, "cset9/kodim01": 7, "cset9/kodim03": 3, "cset9/house": 4, "set14/comic": 5}
    seeds = own | {"astronaut": 0, "coffee": 0}
    assert [(job.image.name, job.seed, job.replicas) for job in jobs] == [(*item, 1) for item in seeds.items()] * 2
    assert grids["ablation_denoising"].image == "astronaut"  # the others have its list; seeds 0, 1 and 2
    assert not set(own.values()) & {0, 1, 2}


def study(folder: Path, change: str, psnr: float, **explained: list[int | None]) -> list[Run]:
    reached: dict[str, list[int | None]] = {"natural": [50, 60], "noisy": [90, 90], "noise": [None, None]} | explained
    peak = {"psnr_average": [psnr, psnr], "psnr_reference": [psnr - 1, psnr - 1]}
    summary: dict[str, Any] = {"oracle_peak": peak}
    return [
        make_bare_run(
            folder, f"{change}-{target}", (3, 4), summary=summary | {"iterations_explained": at},
            experiment={"name": "ablation_impedance", "change": change}, target={"name": target},
        )
        for target, at in reached.items()
    ]  # fmt: skip


def test_the_impedance_is_that_of_the_shuffled_image_and_stands_next_to_the_denoising(tmp_path: Path) -> None:
    runs = [
        *study(tmp_path, "default", 27.0, shuffled=[500, 600]),
        *study(tmp_path, "nearest", 26.0, shuffled=[100, 240]),
        *study(tmp_path, "pixels", 20.0, shuffled=[50, 60], noise=[50, 60]),
        *study(tmp_path, "deep_decoder", 25.0, shuffled=[None, None]),
        *study(tmp_path, "width_8", 24.0, shuffled=[90, 90])[:3],
    ]
    page = draw("studies/ablation_impedance", selection(tmp_path, "ablation_impedance", *runs), name="draw_table")
    found = {row["change"]: row for row in rows(page)}
    assert (found["default"]["impedance"], found["default"]["interval"]) == ("10.00", "10.00 to 10.00")
    assert found["nearest"]["impedance"] == f"{(2 * 4) ** 0.5:.2f}"
    assert (found["pixels"]["noise_ratio"], found["default"]["noise_ratio"]) == ("1.00", ">2.18")
    assert (found["deep_decoder"]["shuffled"], found["deep_decoder"]["impedance"]) == (">120", ">2.18")
    assert found["width_8"]["natural"] == "not run"
    # pixels 1, nearest 2.8, default 10: 20, 26, 27 dB; the deep decoder beyond 2.2, which may be anywhere
    assert "over 3 networks: +1.00" in " ".join(str(page.shown).split())
    scatter = draw("studies/ablation_impedance", selection(tmp_path, "ablation_impedance", *runs), name="draw_figure")
    assert {row["change"]: row["reached"] for row in rows(scatter)}["deep_decoder"] == "False"
    assert "page.png" in files(scatter, tmp_path / "drawn")


def test_the_impedance_is_of_the_seeds_that_failed_in_neither_fit(tmp_path: Path) -> None:
    reached = {"natural": ([None, 50, 10], [0]), "shuffled": ([400, 500, None], [2])}
    fits = {
        target: make_bare_run(tmp_path, target, (3, 4, 5), failed, {"iterations_explained": at})
        for target, (at, failed) in reached.items()
    }
    assert measure_impedance(fits).interval.value == pytest.approx(10)  # of seed 4 alone


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
    page = draw("studies/ablation_impedance", selection(tmp_path, "ablation_impedance", *runs), name="draw_table")
    shown = " ".join(str(page.shown).split())
    assert "over 3 networks: +1.00" in shown
    assert "rank is not known: open, none" in shown
