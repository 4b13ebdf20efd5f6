"""What the studies' tables say is what their runs have."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import composed
from fake_runs import CLEAN, draw, files, make_run, part_of, rows, selection
from scipy import stats

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.config.settings import read_settings
from dip_experiments.store import Run, Store, write_image, write_json

SEEDS = (3, 4)


def stops(rule: str, at: list[int | None], joint: int | None, final: bool = True) -> dict[str, Any]:
    return {rule: {"iteration": at, "final": [final] * len(at), "joint": joint, "joint_final": final, "facts": {}}}


def scored(rule: str, output: list[float | None], average: list[float | None], mean: float) -> dict[str, Any]:
    kinds = {"output": output, "average": average, "mean": [mean]}
    return {f"stop-{rule}-{kind}": {"psnr": values, "ssim": values} for kind, values in kinds.items()}


KINDS: dict[str, dict[str, Any]] = {"plain": {"discrepancy": {}}, "split": {"split": {"patience": 20}}}
Peaks = Sequence[float]


def fitted(
    folder: Path,
    kind: str,
    *,
    image: str = "cset9/f16",
    noise: str = "gaussian25",
    draw: int = 0,
    peaks: Peaks = (30.0, 31.0),
    stops_at: Peaks = (29.9, 30.98),
    failed: Sequence[int] = (),
) -> Run:
    """A fit of one kind, with its averages' peaks and its rule's PSNR; the mean of the replicas lies 1 dB higher."""
    (rule,) = KINDS[kind]
    found = stops("split", [65, 85], 88) if rule == "split" else stops("discrepancy", [None, 40], None, final=False)
    average = list(stops_at) if rule == "split" else [None, stops_at[1]]
    peak = {"psnr_reference": [peak - 2 for peak in peaks], "psnr_average": list(peaks)}
    peak["psnr_mean"] = [max(peaks) + 1] * 2
    at = {"psnr_reference": [50, 60], "psnr_average": [70, 80], "psnr_mean": [90, 90]}
    final = {name: [value - 0.5 for value in values] for name, values in peak.items()}
    summary = {"oracle_peak": peak, "oracle_iteration": at, "final": final, "stopping": found, "ended_by": None}
    summary["scores"] = scored(rule, [value and value - 2 for value in average], average, max(stops_at) + 1)
    return make_run(
        folder, f"{kind}-{image.replace('/', '-')}-{noise}-{draw}", summary=summary, failed=failed,
        seeds=[10 * draw + seed for seed in SEEDS], shared=["task"],
        experiment={"name": "study_stopping", "kind": kind, "noise": noise, "draw": draw},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
        task={"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0}},
        observe=KINDS[kind],
    )  # fmt: skip


def stopping_page(folder: Path, *runs: Run) -> Artifact:
    return draw(
        "studies/stopping",
        selection(folder, "study_stopping", *runs),
        name="draw_table",
    )


def line_of(page: Artifact, *first: str) -> list[str]:
    """The cells of a table's line that begins with these."""
    lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in str(page.shown).splitlines() if "|" in line)
    (found,) = (line for line in lines if line[: len(first)] == list(first))
    return found


def test_the_stopping_table_has_each_rules_gap_to_the_oracle_of_the_plain_fit_of_the_same_seed(tmp_path: Path) -> None:
    plain, split = fitted(tmp_path, "plain"), fitted(tmp_path, "split", peaks=[29.95, 30.99])
    table = rows(stopping_page(tmp_path, plain, split))
    assert len(table) == 2 * (2 + 2 + 1)
    found = {(row["rule"], row["seed"], row["output"]): row for row in table}
    single = found["split", "3", "average"]
    assert (single["oracle"], single["psnr"]) == ("30.0000", "29.9000")
    assert (single["gap"], single["fit_cost"]) == ("0.1000", "0.0500")
    assert (single["iterations_spent"], single["oracle_iteration"]) == ("85", "70")
    assert (found["split", "4", "output"]["gap"], found["split", "4", "output"]["fit_cost"]) == ("0.0200", "0.0100")
    together = found["split", "all", "mean"]
    assert (together["gap"], together["fit_cost"], together["stop_iteration"]) == ("0.0200", "0.0100", "88")
    assert {row["fit_cost"] for row in table if row["rule"] == "discrepancy"} == {"0.0000"}
    # Where no stop is found, one is left with the last image, and with all iterations.
    assert found["discrepancy", "3", "average"]["gap"] == "0.5000"
    assert found["discrepancy", "3", "average"]["stop_iteration"] == ""
    assert found["discrepancy", "3", "average"]["iterations_spent"] == str(plain.summary["iterations"])


def test_the_stopping_table_leaves_out_what_a_rule_of_an_older_epoch_found_and_says_so(tmp_path: Path) -> None:
    older, newer = (fitted(tmp_path, "plain", image=image) for image in ("camera", "coffee"))
    write_json(older.folder / "provenance.json", {**older.provenance, "epochs": {"discrepancy": 0}})
    for runs, said in (((Store(tmp_path).run(older.name), newer), True), ((newer,), False)):
        page = stopping_page(tmp_path, *runs)
        assert ("`discrepancy` is of 1 of the 2 fits" in " ".join(str(page.shown).split())) == said
        assert {row["image"] for row in rows(page) if row["rule"] == "discrepancy"} == {"coffee"}


def test_the_stopping_table_says_how_many_fits_of_each_kind_still_rise_at_their_end(tmp_path: Path) -> None:
    plain, split = fitted(tmp_path, "plain"), fitted(tmp_path, "split")
    assert "still rises" not in str(stopping_page(tmp_path, plain, split).shown)
    for run, at in ((plain, [50, 120]), (split, [118, 119])):
        peaks_at = run.summary["oracle_iteration"] | {"psnr_average": at}
        write_json(run.folder / "summary.json", run.summary | {"iterations": 120, "oracle_iteration": peaks_at})
    shown = str(stopping_page(tmp_path, Run(plain.folder), Run(split.folder)).shown)
    assert "still rises at the last iteration of 1 of the 2 plain, 2 of the 2 split fits" in " ".join(shown.split())


def test_a_fit_is_compared_with_the_plain_one_of_its_own_picture_noise_and_draw_alone(tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [{"image": "camera"}, {"noise": "gaussian50"}, {"draw": 1}]
    plain = [fitted(tmp_path, "plain", peaks=[20.0, 20.0], **other) for other in others]
    assert {row["rule"] for row in rows(stopping_page(tmp_path, *plain, fitted(tmp_path, "split")))} == {"discrepancy"}
    table = rows(stopping_page(tmp_path, *plain, fitted(tmp_path, "split"), fitted(tmp_path, "plain")))
    assert {row["oracle"] for row in table if row["rule"] == "split"} == {
        "30.0000",
        "31.0000",
        "28.0000",
        "29.0000",
        "32.0000",
    }
    lost = fitted(tmp_path, "plain", failed=[0])
    table = rows(stopping_page(tmp_path, fitted(tmp_path, "split"), lost))
    assert [row["seed"] for row in table if row["rule"] == "split"] == ["4", "4", "all"]


def test_intervals_of_stopping_take_a_picture_as_one_observation(tmp_path: Path) -> None:
    runs = []
    for image, gap in (("cset9/f16", 0.1), ("camera", 0.2), ("coffee", 0.3)):
        for number in (0, 1):
            away = gap + (0.05 if number else -0.05)
            runs.append(fitted(tmp_path, "plain", image=image, draw=number, peaks=[30.0, 30.0]))
            stop = [30.0 - away] * 2
            runs.append(fitted(tmp_path, "split", image=image, draw=number, peaks=[29.9, 29.9], stops_at=stop))
    page = stopping_page(tmp_path, *runs)
    half = stats.t.ppf(0.975, 2) * 0.1 / 3**0.5
    assert f"{half:.2f}" == "0.25"
    assert line_of(page, "sigma 25", "split")[2:] == [
        "0.20 +- 0.25", "0.20", "0.35", "0.20 +- 0.25", "0.10 +- 0.00", "100 %",
    ]  # fmt: skip
    assert "sigma 25, 6 draws of 3 pictures" in " ".join(str(page.shown).split())
    assert line_of(page, "sigma 25", "fixed")[2] == "not run"
    assert line_of(page, "sigma 25", "discrepancy")[6] == "-"  # it changes nothing of the fit


def chosen(folder: Path, setting: str, estimate: float, psnr: float, image: str = "coffee", number: int = 0) -> Run:
    stopping = stops("split", [9, 9], 9)
    stopping["split"]["estimate"] = {"mse": estimate, "mse_se": 0.1}
    summary = {"stopping": stopping, "ended_by": "split", "scores": scored("split", [1.0], [1.0], psnr)}
    return make_run(
        folder, f"{setting}-{image}-{number}", summary=summary, shared=["task"],
        experiment={"name": "study_selection", "setting": setting, "draw": number},
        image={"name": image, "path": None, "size": 64, "fit": "crop"},
    )  # fmt: skip


def test_the_split_chooses_by_its_estimate_and_the_oracle_by_the_clean_picture(tmp_path: Path) -> None:
    runs = [
        chosen(tmp_path, "default", 0.003, 29.0),
        chosen(tmp_path, "low_rate", 0.001, 29.5),
        chosen(tmp_path, "half_width", 0.002, 29.75),
    ]
    (row,) = rows(draw("studies/selection", selection(tmp_path, "study_selection", *runs)))
    assert (row["default"], row["chosen"], row["best"], row["loss"]) == ("29.00", "low_rate", "half_width", "0.25")
    waiting = {"experiment": {"name": "study_selection", "setting": "high_rate", "draw": 0}}
    (row,) = rows(draw("studies/selection", selection(tmp_path, "study_selection", *runs, waiting)))
    assert (row["default"], row["fits"]) == ("not run", "3 of 4")


def test_what_the_choice_loses_is_set_against_one_setting_for_all_pictures_by_draw(tmp_path: Path) -> None:
    runs = []
    for image, number, best in (("coffee", 0, 30.0), ("coffee", 1, 32.0), ("camera", 0, 31.0)):
        runs.append(chosen(tmp_path, "default", 0.1, best - 0.1 * (number + 1), image, number))
        runs.append(chosen(tmp_path, "low_rate", 0.2 if image == "coffee" else 0.0, best, image, number))
    page = draw("studies/selection", selection(tmp_path, "study_selection", *runs))
    assert [row["loss"] for row in rows(page)] == ["0.10", "0.20", "0.00"]
    half = stats.t.ppf(0.975, 1) * 0.15 / 2
    lost = (
        f"0.08 +- {half:.2f} by the split, which chose as the oracle 1 of 3 times; by the same setting for all pictures"
    )
    told = " ".join(str(page.shown).split())
    assert lost in told
    assert "(default), 0.00 +- 0.00 (low_rate)." in told


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
    table = rows(draw("tables/denoisers", selection(tmp_path, "denoisers", *runs), none))
    found = {row["method"]: row for row in table if row["sigma"] == "25"}
    assert (found["DIP, mixed"]["psnr"], found["DIP"]["psnr"], found["DIP, one replica"]["psnr"]) == (
        "30.50", "30.00", "29.50",
    )  # fmt: skip
    assert found["DIP, mixed"]["pictures"] == "2 of 2"
    assert (found["DIP, mixed"]["seconds"], found["DIP, mixed"]["iterations"]) == ("50.0", "400")
    assert (found["NLM"]["iterations"], found["NLM"]["knows_sigma"], found["DIP"]["knows_sigma"]) == ("-", "yes", "no")
    assert found["NLM"]["pictures"] == "2 of 2"
    assert (found["ZS-N2N"]["psnr"], found["deep decoder"]["psnr"]) == ("not run", "not run")
    if found["BM3D"]["psnr"] != "not run":
        gap = float(found["DIP, mixed"]["psnr"]) - float(found["BM3D"]["psnr"])
        assert float(found["DIP, mixed"]["psnr_gap"]) == pytest.approx(gap, abs=0.011)
        waiting = {"experiment": {"name": "denoisers", "noise": "authors25"}, "image": {"name": "cset9/house"}}
        table = rows(draw("tables/denoisers", selection(tmp_path, "denoisers", *runs, waiting), none))
        assert {row["psnr_gap"] for row in table} == {"-"}


def test_a_restored_picture_stands_next_to_the_noisy_one_and_other_methods(tmp_path: Path) -> None:
    run = restored(tmp_path, "one", "cset9/f16", 30.0)
    write_image(run.image("stop-split-mixed", 0), CLEAN)
    page = draw("figures/restored", selection(tmp_path, "restored", run))
    found = {row["picture"]: row["psnr_mean"] for row in rows(page)}
    assert found["dip restore"] == "30"
    assert float(found["NLM"]) > float(found["noisy"]) + 3
    assert set(files(page, tmp_path / "drawn")) == {f"page.{ending}" for ending in ("csv", "json", "pdf", "png")}


def test_a_cameras_picture_stands_next_to_methods_that_are_given_the_noise_of_other_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = restored(tmp_path, "one", "coffee", 30.0)
    write_image(run.image("stop-split-mixed", 0), CLEAN)
    names = part_of("figures/restored_camera", "draw").__globals__
    (job,) = composed(("experiment=restored_camera", "scale=smoke", "image=coffee", "experiment.noise=white"), True)
    level = names["noise_level"](SimpleNamespace(settings=read_settings(job).to_dict()))
    assert level == pytest.approx(25.0, rel=0.02)
    monkeypatch.setitem(names, "noise_level", lambda run: level)
    page = names["draw"](selection(tmp_path, "restored_camera", run))
    found = {row["picture"]: row["psnr_mean"] for row in rows(page)}
    assert found["restore"] == "30"
    assert float(found["LIChI, sigma given"]) > float(found["as taken"]) + 3
