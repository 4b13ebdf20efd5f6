"""Other methods beside ours: which a task has, over which pictures they are compared, when they are computed anew."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Dip
from fake_runs import files, part_of
from scipy import stats
from test_restoration_tables import AUTHORS, HOLES, TABLES, found, larger, made_up, page

from dip_experiments.analysis.baseline_results import baseline_image, baseline_numbers, task_baselines, upsampler
from dip_experiments.analysis.paper_rows import Row
from dip_experiments.analysis.paper_table import describe_baselines
from dip_experiments.baselines import classical
from dip_experiments.cli.main import main
from dip_experiments.store import Baselines, Run, Selection, Store


def test_baselines_are_those_that_the_task_has() -> None:
    noises: list[Any] = [{"name": "noisy25"}, {"name": "gaussian", "sigma": 10.0}, {"name": "poisson"}, None]
    sigmas = [
        [one.arguments["sigma"] for one in task_baselines({"task": {"name": "denoising", "noise": n}})] for n in noises
    ]
    assert [set(each) for each in sigmas] == [{25.0}, {10.0}, set(), set()]
    assert task_baselines({"task": {"name": "jpeg"}}) == []
    assert {one.name for one in task_baselines({"task": {"name": "inpainting"}})} == {"nearest_known", "biharmonic"}


@pytest.mark.thorough
def test_baselines_of_a_record_are_those_of_its_run(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "results")
    words = ["scale=smoke", "experiment.setting=x4", f"paths.results={store.results}"]
    assert dip("experiment=fig5", "image=camera", "hydra/launcher=basic", "fit.iterations=2", *words[:2]) == 0
    (folder,) = (store.results / "runs").iterdir()
    method, kept = upsampler("bicubic", 4), Baselines(tmp_path / "kept")
    numbers = baseline_numbers(method, Run(folder), kept)
    asked = ["fig5", "image=camera", "fit.iterations=2", *words]
    assert main(["keep", *asked]) == 0
    shutil.rmtree(store.results / "runs")
    assert (
        baseline_numbers(method, store.run(folder.name), Baselines(tmp_path / "none")) is None
    )  # a record has no arrays
    assert main(["rivals", *asked]) == 0
    assert "the others are not finished" in capfd.readouterr().out, "one's own runs are asked for, and gone"
    assert main(["baselines", *asked, "--records"]) == 0
    assert "1 of 1: bicubic, camera" in capfd.readouterr().out
    again = Baselines(store.results / "smoke" / "records" / "baselines")
    found = baseline_numbers(method, store.run(folder.name), again)
    assert found is not None
    assert numbers is not None
    assert found["psnr"] == pytest.approx(numbers["psnr"], abs=0.01)  # the stored reference has 8 bits
    assert baseline_image(method, store.run(folder.name), again) is not None


@pytest.mark.parametrize("table", TABLES)
def test_records_alone_give_the_same_table_without_the_other_methods_libraries(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = {"denoising": AUTHORS, "super_resolution": larger(4), "inpainting": HOLES}[table]
    image = {"denoising": "cset9/f16", "super_resolution": "set5/baby", "inpainting": "standard11/boat"}[table]
    run = made_up(tmp_path, "a", image, task)
    whole = files(page(table, tmp_path, run), tmp_path / "whole")
    record = Store(tmp_path).export_record(run, "laptop")
    monkeypatch.setattr("dip_experiments.analysis.baseline_results.version", lambda name: "of another day")
    monkeypatch.delitem(classical.DENOISERS, "bm3d", raising=False)
    assert files(page(table, tmp_path, record), tmp_path / "record") == whole


def test_without_bm3d_its_column_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(classical.DENOISERS, "bm3d", raising=False)
    drawn = page("denoising", tmp_path, made_up(tmp_path, "a", "cset9/f16", AUTHORS))
    assert found(drawn, "cset9/f16", "authors' noise")["bm3d"] == "not installed"
    assert found(drawn, "cset9/f16", "fresh noise")["bm3d"] == "-"


def test_pixels_of_another_cut_are_not_set_next_to_a_row(tmp_path: Path) -> None:
    run = made_up(tmp_path, "a", "standard11/boat", HOLES)
    pixels = made_up(tmp_path, "b", "standard11/boat", HOLES, cut={"size": None})
    drawn = page("inpainting", tmp_path, run, pixels=(pixels,))
    assert found(drawn, "standard11/boat", "50 % missing")["pixels_tv"] == "-"


def test_ours_is_compared_with_other_methods_over_the_pictures_that_both_have() -> None:
    table = part_of("tables/inpainting", "TABLE")

    def row(image: str, **numbers: float) -> Row:
        values = {name: np.array([value - 0.5, value + 0.5]) for name, value in numbers.items()}
        return Row(image, "50 % missing", table.ours, {}, "", numbers=values)

    rows = [
        row("a", unperturbed=30.0, biharmonic=29.0, pixels_tv=29.5), row("b", unperturbed=31.0, biharmonic=28.0),
        row("c"), row("d", biharmonic=1.0),
    ]  # fmt: skip
    half = stats.t.ppf(0.975, 1)  # of +1 and +3
    both = f"{2 - half:.2f} to +{2 + half:.2f}, 2 pictures"
    words = f"interval: biharmonic: +2.00 dB ({both}); pixels_tv: +0.50 dB (1 picture)."
    assert words in " ".join(describe_baselines(table, "50 % missing", rows).split())
    assert describe_baselines(table, "50 % missing", [row("a", unperturbed=30.0)]) == ""


def test_other_methods_are_computed_once_and_again_for_another_version_or_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Selection | int] = []
    monkeypatch.setitem(classical.INPAINTERS, "nearest", lambda holes, known: [calls.append(0), holes][1])
    runs = [
        made_up(tmp_path, name, image, HOLES) for name, image in (("a", "standard11/boat"), ("b", "standard11/lena"))
    ]
    for versions, wanted in ((None, 1), (None, 1), ("of another day", 2)):
        if versions:
            monkeypatch.setattr("dip_experiments.analysis.baseline_results.version", lambda name: versions)  # noqa: B023
        page("inpainting", tmp_path, runs[0])
        assert len(calls) == wanted
    page("inpainting", tmp_path, *runs)
    assert len(calls) == 3
    monkeypatch.setitem(classical.EPOCHS, "nearest_known", 2)
    page("inpainting", tmp_path, *runs)
    assert len(calls) == 5
