"""The tables of speed follow from the stored runs by arithmetic that is checked here."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_figures import script

from dip_experiments.store import Store, write_columns, write_json


def finished(results: Path, name: str, words: dict[str, Any], peaks: list[float], at: list[int], seconds: float) -> str:
    """A finished run of 100 iterations whose average peaks at `peaks` dB in iteration `at`."""
    run = Store(results).run(name)
    steps = np.arange(1, 101)
    columns = {"replica": np.repeat(np.arange(2), 100), "iteration": np.tile(steps, 2)}
    loss = [np.where(steps >= words.get("reaches", 10) + seed, 0.008, 0.09) for seed in range(2)]
    write_columns(run.folder / "curves.csv", {**columns, "loss": np.concatenate(loss)})
    write_json(run.folder / "settings.json", words)
    write_json(run.folder / "provenance.json", {"seeds": [0, 1], "command": ["dip"], "device": "cpu"})
    summary = {
        "iterations": 100,
        "wall_seconds": seconds,
        "target_variance": [0.09, 0.09],
        "guard": [],
        "oracle_peak": {"psnr_average": peaks, "psnr_reference": [peak - 1 for peak in peaks]},
        "oracle_iteration": {"psnr_average": at},
    }
    write_json(run.folder / "summary.json", summary)
    return run.name


def denoising(precision: str = "float32", **more: Any) -> dict[str, Any]:
    adam = {"name": "adam", "lr": 0.01, "betas": [0.9, 0.999]}
    return {
        "image": {"name": "astronaut"},
        "target": {"name": "noisy"},
        "precision": precision,
        "optimizer": adam,
        **more,
    }


def rows_of(results: Path, name: str) -> list[dict[str, str]]:
    with (results / "smoke" / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_precisions_are_compared_seed_by_seed_with_float32(tmp_path: Path) -> None:
    plain = finished(tmp_path, "a", denoising(), [27.0, 28.0], [80, 90], 50.0)
    lower = finished(tmp_path, "b", denoising("bf16"), [27.1, 27.8], [80, 90], 25.0)
    Store(tmp_path).write_grid("precision", "smoke", [plain, lower])
    grid = [
        finished(tmp_path, f"{target}-{precision}", words | {"reaches": reaches}, [27.0, 27.0], [80, 80], 10.0)
        for precision in ("float32", "bf16")
        for target, reaches in (("natural", 10), ("noisy", 21))
        for words in [denoising(precision) | {"target": {"name": target}}]
    ]
    Store(tmp_path).write_grid("precision_fig2", "smoke", grid)
    answer = script("table_precision.py", tmp_path)
    assert answer.returncode == 0, answer.stderr
    first, second = rows_of(tmp_path, "precision")
    assert (first["average_minus_float32"], first["seconds_per_iteration"]) == ("+0.000", "0.5000")
    assert (second["average_minus_float32"], second["worst_seed"]) == ("-0.050", "-0.200")
    assert (second["peak_psnr_average"], second["peak_psnr_output"]) == ("27.45", "26.45")
    ratios = [(row["target"], row["precision"], row["ratio"]) for row in rows_of(tmp_path, "precision_fig2")]
    assert ratios[1] == ("noisy", "float32", "2.05")
    assert ratios[3] == ("noisy", "bf16", "2.05")


def test_ways_to_fewer_iterations_are_timed_until_their_peak(tmp_path: Path) -> None:
    fast = {"name": "adam", "lr": 0.02, "betas": [0.9, 0.9]}
    cycle = {**fast, "name": "adam_one_cycle"}
    runs = {
        "acceleration_base": [finished(tmp_path, "a", denoising(), [27.0, 28.0], [70, 90], 50.0)],
        "acceleration": [
            finished(tmp_path, "b", denoising(optimizer=fast), [27.1, 27.8], [30, 50], 50.0),
            finished(tmp_path, "c", denoising(optimizer=cycle), [20.0, 20.0], [30, 34], 50.0),
        ],
        "acceleration_tried": [
            finished(tmp_path, "d", denoising(optimizer=fast, tried="coarse start"), [27.5, 27.5], [20, 20], 50.0)
        ],
    }
    for name, names in runs.items():
        Store(tmp_path).write_grid(name, "smoke", names)
    answer = script("table_acceleration.py", tmp_path)
    assert answer.returncode == 0, answer.stderr
    rows = rows_of(tmp_path, "acceleration")
    assert [(row["settings"], row["minus_paper"], row["seconds"], row["times_faster"]) for row in rows] == [
        ("paper", "+0.00", "40", "1.00"),
        ("Adam 0.02, beta2 0.9", "-0.05", "20", "2.00"),
        ("Adam 0.02, beta2 0.9 + coarse start", "+0.00", "10", "4.00"),
        ("Adam 0.02, beta2 0.9 + one-cycle rate", "-7.50", "16", "2.50"),
    ]


@pytest.mark.parametrize("name", ["table_precision.py", "table_acceleration.py"])
def test_a_table_without_its_runs_says_so(name: str, tmp_path: Path) -> None:
    answer = script(name, tmp_path)
    assert answer.returncode == 2
    assert "no runs" in answer.stderr
    assert len(answer.stderr.splitlines()) <= 3
