"""What the figures of the restorations show follows from the stored runs, which are made by hand here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL, Dip, assert_same_files, load_image, only_run, thorough_after
from fake_runs import CLEAN, ITERATIONS, SIDE, draw, files, make_run, part_of, rows, selection

from dip_experiments.analysis.curves import log_points
from dip_experiments.baselines import classical
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.data.reading import read_image
from dip_experiments.metrics import psnr, psnr_y_authors
from dip_experiments.store import Selection, Store, write_image

FIGURES = ["fig3", "fig4", "fig5", "fig6", "fig7", "fig10"]
NOISY = CLEAN + np.random.default_rng(1).normal(0, 25 / 255, CLEAN.shape)
KNOWN = np.broadcast_to(np.arange(SIDE) % 7 != 0, CLEAN.shape)
PICTURES = ("target", "reference", "mask", "flash", "average", "average-000020", "unperturbed", "iteration-*")


def larger(factor: int) -> dict[str, Any]:
    return {"measurement": CLEAN[:, ::factor, ::factor], "task": {"name": "super_resolution", "factor": factor}}


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Selection]]:
    """The selections of every figure."""
    folder = tmp_path_factory.mktemp("results")
    holes: dict[str, Any] = {"measurement": CLEAN * KNOWN, "known": KNOWN}
    rates = [
        make_run(folder, f"rate-{rate}", **holes, optimizer={"name": "adam", "lr": rate}) for rate in (0.1, 0.01, 0.001)
    ]
    text = make_run(folder, "text", **holes, image={"name": "paper/kate", "path": None, "size": None, "fit": "crop"})
    return {
        "fig3": [selection(folder, "fig3", make_run(folder, "jpeg"))],
        "fig4": [selection(folder, "fig4", make_run(folder, "noisy", measurement=NOISY))],
        "fig5": [selection(folder, "fig5", *(make_run(folder, f"x{n}", **larger(n)) for n in (4, 8)))],
        "fig6": [selection(folder, "fig6", *rates)],
        "fig7": [
            selection(folder, "fig7_text", text),
            selection(folder, "fig7_missing", make_run(folder, "missing", **holes)),
        ],
        "fig10": [selection(folder, "fig10", make_run(folder, "flash"))],
    }


def table(figures: dict[str, list[Selection]], name: str) -> list[dict[str, str]]:
    return rows(draw(f"figures/{name}", *figures[name]))


def statistics(row: dict[str, str], quantity: str) -> list[float]:
    return [float(row[f"{quantity}_{what}"]) for what in ("mean", "min", "max")]


@pytest.fixture
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other method can be computed, as in a clone without them."""
    for methods in (classical.DENOISERS, classical.UPSAMPLERS, classical.INPAINTERS):
        for name in list(methods):
            monkeypatch.setitem(methods, name, lambda *_: pytest.fail("computed again"))
    monkeypatch.delitem(classical.DENOISERS, "bm3d", raising=False)


@pytest.mark.parametrize("name", thorough_after(1, FIGURES))
def test_records_alone_give_the_same_files(
    name: str, figures: dict[str, list[Selection]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole = files(draw(f"figures/{name}", *figures[name]), tmp_path / "whole")
    assert all(len(content) <= 600 * 1024 for content in whole.values())
    store = Store(tmp_path)
    kept = [[store.export_record(run, "smoke", PICTURES, "all") for run in one.runs] for one in figures[name]]
    assert not any((run.folder / "measurement.npz").exists() for runs in kept for run in runs)
    for path in figures[name][0].baselines.folder.glob("*"):
        target = tmp_path / "smoke" / "records" / "baselines" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    request.getfixturevalue("without_libraries")
    records = [
        selection(tmp_path, one.experiment, *runs, origin="records")
        for one, runs in zip(figures[name], kept, strict=True)
    ]
    assert_same_files(files(draw(f"figures/{name}", *records), tmp_path / "record"), whole)
    sources = json.loads(whole["page.json"])
    assert [source["run"] for source in sources["runs"]] == [run.name for runs in kept for run in runs]


@pytest.mark.parametrize(
    ("name", "column", "quantity"),
    [("fig3", "psnr_measurement", "psnr_jpeg"), ("fig4", "psnr_reference", "psnr"), ("fig10", "loss", "loss")],
)
def test_a_drawn_curve_has_the_stored_mean_and_range(
    name: str, column: str, quantity: str, figures: dict[str, list[Selection]]
) -> None:
    values = np.stack([curve[column] for curve in figures[name][0].only.curves])
    found = [row for row in table(figures, name) if row["curve"] == "single output"]
    assert [int(row["iteration"]) for row in found] == log_points(ITERATIONS).tolist()
    for row in found:
        at = values[:, int(row["iteration"]) - 1]
        assert statistics(row, quantity) == pytest.approx([at.mean(), at.min(), at.max()], rel=1e-5)


def test_the_levels_of_the_denoisers_are_those_of_the_float_measurement(figures: dict[str, list[Selection]]) -> None:
    found = {row["curve"]: row for row in table(figures, "fig4")}
    seen = NOISY.astype(np.float32).astype(float)
    reference = read_image(figures["fig4"][0].only.image("reference", 0))
    assert float(found["noisy"]["psnr_mean"]) == pytest.approx(psnr(NOISY, CLEAN), rel=1e-5)
    assert float(found["NLM"]["psnr_mean"]) == pytest.approx(
        psnr(classical.DENOISERS["nlm"](seen, 25.0), reference), rel=1e-5
    )
    assert found["authors, 512 x 512, single output"]["iteration"] == "2950"


def test_without_bm3d_the_figure_leaves_it_out(tmp_path: Path, without_libraries: None) -> None:
    run = make_run(tmp_path, "noisy", measurement=NOISY)
    classical.DENOISERS["nlm"] = lambda noisy, _: noisy
    page = draw("figures/fig4", selection(tmp_path, "fig4", run))
    assert "BM3D" not in {row["curve"] for row in rows(page)}


def test_super_resolution_has_the_scores_in_float(figures: dict[str, list[Selection]]) -> None:
    found = {(int(row["factor"]), row["picture"]): row for row in table(figures, "fig5")}
    for run in figures["fig5"][0].runs:
        factor = run.settings["task"]["factor"]
        titles = {f"output, iteration {ITERATIONS}": "output", "average of outputs": "average"}
        for title, image in titles.items():
            values = run.scores(image, "psnr_y_authors")
            wanted = [values.mean(), values.min(), values.max()]
            assert statistics(found[factor, title], "psnr_y") == pytest.approx(wanted, rel=1e-5)
        small = CLEAN[:, ::factor, ::factor].repeat(factor, 1).repeat(factor, 2)
        reference = read_image(run.image("reference", 0))
        assert float(found[factor, "nearest"]["psnr_y_mean"]) == pytest.approx(
            psnr_y_authors(small, reference), rel=1e-4
        )


def test_inpainting_has_the_scores_in_float(figures: dict[str, list[Selection]]) -> None:
    found = {(row["image"], row["picture"]): row for row in table(figures, "fig7")}
    for image, one in zip(("paper/kate", "coffee"), figures["fig7"], strict=True):
        values = one.only.scores("unperturbed", "psnr")
        row = found[image, f"network, iteration {ITERATIONS}"]
        assert statistics(row, "psnr") == pytest.approx([values.mean(), values.min(), values.max()], rel=1e-5)
        assert float(found[image, "biharmonic"]["psnr_mean"]) > float(found[image, "nearest"]["psnr_mean"])


def test_a_hole_is_what_the_mask_says_not_what_is_black(tmp_path: Path) -> None:
    run = make_run(tmp_path, "black", measurement=np.zeros_like(CLEAN), known=KNOWN)
    shown = part_of("figures/fig6", "with_hole")(run)
    assert (shown[:, KNOWN[0]] == 0).all()
    assert (shown[:, ~KNOWN[0]] > 0.4).all()


@pytest.mark.parametrize(
    ("name", "jobs", "wanted"),
    [
        ("fig3", 2, "the figure shows one run"),
        ("fig6", 1, "Figure 6 shows 3 rates, these are 1"),
        ("fig10", 1, "flash-replica0.png is not there; make the run again"),
    ],
)
def test_runs_that_do_not_make_up_the_figure_are_distinguished(
    name: str, jobs: int, wanted: str, tmp_path: Path
) -> None:
    runs = [make_run(tmp_path, f"{n}") for n in range(jobs)]
    for run in runs:
        run.image("flash", 0).unlink()
    with pytest.raises(ValueError, match=wanted):
        draw(f"figures/{name}", selection(tmp_path, name, *runs))


@pytest.mark.thorough
def test_pictures_of_the_first_replica_that_did_not_fail_are_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path, "failed", measurement=NOISY, failed=[0])
    for path in (run.folder / "images").glob("*-replica0.png"):
        path.unlink()
    assert draw("figures/fig4", selection(tmp_path, "fig4", run)).runs == [run]


@pytest.mark.parametrize(
    "name", thorough_after(2, ["fig4", "fig7_text", "fig2", "fig3", "fig5", "fig6", "fig7_missing", "fig10"])
)
def test_every_figure_says_which_pictures_its_records_need(name: str) -> None:
    for scale in ("smoke", "laptop", "paper"):
        for config in compose_jobs([f"experiment={name}", f"scale={scale}"], multirun=True):
            settings = read_settings(config)
            pictures = settings.experiment.model_dump()["pictures"]
            assert bool(pictures) == (settings.architecture.name != "pixels")
            assert all(isinstance(pattern, str) and "$" not in pattern for pattern in pictures)


@pytest.mark.thorough
def test_a_run_with_a_flash_picture_stores_it(dip: Dip, tmp_path: Path) -> None:
    flash = load_image("chelsea", None, 32, "resize")
    write_image(tmp_path / "flash.png", flash)
    words = ["task=flash_no_flash", f"task.flash={tmp_path / 'flash.png'}", "image=coffee", "fit.iterations=10"]
    assert dip(*SMALL, *words) == 0
    kept = read_image(only_run(tmp_path).image("flash", 0))
    assert (kept == read_image(tmp_path / "flash.png")).all()
