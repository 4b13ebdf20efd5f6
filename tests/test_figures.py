"""Figure 2 and the drawing of curves follow from the stored runs by arithmetic that is checked here."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_same_files
from fake_runs import SIDE, draw, files, make_run, rows, selection

from dip_experiments.analysis.artifact import sources
from dip_experiments.analysis.curves import curve_of, log_points, value_at
from dip_experiments.analysis.labels import format_lost_iterations, format_network, format_seeds, format_size
from dip_experiments.analysis.style import label_points, sheet
from dip_experiments.config.compose import compose_jobs
from dip_experiments.data.reading import read_image
from dip_experiments.metrics import channel_variance, curve_points, iterations_to_explain
from dip_experiments.store import Selection, Store, write_image

HALVING = {"natural": 10, "noisy": 12, "shuffled": 40, "noise": None}
"""Iteration at which a made-up curve reaches 90 %, plus the seed."""
PICTURES = ["target", "iteration-000010", "iteration-000030"]


def test_ninety_percent_is_reached_at_the_first_iteration_with_a_tenth_of_the_variance_left() -> None:
    assert iterations_to_explain(np.array([1.0, 0.5, 0.099, 0.05]), 1.0, 0.9) == 3
    assert iterations_to_explain(np.array([1.0, 0.5]), 1.0, 0.9) is None


def test_the_variance_of_an_image_is_that_of_its_channels_about_their_own_means() -> None:
    image = np.stack([np.zeros((4, 4)), np.ones((4, 4)), np.tile([0.0, 1.0], (4, 2))])
    assert channel_variance(image) == pytest.approx(0.25 / 3)


def figure_2(results: Path) -> Selection:
    """Runs of 60 iterations whose curves are stairs, so that every number of the table is known."""
    runs = []
    for architecture in ("skip", "pixels"):
        for target, reached in HALVING.items():
            at = 30 if architecture == "pixels" else reached
            explained = [at + seed if at else None for seed in range(3)]
            stairs = np.stack([np.where(np.arange(1, 61) >= (n or 1000), 0.008, 0.09) for n in explained])
            run = make_run(
                results,
                f"{architecture}-{target}",
                seeds=(0, 1, 2),
                curves={"loss": stairs},
                summary={"iterations_explained": explained},
                target={"name": target, "sigma": 25.0},
                architecture={"name": architecture},
                image={"name": "file", "path": "photo.png", "size": None, "fit": "resize"},
            )
            for name in PICTURES:
                write_image(run.image(name, 0), np.random.default_rng(0).uniform(size=(3, SIDE, SIDE)))
            run.finish({name: value for name, value in run.summary.items() if name not in ("files", "seal")})
            runs.append(run)
    return selection(results, "fig2", *runs)


@pytest.fixture(scope="module")
def fig2(tmp_path_factory: pytest.TempPathFactory) -> Selection:
    return figure_2(tmp_path_factory.mktemp("results"))


def test_the_impedance_table_has_medians_ranges_and_ratios_over_the_seeds(fig2: Selection) -> None:
    page = draw("figures/fig2", fig2, name="draw_table")
    found = [list(row.values()) for row in rows(page)]
    assert found[:4] == [
        ["skip", "natural", "3", "11", "10", "12", "1.00"],
        ["skip", "noisy", "3", "13", "12", "14", "1.18"],
        ["skip", "shuffled", "3", "41", "40", "42", "3.73"],
        ["skip", "noise", "3", ">60", ">60", ">60", ">5.45"],
    ]
    assert {row[6] for row in found[4:]} == {"1.00"}
    assert sources(page.runs)["minutes_of_fitting"] == 12.0


def test_a_missing_run_is_a_row_that_says_so_and_leaves_the_others(fig2: Selection, tmp_path: Path) -> None:
    lacking = selection(tmp_path, "fig2", {"architecture": {"name": "skip"}}, *fig2.runs[1:4])
    page = draw("figures/fig2", lacking, name="draw_table")
    assert [row["seeds"] for row in rows(page)] == ["not run", "3", "3", "3"]
    assert [row["impedance_ratio"] for row in rows(page)] == ["-", "-", "-", "-"]
    assert "dip -m experiment=fig2 scale=smoke" in page.message


def test_a_figure_that_lacks_a_run_names_the_command(fig2: Selection, tmp_path: Path) -> None:
    lacking = selection(tmp_path, "fig2", {"target": {"name": "natural"}}, *fig2.runs[1:])
    with pytest.raises(ValueError, match=r"1 of 8 runs of fig2 .* make them: dip -m experiment=fig2 scale=smoke"):
        draw("figures/fig2", lacking, name="draw_figure")


def part_kept(target: str) -> int:
    """Along a side, of the pictures of a target in its record, as the experiment says."""
    (job,) = compose_jobs(["experiment=fig2", "scale=smoke", f"target={target}", "hydra.mode=RUN"], multirun=False)
    return int(job.experiment.part)


@pytest.mark.slow
def test_a_record_gives_the_same_files_as_the_whole_run(fig2: Selection, tmp_path: Path) -> None:
    for run in fig2.runs:
        target = run.settings["target"]["name"]
        Store(tmp_path).export_record(run, "smoke", PICTURES, part=part_kept(target))
    records = [Store(tmp_path).run(run.name) for run in fig2.runs]
    assert all("records" in run.folder.parts for run in records)
    sides = {run.settings["target"]["name"]: read_image(run.image("target", 0)).shape[1] for run in records}
    assert sides == {"natural": SIDE, "noisy": SIDE, "shuffled": SIDE // 2, "noise": SIDE // 2}
    of_records = selection(tmp_path, "fig2", *records)
    for name in ("draw_figure", "draw_table"):
        whole = files(draw("figures/fig2", fig2, name=name), tmp_path / name / "whole")
        assert_same_files(files(draw("figures/fig2", of_records, name=name), tmp_path / name / "record"), whole)


def test_nothing_of_the_machine_or_the_day_is_in_a_pages_sources(fig2: Selection) -> None:
    text = json.dumps(sources(fig2.runs))
    assert "c0ffee" in text
    assert not [word for word in ("command", "paths", str(fig2.results)) if word in text]


def test_names_of_points_that_lie_close_cover_no_name_and_no_point() -> None:
    figure, (part,) = sheet(3.0)
    axis = part.subplots()
    points = {"far": (1.0, 1.0), "these": (5.0, 5.0), "three": (5.1, 5.0), "close": (5.1, 5.1)}
    axis.scatter(*zip(*points.values(), strict=True))
    label_points(figure, axis, points)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts]
    assert [text.get_text() for text in axis.texts] == list(points)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    middles = axis.transData.transform(list(points.values()))
    assert not any(box.contains(*middle) for box in boxes for middle in middles)
    with pytest.raises(ValueError, match="no room for its name"):
        label_points(figure, axis, {f"point {number}": (5.0, 5.0) for number in range(20)})


def test_log_points_are_among_the_points_that_records_keep() -> None:
    for iterations in (1, 2, 10, 60, 601, 1800, 12000, 50000):
        assert set(log_points(iterations)) <= set(curve_points(iterations))


def test_curves_are_read_by_their_iterations_not_by_their_rows(tmp_path: Path) -> None:
    loss = np.arange(1.0, 5001.0)[None] / 8
    run = make_run(tmp_path, "long", seeds=(0,), curves={"loss": loss}, summary={"iterations": 5000})
    record = Store(tmp_path / "kept").export_record(run, "smoke", ["iteration-*"])
    for one in (run, record):
        curve = curve_of(one, "loss")
        np.testing.assert_array_equal(curve.values[0] * 8, curve.iterations)
        assert value_at(one, "loss", 100) == loss[0, 99]
    assert len(record.curves[0]["loss"]) < 600
    with pytest.raises(ValueError, match="no iteration 4321"):
        value_at(record, "loss", 4321)


def test_a_record_keeps_the_pictures_that_another_experiment_shows_of_the_same_run(tmp_path: Path) -> None:
    run = make_run(tmp_path, "shared")
    store = Store(tmp_path / "kept")
    store.export_record(run, "smoke", ["target"])
    record = store.export_record(run, "smoke", [])
    assert record.image("target", 0).exists()
    assert record.finished


@pytest.mark.parametrize(
    ("architecture", "wanted"),
    [
        ({"name": "skip", "down": [32] * 5}, "width 32"),
        ({"name": "skip", "down": [8, 16]}, "channels 8, 16"),
        ({"name": "unet", "widths": [8, 16]}, "unet, channels 8, 16"),
        ({"name": "deep_decoder", "widths": [32] * 6}, "deep_decoder, width 32"),
        ({"name": "pixels"}, "pixels"),
        ({"name": "someones", "down": 3, "widths": "many"}, "someones"),
    ],
)
def test_every_architecture_can_be_told(architecture: dict[str, object], wanted: str, tmp_path: Path) -> None:
    assert format_network(architecture) == wanted
    run = make_run(tmp_path, "one", architecture=architecture)
    assert format_size(run) == f"middle 64 x 64, {wanted}"


def test_a_failed_replica_is_counted_and_has_no_numbers(tmp_path: Path) -> None:
    run = make_run(tmp_path, "one", seeds=(5, 6, 7), failed=[0], summary={"lost_iterations": [40, 0, 50]})
    assert format_seeds(run) == "2 (1 failed)"
    assert format_lost_iterations([run, run]) == "Iterations lost to the guard: 180 of 720."
    assert curve_of(run, "loss").values.shape[0] == 2
    assert sources([run])["runs"][0]["failed"][0]["seed"] == 5
