"""The tables of speed follow from the stored runs by arithmetic that is checked here; every table can be read."""

from inspect import signature
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_runs import draw, drawings, make_bare_run, make_run, part_of, rows, selection
from scipy import stats

from dip_experiments.analysis.table import MOST_COLUMNS, WIDEST, markdown
from dip_experiments.store import Run

TABLES = [(script, name) for script, place, name in drawings() if place.startswith("tables/")]
OF_STUDIES = ("studies/", "tables/denoisers")
"""What they draw of runs is in test_studies and test_stability."""
ALONE = ("tables/fidelity", "tables/averaging", "tables/noise_estimates")
"""What they draw is in test_fidelity, test_averaging and test_noise_tables."""
PRECISION = [{"image": {"name": name}, "precision": p} for name in ("a", "b") for p in ("float32", "bf16")]


def peaked(results: Path, name: str, peaks: list[float], at: list[int] = [80, 90], **words: Any) -> Run:  # noqa: B006
    """A run of 120 iterations whose average peaks at `peaks` dB in iteration `at`."""
    summary = {
        "wall_seconds": 60.0,
        "oracle_peak": {"psnr_average": peaks, "psnr_reference": [peak - 1 for peak in peaks]},
        "oracle_iteration": {"psnr_average": at},
        "iterations_explained": [words.pop("reached", 10), 10],
    }
    return make_bare_run(results, name, seeds=[0, 1], summary=summary, **words)


def test_precisions_are_compared_seed_by_seed_with_float32(tmp_path: Path) -> None:
    plain = peaked(tmp_path, "a", [27.0, 28.0])
    lower = peaked(tmp_path, "b", [27.1, 27.8], precision="bf16")
    first, second = rows(draw("tables/precision", selection(tmp_path, "precision", plain, lower), name="draw_quality"))
    assert (first["average_minus_float32"], first["seconds_per_iteration"]) == ("+0.000", "0.5000")
    assert (second["average_minus_float32"], second["worst_seed"]) == ("-0.050", "-0.200")
    assert (second["peak_psnr_average"], second["peak_psnr_output"]) == ("27.45", "26.45")


def test_the_effect_of_precision_is_judged_over_pictures(tmp_path: Path) -> None:
    pictures = [{"name": name, "path": None} for name in ("a", "b")]
    plain = [peaked(tmp_path, f"plain {n}", [27.0, 28.0], image=image) for n, image in enumerate(pictures)]
    lower = [
        peaked(tmp_path, f"bf16 {n}", peaks, image=image, precision="bf16")
        for n, (image, peaks) in enumerate(zip(pictures, ([27.1, 27.8], [27.3, 28.2]), strict=True))
    ]
    page = draw("tables/precision", selection(tmp_path, "precision", *plain, *lower), name="draw_quality")
    half = stats.t.ppf(0.975, 1) * 0.15  # of -0.05 and +0.25
    interval = f"+0.10 dB ({0.1 - half:.2f} to +{0.1 + half:.2f}, 2 pictures)"
    words = f"bf16 less float32, mean over the pictures with its 95 % interval: {interval}."
    assert words in " ".join(str(page.shown).split())


def test_a_machine_without_bfloat16_leaves_rows_that_say_so(tmp_path: Path) -> None:
    plain = peaked(tmp_path, "a", [27.0, 28.0])
    page = draw("tables/precision", selection(tmp_path, "precision", plain, {"precision": "bf16"}), name="draw_quality")
    assert [row["seeds"] for row in rows(page)] == ["2", "not run"]
    assert "1 of 2 runs of precision" in page.message


def test_impedance_is_compared_within_each_precision(tmp_path: Path) -> None:
    runs = [
        peaked(tmp_path, f"{target}-{precision}", [1.0, 1.0], target={"name": target}, precision=precision, reached=n)
        for precision, slower in (("float32", 0), ("bf16", 10))
        for target, n in (("natural", 10), ("noisy", 30 + slower))
    ]
    page = draw("tables/precision", selection(tmp_path, "precision_fig2", *runs), name="draw_impedance")
    assert [row["ratio"] for row in rows(page)] == ["1.00", "2.00", "1.00", "2.50"]


def test_ways_to_fewer_iterations_are_timed_until_their_peak(tmp_path: Path) -> None:
    fast = {"name": "adam", "lr": 0.02, "betas": [0.9, 0.9]}
    paper = peaked(tmp_path, "a", [27.0, 28.0], [70, 90])
    others = [
        peaked(tmp_path, "b", [20.0, 20.0], [30, 34], optimizer={**fast, "name": "adam_one_cycle"}),
        peaked(tmp_path, "c", [27.1, 27.8], [30, 50], optimizer=fast),
    ]
    uniform = peaked(
        tmp_path, "d", [27.5, 28.0], [60, 68], architecture={**paper.settings["architecture"], "gamma": "uniform"}
    )
    asked = ("precision", paper), ("precision", uniform), ("acceleration", *others)
    page = draw("tables/acceleration", *(selection(tmp_path, *one) for one in asked))
    columns = ("settings", "minus_paper", "seconds", "times_fewer_iterations")
    assert [tuple(row[name] for name in columns) for row in rows(page)] == [
        ("paper", "+0.00", "40", "1.00"),
        ("paper, uniform", "+0.25", "32", "1.25"),
        ("Adam 0.02, beta2 0.9", "-0.05", "20", "2.00"),
        ("Adam 0.02, beta2 0.9, one-cycle", "-7.50", "16", "2.50"),
    ]
    gaps = (
        "interval: paper, uniform: +0.25 dB (1 picture); Adam 0.02, beta2 0.9: -0.05 dB (1 picture); Adam 0.02, beta2"
    )
    assert gaps in " ".join(str(page.shown).split())


def test_a_denoiser_is_compared_with_bm3d_picture_by_picture() -> None:
    row = part_of("tables/denoisers", "Row")
    ours, bm3d = (
        row(title, "no", 2, {name: (psnr, 0.9, 5.0, None) for name, psnr in found.items()})
        for title, found in (("DIP", {"a": 30.0, "b": 31.0}), ("BM3D", {"b": 30.5, "a": 30.4}))
    )
    half = stats.t.ppf(0.975, 1) * 0.45  # of -0.4 and +0.5
    assert ours.cells(25.0, bm3d)[3:8] == (
        "30.50", "+0.05", f"{0.05 - half:.3f}", f"{0.05 + half:.3f}", f"{0.05 - half:.2f} to +{0.05 + half:.2f}"
    )  # fmt: skip
    assert bm3d.cells(25.0, bm3d)[3:8] == ("30.45", "+0.00", "-", "-", "-")
    waiting = row("DIP", "no", 3, ours.found)
    assert waiting.cells(25.0, bm3d)[3:8] == ("30.50", "-", "-", "-", "-")
    describe_added = part_of("tables/denoisers", "describe_added")
    assert describe_added(ours, bm3d) == f"+0.05 dB ({0.05 - half:.2f} to +{0.05 + half:.2f})"
    assert describe_added(waiting, bm3d) == "not known"


def test_seeds_that_failed_are_left_out_of_a_comparison_and_counted(tmp_path: Path) -> None:
    plain = peaked(tmp_path, "a", [27.0, 28.0])
    summary = {**plain.summary, "oracle_peak": {"psnr_average": [None, 29.0], "psnr_reference": [None, 27.0]}}
    summary |= {"failed": [{"replica": 0, "seed": 0, "iteration": 3}], "lost_iterations": [100, 50]}
    lower = make_run(tmp_path, "b", seeds=[0, 1], summary=summary, precision="bf16")
    page = draw("tables/precision", selection(tmp_path, "precision", plain, lower), name="draw_quality")
    row = rows(page)[1]
    assert (row["seeds"], row["average_minus_float32"], row["peak_psnr_average"]) == ("1 (1 failed)", "+1.000", "29.00")
    assert "Iterations lost to the guard: 150 of 480." in " ".join(str(page.shown).split())


@pytest.mark.parametrize(
    ("script", "name", "ran"),
    [
        (*table, ran)
        for table in TABLES
        for ran in (False, True)
        if table[0] not in ALONE and not (ran and table[0].startswith(OF_STUDIES))
    ],
)
def test_a_table_for_reading_has_few_columns_and_fits_a_page(script: str, name: str, ran: bool, tmp_path: Path) -> None:
    given = [one for one in signature(part_of(script, name)).parameters.values() if one.default is one.empty]
    job: Any = peaked(tmp_path, "a", [27.0, 28.0]) if ran and len(given) == 1 else {}
    page = draw(script, *(selection(tmp_path, "any", *([job] if ran else [])) for _ in given), name=name)
    lines = [line for line in str(page.shown).splitlines() if line.startswith("|")]
    assert lines or page.numbers.columns.empty
    assert {len(line.split("|")) - 2 for line in lines} <= set(range(1, MOST_COLUMNS + 1))
    assert max(len(line) for line in str(page.shown).splitlines()[1:]) <= 120
    assert all(len(line) <= WIDEST for line in lines)


def test_numbers_stand_right_and_words_left() -> None:
    text = markdown(pd.DataFrame({"image": ["a", "long name"], "ours": ["27.45", "not run"]}))
    assert text.splitlines() == [
        "| image     |    ours |",
        "| --------- | ------: |",
        "| a         |   27.45 |",
        "| long name | not run |",
    ]


def test_a_table_that_is_too_wide_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="too wide to read"):
        markdown(pd.DataFrame({f"column {n}": ["1"] for n in range(MOST_COLUMNS + 1)}))
    with pytest.raises(ValueError, match="too wide to read"):
        markdown(pd.DataFrame({"text": ["x" * WIDEST]}))
