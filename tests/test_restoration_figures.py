"""What the figures of the restorations show follows from the stored runs, which are made by hand here."""

import csv
import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import SMALL, Dip, assert_same_files, load_image, only_run
from test_figures import ROOT, script

from dip_experiments.drawing.figures import Array, log_points, missing
from dip_experiments.images import read_image
from dip_experiments.metrics import psnr, psnr_y_authors
from dip_experiments.store import Run, Store, write_columns, write_image, write_json

FIGURES = ["fig3", "fig4", "fig4_stand_in", "fig5", "fig6", "fig7", "fig10"]
EXPERIMENTS = {"fig7": ["fig7_text", "fig7_missing"]}
SEEDS, ITERATIONS, SIDE = (3, 4), 120, 64
COLUMNS = ("loss", "psnr_measurement", "psnr_reference", "psnr_average")
WITHOUT_BM3D = """
import runpy, sys
sys.modules["bm3d"] = None
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
Draw = Callable[[str, Path], int]
CLEAN = load_image("coffee", None, SIDE, "resize")


def make_run(store: Store, name: str, measure: Callable[[Array], Array], **words: dict[str, Any]) -> Run:
    """A finished run: per seed the clean picture under noise of its own, curves that are nobody's."""
    run, numbers = store.run(name), np.random.default_rng(0)
    for replica, _ in enumerate(SEEDS):
        write_image(run.image("reference", replica), CLEAN)
        write_image(run.image("target", replica), measure(CLEAN))
        for kept in ("average", "unperturbed", "iteration-000100", f"iteration-{ITERATIONS:06d}"):
            write_image(run.image(kept, replica), CLEAN + numbers.normal(0, 0.05, CLEAN.shape))
    write_image(run.image("flash", 0), CLEAN[::-1])
    rows = len(SEEDS) * ITERATIONS
    write_columns(
        run.folder / "curves.csv",
        {
            "replica": np.repeat(np.arange(len(SEEDS)), ITERATIONS),
            "iteration": np.tile(np.arange(1, ITERATIONS + 1), len(SEEDS)),
            **{column: numbers.uniform(1, 20, rows) for column in COLUMNS},
        },
    )
    settings = {
        "image": {"name": "coffee", "size": SIDE, "fit": "resize"},
        "fit": {"keep": []},
        "precision": "float32",
        "architecture": {"down": [8, 8]},
        "optimizer": {"name": "adam", "lr": 0.01},
    }
    write_json(run.folder / "settings.json", settings | words)
    write_json(run.folder / "provenance.json", {"seeds": list(SEEDS), "device": "cpu"})
    write_json(run.folder / "summary.json", {"iterations": ITERATIONS, "wall_seconds": 6.0, "guard": []})
    return run


def as_it_is(image: Array) -> Array:
    return image


def with_hole(image: Array) -> Array:
    return image * (np.arange(SIDE) % 7 != 0)


def smaller(factor: int) -> Callable[[Array], Array]:
    return lambda image: image[:, ::factor, ::factor]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the runs of every figure, each drawn once."""
    folder = tmp_path_factory.mktemp("results")
    store = Store(folder)
    noisy = CLEAN + np.random.default_rng(1).normal(0, 25 / 255, CLEAN.shape)
    grids = {
        "fig3": [make_run(store, "jpeg", as_it_is)],
        "fig4": [make_run(store, "denoising", lambda _: noisy)],
        "fig4_stand_in": [make_run(store, "stand-in", lambda _: noisy)],
        "fig5": [
            make_run(store, f"x{factor}", smaller(factor), task={"name": "super_resolution", "factor": factor})
            for factor in (4, 8)
        ],
        "fig6": [
            make_run(store, f"rate-{rate}", with_hole, optimizer={"name": "adam", "lr": rate})
            for rate in (0.1, 0.01, 0.001)
        ],
        "fig7_text": [make_run(store, "text", with_hole, image={"name": "paper/kate", "size": None, "fit": "crop"})],
        "fig7_missing": [make_run(store, "missing", with_hole)],
        "fig10": [make_run(store, "flash", as_it_is)],
    }
    for experiment, runs in grids.items():
        store.write_grid(experiment, "smoke", [run.name for run in runs])
    for name in FIGURES:
        answer = script(f"figure_{name}.py", folder)
        assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Runs a drawing script in this process; returns the exit code."""
    monkeypatch.syspath_prepend(ROOT / "scripts")

    def run(name: str, results: Path) -> int:
        monkeypatch.setattr(sys, "argv", [f"figure_{name}.py", "--scale", "smoke", "--results", str(results)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "scripts" / f"figure_{name}.py"), run_name="__main__")
        plt.close("all")
        return int(ended.value.code or 0)

    return run


def drawn(results: Path, name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (results / "smoke" / "figures").glob(f"{name}.*")}


def table(results: Path, name: str) -> list[dict[str, str]]:
    with (results / "smoke" / "figures" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def pictures(run: Run, name: str) -> list[Array]:
    return [read_image(run.image(name, replica)) for replica in range(len(SEEDS))]


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_runs_give_the_same_four_files(name: str, results: Path, draw: Draw) -> None:
    before = drawn(results, name)
    assert set(before) == {f"{name}.{ending}" for ending in ("png", "pdf", "csv", "json")}
    assert all(len(content) <= 600 * 1024 for content in before.values())
    assert draw(name, results) == 0
    assert_same_files(drawn(results, name), before)
    wanted = [run for one in EXPERIMENTS.get(name, [name]) for run in Store(results).read_grid(one, "smoke")]
    sources = json.loads(before[f"{name}.json"])
    assert [source["run"] for source in sources["runs"]] == [run.name for run in wanted]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_its_runs_says_in_a_line_what_makes_them(
    name: str, tmp_path: Path, draw: Draw, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(name, tmp_path) == 2
    told = capsys.readouterr().err
    assert f"dip -m experiment={EXPERIMENTS.get(name, [name])[0]} scale=smoke" in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "smoke").exists()


@pytest.mark.parametrize(
    ("name", "column", "quantity"),
    [("fig3", "psnr_measurement", "psnr_jpeg"), ("fig4", "psnr_reference", "psnr"), ("fig10", "loss", "loss")],
)
def test_a_drawn_curve_has_the_stored_mean_and_range(name: str, column: str, quantity: str, results: Path) -> None:
    (run,) = Store(results).read_grid(name, "smoke")
    values = np.stack([curve[column] for curve in run.curves])
    rows = [row for row in table(results, name) if row["curve"] == "single output"]
    assert [int(row["iteration"]) for row in rows] == log_points(ITERATIONS).tolist()
    for row in rows:
        at = values[:, int(row["iteration"]) - 1]
        stored = [float(row[f"{quantity}_{what}"]) for what in ("mean", "min", "max")]
        assert stored == pytest.approx([at.mean(), at.min(), at.max()], rel=1e-5)


def test_the_levels_of_the_denoisers_are_those_of_the_stored_pictures(results: Path) -> None:
    (run,) = Store(results).read_grid("fig4", "smoke")
    target, reference = pictures(run, "target")[0], pictures(run, "reference")[0]
    rows = {row["curve"]: row for row in table(results, "fig4")}
    assert float(rows["noisy"]["psnr_mean"]) == pytest.approx(psnr(target, reference), rel=1e-5)
    assert float(rows["NLM"]["psnr_mean"]) > float(rows["noisy"]["psnr_mean"]) + 3
    assert rows["authors, 512 x 512, single output"]["iteration"] == "2950"


def test_without_bm3d_the_figure_leaves_it_out(results: Path, tmp_path: Path) -> None:
    grid = Store(results).read_grid("fig4", "smoke")
    shutil.copytree(grid[0].folder, tmp_path / "runs" / grid[0].name)
    Store(tmp_path).write_grid("fig4", "smoke", [grid[0].name])
    words = [sys.executable, "-c", WITHOUT_BM3D, "figure_fig4.py", "--scale", "smoke", "--results", str(tmp_path)]
    subprocess.run(words, check=True, cwd=ROOT / "scripts")
    assert "BM3D" not in {row["curve"] for row in table(tmp_path, "fig4")}
    assert drawn(tmp_path, "fig4")["fig4.png"]


def test_super_resolution_is_measured_on_the_stored_pictures(results: Path) -> None:
    rows = {(int(row["factor"]), row["picture"]): row for row in table(results, "fig5")}
    for run in Store(results).read_grid("fig5", "smoke"):
        reference, factor = pictures(run, "reference")[0], run.settings["task"]["factor"]
        kept = {f"output, iteration {ITERATIONS}": f"iteration-{ITERATIONS:06d}", "average of outputs": "average"}
        for title, name in kept.items():
            values = [psnr_y_authors(picture, reference) for picture in pictures(run, name)]
            row = rows[factor, title]
            stored = [float(row[f"psnr_y_{what}"]) for what in ("mean", "min", "max")]
            assert stored == pytest.approx([np.mean(values), min(values), max(values)], rel=1e-5)
        small = pictures(run, "target")[0].repeat(factor, 1).repeat(factor, 2)
        assert float(rows[factor, "nearest"]["psnr_y_mean"]) == pytest.approx(
            psnr_y_authors(small, reference), rel=1e-5
        )


def test_inpainting_is_measured_on_the_stored_pictures(results: Path) -> None:
    rows = {(row["image"], row["picture"]): row for row in table(results, "fig7")}
    for image, experiment in (("paper/kate", "fig7_text"), ("coffee", "fig7_missing")):
        (run,) = Store(results).read_grid(experiment, "smoke")
        values = [psnr(picture, pictures(run, "reference")[0]) for picture in pictures(run, "unperturbed")]
        row = rows[image, f"network, iteration {ITERATIONS}"]
        stored = [float(row[f"psnr_{what}"]) for what in ("mean", "min", "max")]
        assert stored == pytest.approx([np.mean(values), min(values), max(values)], rel=1e-5)
        assert float(rows[image, "biharmonic"]["psnr_mean"]) > float(rows[image, "nearest"]["psnr_mean"])


def test_missing_is_what_is_black_only_in_the_target(tmp_path: Path) -> None:
    reference, target = np.ones((3, 4, 4)), np.ones((3, 4, 4))
    reference[:, 0, 0] = target[:, 0, 0] = 0  # black and known
    target[:, 1, 1] = 0
    target[0, 2, 2] = 0  # one colour only: known
    run = Run(tmp_path)
    write_image(run.image("reference", 0), reference)
    write_image(run.image("target", 0), target)
    assert np.argwhere(missing(run)).tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("name", "names", "wanted"),
    [
        ("fig3", ["jpeg", "denoising"], "the figure shows one run, but 2 were asked for last"),
        ("fig6", ["rate-0.1"], "Figure 6 needs optimizer.lr=0.01,0.001; run `make reproduce-fig6`"),
        ("fig10", ["without"], "flash-replica0.png is not there; make the run again"),
    ],
)
def test_runs_that_do_not_make_up_the_figure_are_told_apart(
    name: str, names: list[str], wanted: str, tmp_path: Path, draw: Draw, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    for run in names:
        rate = {"name": "adam", "lr": 0.1}
        make_run(store, run, as_it_is, optimizer=rate).image("flash", 0).unlink()
    store.write_grid(name, "smoke", names)
    assert draw(name, tmp_path) == 2
    told = capsys.readouterr().err
    assert wanted in told
    assert len(told.splitlines()) == 1


def test_a_run_with_a_flash_picture_stores_it(dip: Dip, tmp_path: Path) -> None:
    flash = load_image("chelsea", None, 32, "resize")
    write_image(tmp_path / "flash.png", flash)
    words = ["task=flash_no_flash", f"task.flash={tmp_path / 'flash.png'}", "image=coffee", "fit.iterations=10"]
    assert dip(*SMALL, *words) == 0
    kept = read_image(only_run(tmp_path).image("flash", 0))
    assert (kept == read_image(tmp_path / "flash.png")).all()
