"""What the studies' tables say is what their runs have."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studio import CLEAN, draw, files, make_run, part_of, rows, selection

from dip_experiments.store import Run, Store, write_image, write_json

SEEDS = (3, 4)


def stops(rule: str, at: list[int | None], joint: int | None, final: bool = True) -> dict[str, Any]:
    return {rule: {"iteration": at, "final": [final] * len(at), "joint": joint, "joint_final": final, "facts": {}}}


def scored(rule: str, output: list[float | None], average: list[float | None], mean: float) -> dict[str, Any]:
    kinds = {"output": output, "average": average, "mean": [mean]}
    return {f"stop-{rule}-{kind}": {"psnr": values, "ssim": values} for kind, values in kinds.items()}


def watched(folder: Path, name: str, noise: str, image: str = "cset9/f16") -> Run:
    peak = {"psnr_reference": [29.0, 28.0], "psnr_average": [30.0, 31.0], "psnr_mean": [31.5, 31.5]}
    at = {"psnr_reference": [50, 60], "psnr_average": [70, 80], "psnr_mean": [90, 90]}
    found = stops("split", [65, 85], 88) | stops("discrepancy", [None, 40], None, final=False)
    scores = scored("split", [28.5, 27.9], [29.9, 30.98], 31.4) | scored(
        "discrepancy", [None, 27.0], [None, 29.0], 30.0
    )
    final = {"psnr_reference": [27.0, 26.0], "psnr_average": [29.5, 30.0], "psnr_mean": [31.0, 31.0]}
    summary = {"oracle_peak": peak, "oracle_iteration": at, "final": final, "scores": scores}
    summary |= {"stopping": found, "ended_by": None}
    return make_run(
        folder, name, summary=summary,
        experiment={"name": "study_stopping", "noise": noise},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
        task={"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0}},
        observe={"split": {"patience": 20}, "discrepancy": {}},
    )  # fmt: skip


def test_the_stopping_table_has_each_fits_gap_to_the_oracle(tmp_path: Path) -> None:
    run = watched(tmp_path, "one", "gaussian25")
    table = rows(
        draw("table_stopping", selection(tmp_path, "study_stopping", run), selection(tmp_path, "study_noises"))
    )
    assert len(table) == 2 * (2 + 2 + 1)
    found = {(row["rule"], row["seed"], row["output"]): row for row in table}
    assert found["split", "3", "average"]["gap"] == "0.1000"
    assert found["split", "4", "output"]["gap"] == "0.1000"
    assert found["split", "all", "mean"]["gap"] == "0.1000"
    assert found["split", "3", "average"]["iterations_spent"] == "85"
    assert found["split", "3", "average"]["oracle_iteration"] == "70"
    assert found["split", "all", "mean"]["stop_iteration"] == "88"
    # Where no stop is found, one is left with the last image, and with all iterations.
    assert found["discrepancy", "3", "average"]["gap"] == "0.5000"
    assert found["discrepancy", "3", "average"]["stop_iteration"] == ""
    assert found["discrepancy", "3", "average"]["iterations_spent"] == str(run.summary["iterations"])


def test_the_stopping_table_leaves_out_what_a_rule_of_an_older_epoch_found_and_says_so(tmp_path: Path) -> None:
    older, newer = (watched(tmp_path, name, "gaussian25", name) for name in ("older", "newer"))
    write_json(older.folder / "provenance.json", {**older.provenance, "epochs": {"discrepancy": 1, "split": 9}})
    others = selection(tmp_path, "study_noises")
    for runs, said in (((Store(tmp_path).run(older.name), newer), True), ((newer,), False)):
        page = draw("table_stopping", selection(tmp_path, "study_stopping", *runs), others)
        assert ("`discrepancy` is of 1 of the 2 fits" in " ".join(str(page.shown).split())) == said
        of = {rule: {row["image"] for row in rows(page) if row["rule"] == rule} for rule in ("split", "discrepancy")}
        assert of == {"split": {run.settings["image"]["name"] for run in runs}, "discrepancy": {"newer"}}


def test_noise_that_rules_do_not_expect_is_told_apart(tmp_path: Path) -> None:
    runs = [watched(tmp_path, "one", "gaussian25"), watched(tmp_path, "two", "blurred25", "camera")]
    studies = selection(tmp_path, "study_stopping", runs[0]), selection(tmp_path, "study_noises", runs[1])
    shown = draw("table_stopping", *studies).shown
    lines = {
        tuple(cell.strip() for cell in line.split("|")[1:4]): line for line in str(shown).splitlines() if "|" in line
    }
    assert "0.060" in lines["split", "law of the noise", "as expected"]  # the median of 0.1 and 0.02
    assert "not run" in lines["split", "law of the noise", "clipped"]
    assert "0.060" in lines["split", "law of the noise", "shared by neighbours"]


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
    mean_error = part_of("table_stability", "mean_error")
    for count in (1, 2, 3, 4):
        some = [
            np.square(images[list(pick)].mean(0) - CLEAN).mean() for pick in itertools.combinations(range(4), count)
        ]
        assert mean_error(run, count)[0] == pytest.approx(np.mean(some), rel=1e-6)


def test_the_plateau_is_as_long_as_the_curve_is_near_its_best() -> None:
    curve = part_of("table_stability", "Curve")
    values = -np.abs(np.linspace(-8, 8, 201))[None]  # within 0.2 of the best at 5 of 201 points
    assert part_of("table_stability", "plateau")(curve(np.arange(1, 202), values)).tolist() == [5.0]


def chosen(folder: Path, name: str, setting: str, estimate: float, psnr: float) -> Run:
    stopping = stops("split", [9, 9], 9)
    stopping["split"]["estimate"] = {"mse": estimate, "mse_se": 0.1}
    summary = {"stopping": stopping, "ended_by": "split", "scores": scored("split", [1.0], [1.0], psnr)}
    return make_run(folder, name, summary=summary, experiment={"name": "study_selection", "setting": setting})


def test_the_split_chooses_by_its_estimate_and_the_oracle_by_the_clean_picture(tmp_path: Path) -> None:
    runs = [
        chosen(tmp_path, "a", "default", 0.003, 29.0),
        chosen(tmp_path, "b", "low_rate", 0.001, 29.5),
        chosen(tmp_path, "c", "half_width", 0.002, 29.75),
    ]
    (row,) = rows(draw("table_selection", selection(tmp_path, "study_selection", *runs)))
    assert (row["default"], row["chosen"], row["best"], row["loss"]) == ("29.00", "low_rate", "half_width", "0.25")
    waiting = {"experiment": {"name": "study_selection", "setting": "high_rate"}}
    (row,) = rows(draw("table_selection", selection(tmp_path, "study_selection", *runs, waiting)))
    assert (row["default"], row["fits"]) == ("not run", "3 of 4")


def restored(folder: Path, name: str, image: str, psnr: float) -> Run:
    scores = {f"stop-split-{kind}": {"psnr": [psnr + more], "ssim": [0.9]} for kind, more in
              (("mixed", 0.0), ("mean", -0.5), ("average", -1.0))}  # fmt: skip
    scores["measurement"] = {"psnr": [20.0, 20.0], "ssim": [0.4, 0.4]}
    return make_run(
        folder, name, summary={"scores": scores, "wall_seconds": 50.0, "iterations": 400},
        measurement=CLEAN + np.random.default_rng(len(name)).normal(0, 0.1, CLEAN.shape),
        experiment={"name": "denoisers", "noise": "authors25"},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


def test_denoisers_are_compared_on_all_pictures_and_only_then_with_bm3d(tmp_path: Path) -> None:
    runs = [restored(tmp_path, "one", "cset9/f16", 30.0), restored(tmp_path, "three", "cset9/lena", 31.0)]
    none = selection(tmp_path, "denoisers_decoder")
    uniform = selection(tmp_path, "denoisers", *(restored(tmp_path, name, name, 30.2) for name in ("u", "v")))
    table = rows(draw("table_denoisers", selection(tmp_path, "denoisers", *runs), uniform, none))
    found = {row["method"]: row for row in table if row["sigma"] == "25"}
    assert (found["DIP, mixed"]["psnr"], found["DIP"]["psnr"], found["DIP, one replica"]["psnr"]) == (
        "30.50", "30.00", "29.50",
    )  # fmt: skip
    assert (found["DIP, mixed"]["pictures"], found["DIP, mixed, uniform"]["psnr"]) == ("2 of 2", "30.20")
    assert (found["DIP, mixed"]["seconds"], found["DIP, mixed"]["iterations"]) == ("50.0", "400")
    assert (found["NLM"]["iterations"], found["NLM"]["knows_sigma"], found["DIP"]["knows_sigma"]) == ("-", "yes", "no")
    assert found["NLM"]["pictures"] == "2 of 2"
    assert (found["ZS-N2N"]["psnr"], found["deep decoder"]["psnr"]) == ("not run", "not run")
    if found["BM3D"]["psnr"] != "not run":
        gap = float(found["DIP, mixed"]["psnr"]) - float(found["BM3D"]["psnr"])
        assert float(found["DIP, mixed"]["psnr_gap"]) == pytest.approx(gap, abs=0.011)
        waiting = {"experiment": {"name": "denoisers", "noise": "authors25"}, "image": {"name": "cset9/house"}}
        table = rows(draw("table_denoisers", selection(tmp_path, "denoisers", *runs, waiting), none, none))
        assert {row["psnr_gap"] for row in table} == {"-"}


def test_a_restored_picture_stands_beside_the_noisy_one_and_other_methods(tmp_path: Path) -> None:
    run = restored(tmp_path, "one", "cset9/f16", 30.0)
    write_image(run.image("stop-split-mixed", 0), CLEAN)
    page = draw("figure_restored", selection(tmp_path, "restored", run))
    found = {row["picture"]: row["psnr_mean"] for row in rows(page)}
    assert found["restore_noisy"] == "30"
    assert float(found["NLM"]) > float(found["noisy"]) + 3
    assert set(files(page, tmp_path / "drawn")) == {f"page.{ending}" for ending in ("csv", "json", "pdf", "png")}
