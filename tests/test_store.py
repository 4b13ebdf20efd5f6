"""A run is whole or it is no result; records are as good as runs; what is written is whole or not there."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import only_run
from fake_runs import make_run

from dip_experiments.data.folders import check_writable
from dip_experiments.data.reading import read_image
from dip_experiments.metrics import curve_points
from dip_experiments.store import (
    Baselines,
    Run,
    RunLocked,
    Store,
    atomic,
    describe_session,
    locked,
    read_curves,
    read_json,
    write_curves,
    write_image,
    write_json,
    write_text,
)
from dip_experiments.store.baselines import age


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError), atomic(path) as file:
        file.write("half of it is no bytes")  # type: ignore[arg-type]
    assert json.loads(path.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_files_get_the_permissions_that_the_user_gives_to_files_and_the_mask_is_never_changed(tmp_path: Path) -> None:
    script = "import os; os.umask(0o027); from pathlib import Path; from dip_experiments.store import write_text; "
    script += "write_text(Path('x'), 'y'); print(oct(os.umask(0)))"
    answer = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "0o27"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".png")
    write_text(path, "here")
    assert path.read_text() == "here"


def test_what_a_killed_process_left_half_written_is_gone_when_the_run_is_taken_up(tmp_path: Path) -> None:
    left = tmp_path / "run" / "images" / ".target.png.123.part"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    with locked(tmp_path / "run"):
        assert not left.exists()


def test_curves_come_back_bit_for_bit_and_what_all_replicas_share_is_told_once(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    own = draw.normal(size=60) * 10.0 ** np.tile(np.arange(-15, 15), 2)
    shared = np.tile([np.nan, *draw.normal(size=29)], 2).astype(np.float32)
    whole = {"replica": np.repeat([0, 2], 30), "seed": np.repeat([7, 9], 30), "iteration": np.tile(np.arange(30), 2)}
    write_curves(tmp_path / "a.csv", whole | {"own": own, "shared": shared})
    back = read_curves(tmp_path / "a.csv")
    for name, column in (whole | {"own": own}).items():
        np.testing.assert_array_equal(back[name], column)
    np.testing.assert_array_equal(back["shared"].astype(np.float32), shared)
    rows = (tmp_path / "a.csv").read_text().splitlines()[1:]
    told = [row.startswith("0,7,") for row in rows]
    assert told == [not row.endswith(",") for row in rows] == [True] * 30 + [False] * 30


def test_json_has_null_where_a_number_is_not_finite(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [np.float64("nan"), float("inf"), np.float32(0.5)]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [None, None, 0.5]}


def test_a_run_that_is_being_fitted_is_locked_and_its_owner_is_reported(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        with (
            pytest.raises(RunLocked, match=f"process {os.getpid()} on .* fits it since 20"),
            locked(tmp_path / "run"),
        ):
            pass
        assert (tmp_path / "run" / "owner.json").exists()
    with locked(tmp_path / "run"):
        pass


def damage(kind: str, run: Run) -> None:
    if kind == "empty curves":
        (run.folder / "curves.csv").write_text("")
    elif kind == "random summary":
        (run.folder / "summary.json").write_bytes(bytes(range(256)))
    elif kind == "another number in the summary":
        summary = read_json(run.folder / "summary.json")
        summary["wall_seconds"] = 1.0
        write_json(run.folder / "summary.json", summary)
    elif kind == "missing picture":
        run.image("average", 0).unlink()
    elif kind == "one pixel":
        content = bytearray(run.image("average", 0).read_bytes())
        content[len(content) // 2] ^= 1
        run.image("average", 0).write_bytes(content)
    elif kind == "summary of a list":
        (run.folder / "summary.json").write_text("[]")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("empty curves", "curves.csv was changed"),
        ("random summary", "summary.json is damaged"),
        ("summary of a list", "summary.json is damaged"),
        ("another number in the summary", "summary.json was changed"),
        ("missing picture", "images/average-replica0.png is missing"),
        ("one pixel", "images/average-replica0.png was changed"),
    ],
)
def test_a_finished_run_whose_files_are_damaged_is_no_result_and_says_which(
    kind: str, told: str, tmp_path: Path
) -> None:
    run = make_run(tmp_path, "a")
    assert run.finished
    damage(kind, run)
    assert run.has_summary
    assert not run.finished
    assert told in run.integrity_errors()


def test_what_is_set_aside_is_stored_under_another_name_and_leaves_the_place_free(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n in (1, 2):
        run = make_run(tmp_path, "a")
        damage("empty curves", run)
        aside = store.quarantine(run)
        assert aside.name == f"a.damaged-{n}"
        assert (aside / "summary.json").exists()
        assert not list(run.folder.iterdir())
    assert not store.run("a").finished


def test_a_record_gives_back_what_the_run_gives_at_the_points_that_are_drawn(tmp_path: Path) -> None:
    falling = {"loss": np.stack([1 / (np.arange(1, 2001) + seed) for seed in range(2)])}
    store, run = Store(tmp_path), make_run(tmp_path, "a", curves=falling)
    record = store.export_record(run, "laptop", ["target", "iteration-*"], "all")
    assert store.run("a") == run  # the whole run goes first
    for path in sorted(run.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run.folder.rmdir()
    found = store.run("a")
    assert found == record
    assert found.finished
    whole = make_run(tmp_path, "a", curves=falling)
    assert found.settings == whole.settings
    assert found.provenance == whole.provenance
    assert {k: v for k, v in found.summary.items() if k not in ("files", "seal")} == {
        k: v for k, v in whole.summary.items() if k not in ("files", "seal")
    }
    at = curve_points(2000)
    for kept, curve in zip(found.curves, whole.curves, strict=True):
        np.testing.assert_array_equal(kept["iteration"], at)
        np.testing.assert_array_equal(kept["loss"], curve["loss"][at - 1])
    names = {path.name for path in (found.folder / "images").iterdir()}
    assert "target-replica1.png" in names
    assert not any(name.startswith("average") for name in names)
    size = sum(path.stat().st_size for path in found.folder.rglob("*") if path.is_file())
    assert size < 300_000


def test_a_failed_replica_is_not_given_back(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", seeds=[0, 1, 2], failed=[1])
    assert (run.replicas, run.seeds) == ([0, 2], [0, 2])
    assert len(run.curves) == 2
    assert len(run.scores("average", "psnr")) == 2


def test_another_methods_number_is_found_by_method_version_settings_and_measurement_and_by_nothing_else(
    tmp_path: Path,
) -> None:
    stored, picture = Baselines(tmp_path), np.full((3, 4, 4), 0.5)
    stored.add("nlm", "1.0", "aaa", {"sigma": 25.0}, {"psnr": 29.5}, picture)
    stored.add("nlm", "2.0", "aaa", {"sigma": 25.0}, {"psnr": 29.6})
    assert stored.find("nlm", "1.0", "aaa", {"sigma": 25.0}) == {"psnr": 29.5}
    assert stored.find("nlm", None, "aaa", {"sigma": 25.0}) == {"psnr": 29.6}
    asked: list[tuple[Any, ...]] = [("tv", "1.0", "aaa"), ("nlm", "3.0", "aaa"), ("nlm", "1.0", "bbb")]
    assert [stored.find(*words, {"sigma": 25.0}) for words in asked] == [None] * 3
    assert stored.find("nlm", "1.0", "aaa", {"sigma": 50.0}) is None
    path = stored.picture("nlm", None, "aaa", {"sigma": 25.0})
    assert path is not None
    assert path.exists()


def test_the_last_version_is_the_highest_and_an_epoch_of_ours_comes_before_it(tmp_path: Path) -> None:
    stored = Baselines(tmp_path)
    versions = ("not installed", "scipy 1.9.3", "scipy 1.10.0", "scipy 1.10.0, epoch 2")
    for psnr, version in zip((0.0, 1.0, 2.0, 3.0), versions, strict=True):
        stored.add("dct", f"{version}", "aaa", {}, {"psnr": psnr})
        assert stored.find("dct", None, "aaa", {}) == {"psnr": psnr}
    stored.add("dct", "scipy 1.11.0", "aaa", {}, {"psnr": 9.0})
    assert stored.find("dct", None, "aaa", {}) == {"psnr": 3}
    two = ["scikit-image 0.9.1, PyWavelets 1.8.0", "scikit-image 0.25.0, PyWavelets 1.7.0"]
    assert max(two, key=age) == two[1]


def test_provenance_says_which_code_on_which_machine_by_how_many_threads() -> None:
    record = describe_session("cpu", 2, ["dip"], 50)
    assert record["versions"]["python"].startswith("3.")
    assert "cores" in record["machine"]
    assert (record["threads"], record["after_iteration"]) == (2, 50)
    assert record["commit"] is None or len(record["commit"]) == 40


def test_a_folder_that_cannot_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"paths\.results=.*choose another folder"):
        check_writable(tmp_path / "file" / "results")
    check_writable(tmp_path / "new" / "results")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_record_keeps_curves_to_the_last_bit_in_half_the_room(tmp_path: Path, dip: Callable[..., int]) -> None:
    assert dip("scale=smoke", "logger=none", "fit.iterations=40", "image=camera") == 0
    run = only_run(tmp_path)
    record = Store(tmp_path / "results").export_record(run, "smoke")
    (whole,), (kept,) = run.curves, record.curves
    assert all(np.array_equal(kept[name], whole[name][np.isin(whole["iteration"], kept["iteration"])]) for name in kept)
    longest = max(
        len(cell) for row in (record.folder / "curves.csv").read_text().splitlines() for cell in row.split(",")
    )
    assert longest <= len("psnr_measurement")
    final = run.summary["final"]["loss"]
    assert [float(whole["loss"][-1])] == final


@pytest.mark.parametrize("channels", [1, 3])
def test_of_a_picture_a_record_may_keep_the_middle_as_it_is(tmp_path: Path, channels: int) -> None:
    run = make_run(tmp_path, "a")
    whole = np.random.default_rng(0).integers(0, 256, (channels, 10, 14)) / 255
    write_image(run.image("target", 0), whole)
    record = Store(tmp_path).export_record(run, "smoke", ["target"], part=2)
    np.testing.assert_array_equal(read_image(record.image("target", 0)), whole[:, 2:7, 4:9])
    assert record.finished
