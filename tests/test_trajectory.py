"""The trajectory's table and figure: ours as the curves have it, the authors' as they are published."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import draw, make_run, part_of, rows, selection

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.published import code_curves, trajectory
from dip_experiments.store import Job, Run, Selection, Store
from dip_experiments.store.files import write_json

LENGTH = 1000
F16 = {"name": "cset9/f16", "path": None, "size": 128, "fit": "crop"}


def fit(results: Path, setting: str, keep: Sequence[int], seeds: Sequence[int] = (0, 1)) -> Run:
    """Of seed 1 the curve is 1 dB higher and its peak two iterations sooner than of seed 0, and so on."""
    outputs = np.linspace(10, 30, LENGTH)[None] + np.array(seeds, dtype=float)[:, None]
    peaks = {name: [30.0 + seed for seed in seeds] for name in ("psnr_reference", "psnr_average")}
    sooner = {name: [1000 - 2 * seed for seed in seeds] for name in peaks}
    return make_run(
        results, f"{setting}{seeds[0]}{len(seeds)}".ljust(16, "_"), seeds=seeds,
        curves={"psnr_reference": outputs, "psnr_average": outputs + 2},
        summary={"oracle_peak": peaks, "oracle_iteration": sooner},
        experiment={"name": "trajectory", "setting": setting}, image=F16,
        fit={"keep": list(keep), "iterations": LENGTH},
    )  # fmt: skip


def fitted(results: Path, setting: str, scale: str, *keep: int) -> Selection:
    return selection(results, "trajectory", fit(results, setting, keep), scale=scale)


def nothing(results: Path) -> Selection:
    return selection(results, "trajectory")


def table(results: Path, grid: Selection, *by_seed: Run | dict[str, Any]) -> Artifact:
    return draw(
        "studies/trajectory", grid, selection(results, "trajectory", *by_seed), nothing(results), name="draw_table"
    )


def test_the_table_has_our_curves_and_the_authors_code_at_the_same_iterations(tmp_path: Path) -> None:
    page = table(tmp_path, fitted(tmp_path, "gamma_one", "laptop", 301, 701))
    ours, theirs = rows(page)
    at = np.linspace(10, 30, LENGTH)[[300, 700]]
    assert [ours["output_early"], ours["output_late"]] == [f"{value + 0.5:.2f} (0.50)" for value in at]
    assert ours["average_late"] == f"{at[1] + 2.5:.2f} (0.50)"
    assert (ours["oracle_peak_output"], ours["oracle_peak_at"]) == ("30.50 (0.50)", "999 (1)")
    curves = code_curves("f16_middle128")
    code = curves["psnr_output"][:, list(curves["iteration"]).index(301)]
    assert theirs["output_early"] == f"{code.mean():.2f} ({np.ptp(code) / 2:.2f})"
    assert theirs["oracle_peak_at"] == "-"  # it was ended before its peak


def test_what_was_not_run_says_so_in_its_row(tmp_path: Path) -> None:
    words = {"image": F16, "experiment": {"setting": "gamma_one"}, "precision": "float32", "fit": {"keep": [301, 701]}}
    ours, theirs = rows(table(tmp_path, selection(tmp_path, "trajectory", words)))
    assert (ours["setting"], ours["output_early"], ours["output_late"]) == ("one (today)", "not run", "-")
    assert theirs["setting"] == "the authors' code"


def test_at_the_papers_size_the_authors_pictures_stand_next_to_ours(tmp_path: Path) -> None:
    page = table(tmp_path, fitted(tmp_path, "gamma_uniform", "paper", 201, 701))
    iterations, psnr = trajectory("f16")
    theirs = rows(page)[-1]
    assert theirs["output_late"] == f"{psnr[list(iterations).index(700)]:.2f}"
    assert theirs["oracle_peak_output"] == f"{psnr.max():.2f}"
    assert theirs["average_late"] == "-"  # they showed none
    assert "project page" in str(page.shown)


def test_the_figure_has_every_setting_and_the_authors_curve(tmp_path: Path) -> None:
    page = draw(
        "studies/trajectory", fitted(tmp_path, "gamma_one", "laptop", 301, 701), nothing(tmp_path), name="draw_figure"
    )
    drawn = {row["curve"] for row in rows(page)}
    assert drawn == {"cset9/f16, the authors' code", "cset9/f16, gamma one (today)"}


def test_the_authors_code_is_known_by_its_picture() -> None:
    with pytest.raises(ValueError, match="curves of the authors' code"):
        code_curves("f17")


def test_a_run_of_another_experiment_stands_under_what_the_job_asks(tmp_path: Path) -> None:
    selected = fitted(tmp_path, "gamma_one", "laptop", 301, 701)
    run = selected.jobs[0].run
    assert run is not None
    asked = run.settings | {"experiment": {"name": "trajectory", "setting": "gamma_uniform"}}
    write_json(run.folder / "settings.json", run.settings | {"experiment": {"name": "fig4"}})
    jobs = dataclasses.replace(selected, jobs=(Job(asked, run),))
    assert rows(table(tmp_path, jobs))[0]["setting"] == "uniform"
    drawn = {row["curve"] for row in rows(draw("studies/trajectory", jobs, nothing(tmp_path), name="draw_figure"))}
    assert "cset9/f16, gamma uniform" in drawn


def asked(results: Path) -> Selection:
    """A job of three seeds without a run of its own."""
    words = {**fit(results, "gamma_one", [301, 701]).settings, "seed": 0, "replicas": 3}
    return selection(results, "trajectory", words)


def test_runs_of_one_seed_each_are_together_the_job_of_all(tmp_path: Path) -> None:
    grid, apart = asked(tmp_path), [fit(tmp_path, "gamma_one", [301, 701], [seed]) for seed in range(3)]
    page, other = table(tmp_path, grid, *apart), fit(tmp_path, "gamma_one", [301, 701], range(3))
    (ours, _), (at_once, _) = rows(page), rows(table(tmp_path, selection(tmp_path, "trajectory", other)))
    drawn = {"unperturbed_last": at_once["unperturbed_last"]}  # the pictures are random
    said = {"seeds": "3", "seconds_per_iteration_and_seed": "0.030"}  # all take 90 s
    assert ours | drawn | said == at_once
    assert (ours["seeds"], ours["seconds_per_iteration_and_seed"]) == ("1 + 1 + 1", "0.090")
    assert (page.message, page.runs) == ("", apart)
    figure = draw("studies/trajectory", grid, selection(tmp_path, "trajectory", *apart), name="draw_figure")
    same = draw("studies/trajectory", selection(tmp_path, "trajectory", other), nothing(tmp_path), name="draw_figure")
    assert rows(figure) == rows(same)


def test_seeds_that_are_not_there_yet_are_reported(tmp_path: Path) -> None:
    grid, first = asked(tmp_path), fit(tmp_path, "gamma_one", [301, 701], [0])
    page = table(tmp_path, grid, first, first.settings | {"seed": 1}, first.settings | {"seed": 2})
    assert rows(page)[0]["setting"] == "one (today), 1 seed"
    assert page.message.startswith("2 of 3 runs of trajectory")
    assert page.message.endswith("image=cset9/f16 experiment.setting=gamma_one precision=float32")
    assert table(tmp_path, grid, first.settings).message.startswith("1 of 1 runs of trajectory")


def test_a_seed_of_other_settings_is_no_part_of_a_job(tmp_path: Path) -> None:
    other = fit(tmp_path, "gamma_uniform", [301, 701], [0])
    ours, _ = rows(table(tmp_path, asked(tmp_path), other))
    assert ours["output_early"] == "not run"


def test_where_both_precisions_are_requested_each_has_a_row(tmp_path: Path) -> None:
    run = fit(tmp_path, "gamma_uniform", [301, 701])
    write_json(run.folder / "settings.json", run.settings | {"precision": "bf16"})
    lower = Store(tmp_path).run(run.name)
    plain = run.settings  # float32
    grid = dataclasses.replace(selection(tmp_path, "trajectory"), jobs=(Job(plain, lower),))
    page = draw(
        "studies/trajectory",
        grid,
        nothing(tmp_path),
        selection(tmp_path, "trajectory", plain, lower),
        name="draw_table",
    )
    assert [(row["setting"], row["seeds"]) for row in rows(page)[:-1]] == [("uniform", "-"), ("uniform, bf16", "2")]


@pytest.mark.parametrize("setting", part_of("studies/trajectory", "LABELS"))
def test_the_longest_name_of_a_row_fits_the_page(setting: str, tmp_path: Path) -> None:
    first = fit(tmp_path, setting, [301, 701], range(2))
    words = {**first.settings, "replicas": 3}
    write_json(first.folder / "settings.json", first.settings | {"precision": "bf16"})
    store = Store(tmp_path)
    one = Job({**words, "replicas": 1, "precision": "bf16"}, store.run(first.name))
    by_seed = dataclasses.replace(nothing(tmp_path), jobs=(one,))
    page = draw(
        "studies/trajectory",
        selection(tmp_path, "trajectory", words, scale="paper"),
        by_seed,
        nothing(tmp_path),
        name="draw_table",
    )
    assert rows(page)[0]["setting"].endswith(", bf16, 2 seeds")
    assert f"| {rows(page)[0]['setting']} |" in str(page.shown)


def in_two_precisions(results: Path, lower: Sequence[int], plain: Sequence[int], asked: Sequence[str]) -> Artifact:
    """The table at scale paper where some seeds of three are fitted in bf16 and some in float32, one by one."""
    runs = {seed: fit(results, "gamma_one", [301, 701], [seed]) for seed in {*lower, *plain}}
    words = {**next(iter(runs.values())).settings, "precision": "float32", "replicas": 1}
    jobs = []
    for precision, seeds in (("float32", plain), ("bf16", lower)):
        for seed in range(3):
            run = runs[seed] if seed in seeds else None
            if run:
                write_json(run.folder / "settings.json", {**run.settings, "precision": precision})
                run = Store(results).run(run.name)
            jobs.append(Job({**words, "seed": seed, "precision": precision}, run))
    empty = selection(results, "trajectory", scale="paper")
    by_seed = dataclasses.replace(empty, overrides=("seed=0,1,2", "precision=float32,bf16"), jobs=tuple(jobs))
    grid = selection(
        results, "trajectory", *({**words, "replicas": 3, "precision": one} for one in asked), scale="paper"
    )
    alone, both = (grid, empty) if len(asked) == 1 else (empty, grid)
    return draw("studies/trajectory", alone, by_seed, both, name="draw_table")


@pytest.mark.parametrize(
    ("lower", "plain", "settings", "waiting"),
    [
        ([0, 1], [2], ["one (today), 1 seed", "one (today), bf16, 2 seeds"], "bf16"),
        ([2], [0, 1], ["one (today), 2 seeds", "one (today), bf16, 1 seed"], "float32"),
        ([0, 1], [], ["one (today), bf16, 2 seeds"], "bf16"),
        ([0, 1, 2], [], ["one (today), bf16"], None),
    ],
)
def test_a_row_is_of_seeds_in_one_precision(
    lower: list[int], plain: list[int], settings: list[str], waiting: str | None, tmp_path: Path
) -> None:
    page = in_two_precisions(tmp_path, lower, plain, ["float32"])
    assert [row["setting"] for row in rows(page)[:-1]] == settings
    if waiting:
        assert page.message.endswith(f"image=cset9/f16 experiment.setting=gamma_one precision={waiting}")
    else:
        assert page.message == ""


def test_where_both_precisions_are_requested_no_seed_stands_in_for_one_of_the_other(tmp_path: Path) -> None:
    page = in_two_precisions(tmp_path, [0, 1], [2], ["float32", "bf16"])
    assert [row["setting"] for row in rows(page)[:-1]] == ["one (today), 1 seed", "one (today), bf16, 2 seeds"]
