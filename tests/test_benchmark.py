"""The benchmark of methods: pairs of the same picture and draw, stops, ends, times; grids and settings of methods."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import thorough_after
from fake_runs import draw, make_bare_run, make_run, rows, selection
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from scipy import stats

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import conf_folder, options
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.store import Run


def method(
    folder: Path, problem: str, name: str, image: str, averages: list[float], seconds: float = 90.0, **summary: Any
) -> Run:
    """A run of two draws whose averages have these peaks, end 2 dB below them, and are stopped 0.5 dB below."""
    below = {by: [value - by for value in averages] for by in (0.5, 2.0)}
    numbers = {
        "oracle_peak": {"psnr_average": averages, "psnr_reference": [value - 1 for value in averages]},
        "oracle_iteration": {"psnr_average": [50] * 2, "psnr_reference": [40] * 2},
        "final": {"psnr_average": below[2.0]},
        "scores": {"stop-split-average": {"psnr": below[0.5]}},
        "stopping": {"split": {"final": [True, True]}},
        "wall_seconds": seconds,
    }
    return make_bare_run(
        folder, f"{problem} {name} {image}", (0, 1), summary=numbers | summary,
        experiment={"name": "benchmark", "problem": problem, "method": name},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


def test_a_method_is_compared_with_the_plain_fit_of_the_same_problem_picture_and_draw(tmp_path: Path) -> None:
    runs = [
        method(tmp_path, "sigma25", "plain", "a", [30.0, 31.0]),
        method(tmp_path, "sigma25", "plain", "b", [20.0, 21.0]),
        method(tmp_path, "sigma25", "l1", "a", [30.5, 31.3], 180.0),
        method(tmp_path, "sigma25", "l1", "b", [20.3, 21.1], 180.0, scores={}),
        method(tmp_path, "impulses", "plain", "a", [10.0, 10.0]),
        method(tmp_path, "impulses", "l1", "a", [19.0, 21.0]),
    ]
    waits = {"experiment": {"name": "benchmark", "problem": "impulses", "method": "sgld"}}
    page = draw("studies/benchmark", selection(tmp_path, "benchmark", *runs, waits), name="draw_table")
    found = {(row["problem"], row["method"]): row for row in rows(page)}
    plain, l1 = found["sigma25", "plain"], found["sigma25", "l1"]
    half = stats.t.ppf(0.975, 1) * np.std([0.4, 0.2], ddof=1) / 2**0.5
    assert (plain["peak"], l1["peak"], l1["difference"]) == ("25.50", "25.80", "+0.30")
    assert float(l1["difference_low"]) == pytest.approx(0.3 - half, abs=1e-3)
    assert (plain["difference"], plain["end"], plain["after_peak"]) == ("-", "23.50", "2.00")
    assert (plain["at_stop"], l1["at_stop"]) == ("25.00", "-")  # one of l1's fits has no stop
    assert (plain["time"], l1["time"], l1["pictures"]) == ("1.0", "2.0", "2")
    low, high = (np.mean([-1.6, -1.8]) + sign * stats.t.ppf(0.975, 1) * 0.1 for sign in (-1, 1))
    assert l1["end_gain"] == f"-1.70 ({low:+.2f} to {high:+.2f})"  # the end, by the plain fit's peak
    assert (float(l1["seconds_per_iteration"]), float(l1["seconds_to_peak"])) == (0.75, 37.5)
    assert (found["impulses", "l1"]["difference"], found["impulses", "l1"]["interval"]) == ("+10.00", "-")
    assert found["impulses", "sgld"]["peak"] == "not run"


def test_a_peak_that_is_not_reached_and_a_stop_that_is_not_sure_are_marked(tmp_path: Path) -> None:
    late = {"oracle_iteration": {"psnr_average": [120, 40], "psnr_reference": [120, 40]}}
    runs = [
        method(tmp_path, "sigma25", "plain", "a", [30.0, 31.0]),
        method(tmp_path, "sigma25", "l1", "a", [30.0, 31.0], **late),
        method(tmp_path, "sigma25", "tv", "a", [30.0, 31.0], stopping={"split": {"final": [True, False]}}),
    ]
    page = draw("studies/benchmark", selection(tmp_path, "benchmark", *runs), name="draw_table")
    found = {row["method"]: (row["peak"], row["at_stop"]) for row in rows(page)}
    assert found == {"plain": ("30.50", "30.00"), "l1": (">30.50", "30.00"), "tv": ("30.50", ">30.00")}


def test_curves_are_means_over_pictures_and_the_plain_fit_is_black(tmp_path: Path) -> None:
    values = {"plain": (20.0, 30.0), "aseqdip": (22.0, 26.0)}
    runs = [
        make_run(
            tmp_path, f"{name} {image}", curves={"psnr_average": np.full((2, 120), value)},
            experiment={"name": "benchmark", "problem": "sigma25", "method": name},
            image={"name": image, "path": None, "size": 64, "fit": "crop"},
        )
        for name, pair in values.items()
        for image, value in zip("ab", pair, strict=True)
    ]  # fmt: skip
    drawn = draw("studies/benchmark", selection(tmp_path, "benchmark", *runs), name="draw_figure")
    last = {row["method"]: float(row["psnr"]) for row in rows(drawn) if row["iteration"] == "120"}
    assert last == {"plain": 25.0, "aseqdip": 24.0}
    assert isinstance(drawn.shown, Figure)
    (black,) = [line for line in drawn.shown.axes[0].lines if line.get_color() == "black"]
    np.testing.assert_allclose(np.asarray(black.get_ydata()), 25.0)


def test_a_curve_is_of_the_plain_fits_pictures_and_every_curve_has_its_name_in_the_legend(tmp_path: Path) -> None:
    done = [("sigma25", "plain", "ab"), ("sigma25", "l1", "a"), ("impulses", "plain", "a"), ("impulses", "l1", "ab")]
    runs = [
        make_run(
            tmp_path, f"{problem} {name} {image}", curves={"psnr_average": np.full((2, 120), 20.0 + (image == "b"))},
            experiment={"name": "benchmark", "problem": problem, "method": name},
            image={"name": image, "path": None, "size": 64, "fit": "crop"},
        )
        for problem, name, images in done
        for image in images
    ]  # fmt: skip
    drawn = draw("studies/benchmark", selection(tmp_path, "benchmark", *runs), name="draw_figure")
    last = {(row["problem"], row["method"]): row["psnr"] for row in rows(drawn) if row["iteration"] == "120"}
    assert last == {("sigma25", "plain"): "20.500", ("impulses", "plain"): "20.000", ("impulses", "l1"): "20.000"}
    assert isinstance(drawn.shown, Figure)
    assert [text.get_text() for text in drawn.shown.legends[0].get_texts()] == ["plain", "l1"]


def test_every_method_is_in_the_benchmark_and_says_what_it_claims() -> None:
    experiments = conf_folder() / "experiment"
    grids = [
        OmegaConf.load(experiments / f"{name}.yaml").hydra.sweeper.params["method"].split(",")
        for name in ("benchmark", "benchmark_others", "benchmark_lowpass")
    ]
    assert set(options("method")) == {*grids[0], *grids[2]}
    assert set(grids[0]) - set(grids[1]) == {"distributional"}  # it must know the noise
    for name in options("method"):
        first = (conf_folder() / "method" / f"{name}.yaml").read_text().split("# @package _global_\n# ")[1]
        assert first.split("\n")[0]


PROBLEMS = {
    "sigma25": ("denoising", 25.0), "sigma50": ("denoising", 50.0), "neighbours": ("denoising", 25.0),
    "deblurring": ("deblurring", 2.0), "impulses": ("denoising", None), "super_resolution": ("super_resolution", None),
    "inpainting": ("inpainting", None),
}  # fmt: skip
"""Task and, where the split watches, the standard deviation that it is given."""


def benchmark_job(problem: str, method: str) -> Settings:
    """The settings of a method's fit of a problem."""
    name = "benchmark_others" if PROBLEMS[problem][1] is None else "benchmark"
    words = [f"experiment={name}", f"experiment.problem={problem}", "image=coffee", f"method={method}"]
    (job,) = compose_jobs([*words, "scale=laptop"], multirun=True)
    return read_settings(job)


@pytest.mark.parametrize("name", thorough_after(2, options("method")))
def test_a_method_suits_a_problem_of_its_grid(name: str) -> None:
    settings = benchmark_job("sigma50", name)
    assert (settings.experiment.model_extra or {})["method"] == name
    assert (settings.task.name, [*settings.rules]) == ("denoising", ["split"])


@pytest.mark.parametrize("problem", thorough_after(1, PROBLEMS))
def test_a_problem_has_its_task_and_law_and_weights_that_follow_its_noise(problem: str) -> None:
    task, sigma = PROBLEMS[problem]
    plain, tv, projector = (benchmark_job(problem, name) for name in ("plain", "tv", "random_projector"))
    assert plain.task.name == task
    assert [rule.law.model_dump()["sigma"] for rule in plain.rules.values()] == ([sigma] if sigma else [])
    assert plain.model_copy(update={"task": tv.task, "seed": tv.seed}) == plain  # the same work
    root = {"impulses": 0.18}.get(problem, (sigma or 0) / 255)
    for settings, factor in ((tv, 0.1), (projector, 0.9)):
        weight = settings.regularizer.model_dump()["weight"]
        assert weight == pytest.approx(factor * root, rel=0.15) if root else weight < 0.011
    assert projector.architecture.model_dump()["down"] == [plain.scale.width]  # one scale (Li et al. 2023)


@pytest.mark.parametrize(
    ("name", "latent", "lr"),
    [("deep_decoder", "noise", 0.01), ("self_diffusion", "normal", 0.002), ("self_guided", "noise", 0.001)],
)
def test_a_method_starts_as_its_authors_say(name: str, latent: str, lr: float) -> None:
    settings = benchmark_job("sigma25", name)
    assert (settings.latent.name, settings.latent.perturbation) == (latent, 0.0)
    assert settings.optimizer.model_dump()["lr"] == lr


def test_the_noise_is_given_in_the_benchmark_and_estimated_elsewhere() -> None:
    request = ["experiment=benchmark", "experiment.problem=sigma50", "image=coffee", "method=distributional"]
    for words, sigma in ((request, 50.0), (["task=denoising", "method=distributional"], None)):
        (job,) = compose_jobs(words, multirun=True)
        assert read_settings(job).loss.model_dump()["sigma"] == sigma
