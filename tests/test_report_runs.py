"""Runs in the report: what differs, own ones apart, settings to search for, their command, their thumbnail."""

import json
import re
import shlex
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import make_run
from PIL import Image
from synthetic_report import denoising, details, page, record_of, refinish, report, sweep

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.overrides import quoted, to_hydra_overrides
from dip_experiments.report.details import NAMES_A_FILE, format_command
from dip_experiments.report.numbers import score, score_table
from dip_experiments.report.row import COLUMNS
from dip_experiments.schema import READ, WRITTEN
from dip_experiments.store import THUMBNAIL, Run, Store, make_thumbnail, write_image


def rows(results: Path) -> list[dict[str, Any]]:
    """The rows of the page's table: run, cells by column, facets, and settings as they are searched."""
    found = re.search(r'data-settings="(\[.*?\])"', page(results))
    assert found
    known = json.loads(unescape(found[1]))
    shown = []
    for name, kind, facets, settings, cells in re.findall(
        r"""<tr data-run="([^"]*)"(.*?) data-facets='(.*?)' data-settings="(.*?)">(.*?)</tr>""",
        page(results),
        re.DOTALL,
    ):
        texts = [
            re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", cells, re.DOTALL)
        ]
        del texts[1]  # the thumbnail
        changed, others = ([known[int(at)] for at in group.split()] for group in settings.split("|"))
        shown.append(
            {
                "run": name, "own": "own" in kind, "facets": json.loads(unescape(facets)), "changed": changed,
                "others": others, "images": "<img" in cells,
                **{column.name + "_cell": text for column, text in zip(COLUMNS, texts, strict=True)},
            }
        )  # fmt: skip
    return shown


def test_own_runs_come_first_with_the_newest_and_say_what_differs_and_when(tmp_path: Path) -> None:
    record_of(tmp_path, sweep(tmp_path, "record", "2026-12-05T10:00:00+00:00", "optimizer.lr=0.1"))
    sweep(tmp_path, "older", "2026-12-03T08:05:59+00:00", "optimizer.lr=0.003", "task=denoising")
    sweep(tmp_path, "newer", "2026-12-03T16:07:00+00:00", "change=no_norm")
    report(tmp_path)
    newer, older, record = rows(tmp_path)
    assert (newer["run"], newer["own"], newer["run_cell"]) == ("newer", True, "denoising no_norm")
    assert (older["run"], older["own"], older["run_cell"]) == ("older", True, "denoising lr=0.003")
    assert (record["run"], record["own"], record["run_cell"]) == ("record", False, "denoising lr=0.1")
    assert [row["began_cell"] for row in (newer, older)] == ["2026-12-03 16:07:00", "2026-12-03 08:05:59"]
    assert [row["facets"]["runs"] for row in (newer, older, record)] == [["own"], ["own"], ["records"]]
    assert details(tmp_path, Run(tmp_path / "runs" / "older"))["title"] == "denoising lr=0.003"


def test_the_first_view_lists_the_newest_own_runs_and_no_record(tmp_path: Path) -> None:
    record_of(tmp_path, sweep(tmp_path, "record", "2026-12-05T10:00:00+00:00", "optimizer.lr=0.1"))
    report(tmp_path)
    assert "None yet" in page(tmp_path)
    for day in range(1, 9):
        sweep(tmp_path, f"own{day}", f"2026-12-01T10:00:0{day}+00:00", "seed=1")
    report(tmp_path)
    newest = page(tmp_path).partition('<ul class="newest">')[2].partition("</ul>")[0]
    assert re.findall(r"&amp;run=(\w+)", newest) == [f"own{day}" for day in range(8, 2, -1)]


def test_filters_know_what_was_swept_but_for_what_has_a_filter_of_its_own(tmp_path: Path) -> None:
    began, words = "2026-12-03T16:07:00+00:00", ("change=no_norm", "optimizer.lr=0.003", "image=coffee", "seed=3")
    sweep(tmp_path, "one", began, *words, "image.path='a b.png'")
    report(tmp_path)
    (row,) = rows(tmp_path)
    assert row["facets"]["setting"] == ["no_norm", "lr=0.003"]
    choices = re.search(r'<select name="setting">(.*?)</select>', page(tmp_path))
    assert choices
    assert re.findall(r'value="([^"]+)"', choices[1]) == ["lr=0.003", "no_norm"]


def test_all_settings_can_be_searched_those_that_differ_from_the_default_apart(tmp_path: Path) -> None:
    sweep(tmp_path, "one", "2026-12-03T16:07:00+00:00", "change=no_norm", optimizer={"name": "adam", "lr": 0.003})
    report(tmp_path)
    (row,) = rows(tmp_path)
    assert "optimizer.lr=0.003" in row["changed"]
    assert {"optimizer.name=adam", "architecture.down=[8, 8]", "change=no_norm"} <= set(row["others"])
    assert not set(row["changed"]) & set(row["others"])


@pytest.mark.parametrize(
    "name",
    [
        "a b.png",
        "it's.png",
        "plain.png",
        'say "cheese".png',
        "$HOME's.png",
        "a;b.png",
        "50 %!'.png",
        "back\\slash'.png",
    ],
)
def test_a_command_can_be_copied_into_a_shell_and_composes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "image.png", np.full((3, 40, 40), 0.5))
    (tmp_path / "image.png").rename(tmp_path / name)
    overrides = to_hydra_overrides([f"image.path={name}", "task=denoising", "scale=smoke"], multirun=False)
    shown = format_command(["dip", *overrides])
    program, *words = shlex.split(shown)
    assert program == "dip"
    assert f"image.path={name}" in words
    assert subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {shown}"], capture_output=True, text=True, check=True
    ).stdout == ("\n".join([program, *words, ""]))
    again = to_hydra_overrides(words, multirun=False)
    assert again == overrides
    (first,), (second,) = (compose_jobs(given, multirun=False) for given in (overrides, again))
    assert first == second
    assert first.image.path == name


def test_a_command_has_no_quotes_in_quotes() -> None:
    assert (
        format_command(["dip", "image=file", f"image.path={quoted('a b.png')}"])
        == "dip image=file 'image.path=a b.png'"
    )
    assert format_command(["dip", f"image.path={quoted(chr(39))}"]) == """dip "image.path='\""""
    assert format_command(["dip", "name='a b'"]) == """dip "name='a b'\""""
    assert set(NAMES_A_FILE) == {*READ, *WRITTEN}


def test_images_that_are_the_same_are_called_identical(tmp_path: Path) -> None:
    assert (score(120.0), score(119.994), score(119.9), score(-0.001)) == ("identical", "119.99", "119.90", "0.00")
    run = make_run(tmp_path, "same")
    refinish(run, scores={"average": {"psnr": [120.0, 120.0], "ssim": [1.0, 1.0]}, "output": {"psnr": [120.0, 60.0]}})
    run = Run(run.folder)
    refinish(run, final={"psnr_average": [120.0, 120.0]})
    _, table = score_table(Run(run.folder))
    assert [row[1] for row in table] == ["identical", "90.00 (60.00 to identical)"]
    report(tmp_path)
    (row,) = rows(tmp_path)
    assert row["average_cell"] == "identical"


def test_a_record_has_a_thumbnail_of_target_average_and_output(tmp_path: Path) -> None:
    run = denoising(tmp_path)
    record = Store(tmp_path).export_record(run, "smoke", [])
    assert record.finished
    assert THUMBNAIL in record.summary["files"]
    assert not (record.folder / "images").exists()
    stored = record.folder / THUMBNAIL
    assert stored.stat().st_size < 16_000
    with Image.open(stored) as strip:
        assert strip.size == (3 * 64, 64)
        pixels = np.asarray(strip.convert("RGB")).astype(int)
    for at, name in enumerate(("target", "average", "iteration-000120")):
        with Image.open(run.image(name, 0)) as picture:
            wanted = np.asarray(picture.convert("RGB")).astype(int)
        assert np.abs(pixels[:, 64 * at : 64 * (at + 1)] - wanted).mean() < 12, name
    assert record_of(tmp_path, run).folder == record.folder
    report(tmp_path)
    (row,) = rows(tmp_path)
    assert row["images"]
    assert (tmp_path / "report" / "assets" / "thumbnails" / f"{run.name}.png").read_bytes() == stored.read_bytes()
    assert details(tmp_path, run)["pictures"]["thumbnail"] == ["target", "average", "output"]


def test_a_record_without_images_shows_none_and_one_with_some_shows_these(tmp_path: Path) -> None:
    names = {"bare": [], "some": ["target", "iteration-000120"]}
    for name, images in names.items():
        run = denoising(tmp_path, name)
        run.image("average", 0).unlink()
        refinish(run)
        Store(tmp_path).export_record(Run(run.folder), "smoke", images)
        assert not (tmp_path / "smoke" / "records" / name / THUMBNAIL).exists()  # as one of its three is missing
        for path in sorted(run.folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        run.folder.rmdir()
    report(tmp_path)
    assert {row["run"]: row["images"] for row in rows(tmp_path)} == {"bare": False, "some": True}
    assert 'alt="target, output"' in page(tmp_path)
    assert [path.name for path in (tmp_path / "report" / "assets" / "thumbnails").iterdir()] == ["some.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_thumbnail_of_16_bits_has_the_same_levels(tmp_path: Path, channels: int) -> None:
    write_image(tmp_path / "deep.png", np.full((channels, 100, 200), 0.25), bits=16)
    (tmp_path / "strip.png").write_bytes(make_thumbnail([tmp_path / "deep.png"]))
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (128, 64)
        assert np.abs(np.asarray(strip.convert("L")).astype(int) - 64).max() <= 1
