"""What is drawn follows from the stored runs by arithmetic that is checked here."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_same_files

from dip_experiments.metrics import channel_variance, iterations_to_explain
from dip_experiments.store import Store, write_columns, write_json

ROOT = Path(__file__).parents[1]
HALVING = {"natural": 10, "noisy": 12, "shuffled": 40, "noise": None}
"""Iteration at which a made-up curve reaches 90 %, plus the seed."""


def test_ninety_percent_is_reached_at_the_first_iteration_with_a_tenth_of_the_variance_left() -> None:
    assert iterations_to_explain(np.array([1.0, 0.5, 0.099, 0.05]), 1.0, 0.9) == 3
    assert iterations_to_explain(np.array([1.0, 0.5]), 1.0, 0.9) is None


def test_the_variance_of_an_image_is_that_of_its_channels_about_their_own_means() -> None:
    image = np.stack([np.zeros((4, 4)), np.ones((4, 4)), np.tile([0.0, 1.0], (4, 2))])
    assert channel_variance(image) == pytest.approx(0.25 / 3)


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """Finished runs of Figure 2 with curves that are steps, so that every number of the table is known."""
    store, names = Store(tmp_path), []
    for architecture in ("skip", "pixels"):
        for target, reached in HALVING.items():
            run = store.run(f"{architecture}-{target}")
            names.append(run.name)
            steps = np.arange(1, 61)
            at = 30 if architecture == "pixels" else reached
            curves = [np.where(steps >= (at or 1000) + seed, 0.008, 0.09) for seed in range(3)]
            columns = {
                "replica": np.repeat(np.arange(3), 60),
                "iteration": np.tile(steps, 3),
                "loss": np.concatenate(curves),
            }
            write_columns(run.folder / "curves.csv", columns)
            words = {"name": target, **({"sigma": 25.0} if target == "noisy" else {})}
            write_json(
                run.folder / "settings.json",
                {
                    "target": words,
                    "architecture": {"name": architecture},
                    "image": {"name": "astronaut", "size": 64},
                    "scale": {"name": "smoke", "width": 8},
                    "optimizer": {"lr": 0.01},
                },
            )
            write_json(run.folder / "provenance.json", {"seeds": [0, 1, 2], "command": ["dip"], "device": "cpu"})
            summary = {"iterations": 60, "wall_seconds": 30.0, "target_variance": [0.09] * 3, "guard": []}
            write_json(run.folder / "summary.json", summary)
    store.write_grid("fig2", "smoke", names)
    return tmp_path


def script(name: str, results: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(ROOT / "scripts" / name), "--scale", "smoke", "--results", str(results)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=results)


def test_the_impedance_table_has_medians_ranges_and_ratios_over_the_seeds(made_up: Path) -> None:
    answer = script("table_impedance.py", made_up)
    assert answer.returncode == 0, answer.stderr
    with (made_up / "smoke" / "tables" / "impedance.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == [
        "architecture",
        "target",
        "seeds",
        "iterations90_median",
        "iterations90_min",
        "iterations90_max",
        "impedance_ratio",
    ]
    assert rows[1:5] == [
        ["skip", "natural", "3", "11", "10", "12", "1.00"],
        ["skip", "noisy", "3", "13", "12", "14", "1.18"],
        ["skip", "shuffled", "3", "41", "40", "42", "3.73"],
        ["skip", "noise", "3", ">60", ">60", ">60", ">5.45"],
    ]
    assert {row[6] for row in rows[5:]} == {"1.00"}
    sources = json.loads((made_up / "smoke" / "tables" / "impedance.json").read_text())
    assert sources["minutes_of_fitting"] == 4.0
    assert len((made_up / "smoke" / "tables" / "impedance.md").read_text().splitlines()) == 10


def test_a_figure_without_its_runs_names_the_command_that_makes_them(tmp_path: Path) -> None:
    answer = script("figure_fig2.py", tmp_path)
    assert answer.returncode == 2
    assert "dip -m experiment=fig2 scale=smoke" in answer.stderr
    assert len(answer.stderr.splitlines()) <= 3
    assert not (tmp_path / "smoke").exists()


def test_a_figure_with_an_unfinished_run_says_how_many_are_missing(made_up: Path) -> None:
    (made_up / "runs" / "skip-noise" / "summary.json").unlink()
    answer = script("figure_fig2.py", made_up)
    assert answer.returncode == 2
    assert "1 of 8 runs are not finished" in answer.stderr


def test_the_same_runs_give_the_same_figure(dip: Callable[..., int], tmp_path: Path) -> None:
    words = ["experiment=fig2", "hydra/launcher=basic", "scale=smoke", "logger=none", "fit.iterations=10"]
    assert dip(*words) == 0
    seen = []
    for _ in range(2):
        answer = script("figure_fig2.py", tmp_path / "results")
        assert answer.returncode == 0, answer.stderr
        figures = tmp_path / "results" / "smoke" / "figures"
        seen.append({path.name: path.read_bytes() for path in figures.iterdir()})
        assert set(seen[-1]) == {"fig2.png", "fig2.pdf", "fig2.csv", "fig2.json"}
        for path in figures.iterdir():
            path.unlink()
    assert_same_files(*seen)
