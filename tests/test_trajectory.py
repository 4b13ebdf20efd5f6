"""The trajectory's table and figure: ours as the curves have it, the authors' as they are published."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from studio import draw, make_run, rows, selection

from dip_experiments.drawing.script import Job, Selection
from dip_experiments.published import code_curves, trajectory
from dip_experiments.store.files import write_json

LENGTH = 1000
F16 = {"name": "cset9/f16", "path": None, "size": 128, "fit": "crop"}


def fitted(results: Path, setting: str, scale: str, *keep: int) -> Selection:
    outputs = np.linspace(10, 30, LENGTH)[None] + np.array([[0.0], [1.0]])
    peaks = {name: [30.0, 31.0] for name in ("psnr_reference", "psnr_average")}
    run = make_run(
        results, f"{setting:_<16}", curves={"psnr_reference": outputs, "psnr_average": outputs + 2},
        summary={"oracle_peak": peaks, "oracle_iteration": {name: [1000, 998] for name in peaks}},
        experiment={"name": "trajectory", "setting": setting}, image=F16,
        fit={"keep": list(keep), "iterations": LENGTH},
    )  # fmt: skip
    return selection(results, "trajectory", run, scale=scale)


def nothing(results: Path) -> Selection:
    return selection(results, "trajectory")


def test_the_table_has_our_curves_and_the_authors_code_at_the_same_iterations(tmp_path: Path) -> None:
    page = draw(
        "table_trajectory", fitted(tmp_path, "gamma_one", "laptop", 301, 701), selection(tmp_path, "trajectory")
    )
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
    ours, theirs = rows(draw("table_trajectory", selection(tmp_path, "trajectory", words), nothing(tmp_path)))
    assert (ours["setting"], ours["output_early"], ours["output_late"]) == ("one (today)", "not run", "-")
    assert theirs["setting"] == "the authors' code"


def test_at_the_papers_size_the_authors_pictures_stand_beside_ours(tmp_path: Path) -> None:
    page = draw(
        "table_trajectory", fitted(tmp_path, "gamma_uniform", "paper", 201, 701), selection(tmp_path, "trajectory")
    )
    iterations, psnr = trajectory("f16")
    theirs = rows(page)[-1]
    assert theirs["output_late"] == f"{psnr[list(iterations).index(700)]:.2f}"
    assert theirs["oracle_peak_output"] == f"{psnr.max():.2f}"
    assert theirs["average_late"] == "-"  # they showed none
    assert "project page" in str(page.shown)


def test_the_figure_has_every_setting_and_the_authors_curve(tmp_path: Path) -> None:
    page = draw("figure_trajectory", fitted(tmp_path, "gamma_one", "laptop", 301, 701))
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
    assert rows(draw("table_trajectory", jobs, nothing(tmp_path)))[0]["setting"] == "uniform"
    drawn = {row["curve"] for row in rows(draw("figure_trajectory", jobs))}
    assert "cset9/f16, gamma uniform" in drawn
