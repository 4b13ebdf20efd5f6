"""Each number of the restoration tables is recomputed here from made-up runs; rows are there whether run or not."""

import csv
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dip_experiments import baselines
from dip_experiments.images import read_image
from dip_experiments.metrics import psnr, psnr_y_authors, ssim
from dip_experiments.store import Run, Store, write_image, write_json

SCRIPTS = Path(__file__).parents[1] / "scripts"
TABLES = ("denoising", "super_resolution", "inpainting")
ROWS = {"denoising": 9 * 2 + 5, "super_resolution": 19 * 2 + 4, "inpainting": 11 + 1}
AUTHORS = {"name": "denoising", "noise": {"name": "noisy25"}}
FRESH = {"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0, "clip": True}}
HOLES = {"name": "inpainting", "mask": {"name": "authors"}}
SIDE = 32
PAGE = "computed from the project page's images"
REQUIRED = ["image", "setting", "metric", "ours", "published", "difference", "seeds", "iterations", "scale", "device"]
Ask = Callable[..., tuple[int, list[dict[str, str]]]]


def larger(factor: int) -> dict[str, Any]:
    return {"name": "super_resolution", "factor": factor}


def made_up(
    results: Path, name: str, image: str, task: dict[str, Any], scale: str = "laptop", replicas: int = 3, width: int = 8
) -> Run:
    """A finished run of 100 iterations whose curves and pictures are random: the reference, 0.1 or so aside."""
    run, draw = Store(results).run(name), np.random.default_rng(list(name.encode()))
    reference = draw.uniform(0.1, 0.9, (1 if task is HOLES else 3, SIDE, SIDE))
    small = SIDE // task.get("factor", 1)
    target = draw.uniform(0.1, 0.9, (len(reference), small, small))
    if task is HOLES:
        target = reference * (draw.uniform(size=reference.shape) < 0.5)
    for r in range(replicas):
        pictures = {name: draw.normal(reference, 0.1) for name in ("average", "unperturbed", "iteration-000100")}
        for kind, pixels in {"reference": reference, "target": target, **pictures}.items():
            write_image(run.image(kind, r), pixels)
    words = {
        "image": {"name": image, "size": SIDE, "fit": "crop"},
        "task": task,
        "architecture": {"name": "skip", "down": [width] * 5},
    }
    write_json(run.folder / "settings.json", words)
    write_json(run.folder / "provenance.json", {"seeds": [*range(replicas)], "command": ["dip"], "device": "cpu"})
    curves = {curve: draw.uniform(20, 30, replicas).tolist() for curve in ("psnr_reference", "psnr_average")}
    peaks = {curve: [value + 1 for value in values] for curve, values in curves.items()}
    summary = {"iterations": 100, "wall_seconds": 90.0, "guard": [], "final": curves, "oracle_peak": peaks}
    write_json(run.folder / "summary.json", summary)
    asked = Store(results)
    kept = [other.name for other in asked.finished(name.split(":")[0], scale)]
    asked.write_grid(name.split(":")[0], scale, [*kept, name])
    return run


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs a table's script; gives its exit code and the rows that it wrote."""

    def asked(table: str, scale: str = "laptop") -> tuple[int, list[dict[str, str]]]:
        monkeypatch.setattr(sys, "argv", ["table", "--scale", scale, "--results", str(tmp_path)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(SCRIPTS / f"table_{table}.py"), run_name="__main__")
        path = tmp_path / scale / "tables" / f"{table}.csv"
        rows = list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []
        return int(end.value.code or 0), rows

    return asked


@pytest.fixture
def no_denoisers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other methods take most of a test's time."""
    for name in list(baselines.DENOISERS):
        monkeypatch.delitem(baselines.DENOISERS, name)


def found(rows: list[dict[str, str]], image: str, setting: str) -> dict[str, str]:
    (row,) = [row for row in rows if (row["image"], row["setting"]) == (image, setting)]
    return row


def pictures(run: Run, name: str) -> list[baselines.Array]:
    return [read_image(run.image(name, r)) for r in range(len(run.provenance["seeds"]))]


def agrees(cell: str, values: Any, decimals: int = 2) -> bool:
    return cell == f"{np.mean(values):.{decimals}f}"


def test_a_row_of_denoising_is_read_from_curves_and_pictures(tmp_path: Path, ask: Ask) -> None:
    run = made_up(tmp_path, "table_denoising:a", "cset9/f16", AUTHORS)
    pixels = made_up(tmp_path, "pixels_denoising:a", "cset9/f16", AUTHORS, replicas=1)
    code, rows = ask("denoising")
    row = found(rows, "cset9/f16", "authors' noise")
    final, clean, noisy = run.summary["final"], pictures(run, "reference")[0], pictures(run, "target")[0]
    averages = pictures(run, "average")
    assert code == 0
    assert row["ours"] == row["averaged"]
    assert agrees(row["averaged"], final["psnr_average"])
    assert agrees(row["spread"], np.ptp(final["psnr_average"]))
    assert agrees(row["raw"], final["psnr_reference"])
    assert agrees(row["oracle"], run.summary["oracle_peak"]["psnr_average"])
    assert agrees(row["ssim"], [ssim(picture, clean) for picture in averages], 3)
    assert agrees(row["two_replicas"], psnr((averages[0] + averages[1]) / 2, clean))
    assert agrees(row["noisy"], psnr(noisy, clean))
    for name, method in baselines.DENOISERS.items():
        assert agrees(row[name], psnr(method(noisy, 25.0), clean))
    assert agrees(row["pixels_tv"], pixels.summary["final"]["psnr_reference"])
    assert (row["seeds"], row["iterations"], row["device"], row["minutes"]) == ("3", "100", "cpu", "1.5")
    assert float(row["difference"]) == pytest.approx(np.mean(final["psnr_average"]) - 33.69, abs=0.005)
    sources = json.loads((tmp_path / "laptop" / "tables" / "denoising.json").read_text())
    assert [source["run"] for source in sources["runs"]] == [run.name, pixels.name]


@pytest.mark.parametrize("factor", [4, 8])
def test_a_row_of_super_resolution_is_read_from_pictures(tmp_path: Path, ask: Ask, factor: int) -> None:
    run = made_up(tmp_path, "table_super_resolution:a", "set14/zebra", larger(factor))
    pixels = made_up(tmp_path, "pixels_super_resolution:a", "set14/zebra", larger(factor), replicas=1)
    code, rows = ask("super_resolution")
    row = found(rows, "set14/zebra", f"x{factor}")
    clean, small = pictures(run, "reference")[0], pictures(run, "target")[0]
    last = [psnr_y_authors(picture, clean) for picture in pictures(run, "iteration-000100")]
    assert code == 0
    assert agrees(row["ours"], last)
    assert agrees(row["spread"], np.ptp(last))
    assert agrees(row["averaged"], [psnr_y_authors(picture, clean) for picture in pictures(run, "average")])
    assert agrees(row["ssim"], [ssim(picture, clean) for picture in pictures(run, "iteration-000100")], 3)
    for name, method in baselines.UPSAMPLERS.items():
        assert agrees(row[name], psnr_y_authors(method(small, factor), clean))
    plain, reference = (pictures(pixels, name)[0] for name in ("iteration-000100", "reference"))
    assert agrees(row["pixels_tv"], psnr_y_authors(plain, reference))


def test_a_row_of_inpainting_is_read_from_curves_and_pictures(tmp_path: Path, ask: Ask) -> None:
    run = made_up(tmp_path, "table_inpainting:a", "standard11/boat", HOLES)
    pixels = made_up(tmp_path, "pixels_inpainting:a", "standard11/boat", HOLES, replicas=1)
    code, rows = ask("inpainting")
    row = found(rows, "standard11/boat", "50 % missing")
    clean, holes = pictures(run, "reference")[0], pictures(run, "target")[0]
    assert code == 0
    assert agrees(row["ours"], [psnr(picture, clean) for picture in pictures(run, "unperturbed")])
    assert agrees(row["ssim"], [ssim(picture, clean) for picture in pictures(run, "unperturbed")], 3)
    assert agrees(row["last"], run.summary["final"]["psnr_reference"])
    assert agrees(row["averaged"], run.summary["final"]["psnr_average"])
    for name, method in baselines.INPAINTERS.items():
        assert agrees(row[name], psnr(method(holes, holes == clean), clean))
    assert agrees(row["pixels_tv"], pixels.summary["final"]["psnr_reference"])


@pytest.mark.parametrize("table", TABLES)
def test_rows_that_wait_are_there_and_say_so(table: str, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    code, rows = ask(table, "paper")
    assert (code, len(rows)) == (0, ROWS[table])
    assert list(rows[0])[:10] == REQUIRED
    assert list(rows[0])[-1] == "source"
    for row in rows:
        assert row["ours"].startswith("not run")
        assert (row["device"], row["scale"]) == ("waits for a GPU", "paper")
        assert {row[name] for name in ("difference", "seeds", "iterations", "spread", "minutes")} == {"-"}
        assert float(row["published"]) > 0
    (line,) = capsys.readouterr().out.splitlines()
    waiting = sum("mean" not in row["image"] for row in rows)
    assert f"{waiting} of {waiting} rows wait" in line
    assert f"make table-{table.replace('_', '-')} SCALE=paper" in line


@pytest.mark.parametrize(
    ("table", "image", "setting", "wanted"),
    [
        ("denoising", "cset9/f16", "fresh noise", {"published": "33.69", "published_nlm": "31.34"}),
        ("denoising", "mean of cset9, two replicas", "authors' noise", {"published": "31.00", "source": "CVPR text"}),
        ("denoising", "mean of cset9, raw", "fresh noise", {"published": "29.22", "published_bm3d": "31.42"}),
        ("super_resolution", "set5/baby", "x8", {"published": "28.29", "published_tv_prior": "27.93"}),
        ("super_resolution", "set5/bird", "x4", {"source": PAGE}),
        ("super_resolution", "set5/bird", "x8", {"source": f"{PAGE}, perturbation .05"}),
        ("super_resolution", "mean of set14", "x8", {"published": "24.15", "published_bicubic": "23.10"}),
        ("super_resolution", "mean of set5", "x4", {"published": "29.90", "published_tv_prior": "-"}),
        ("inpainting", "standard11/fingerprint", "50 % missing", {"published": "32.84", "published_papyan": "31.34"}),
        ("inpainting", "mean of standard11", "50 % missing", {"published": "33.48", "published_papyan": "31.19"}),
    ],
)
def test_published_numbers_stand_beside_their_row(
    ask: Ask, table: str, image: str, setting: str, wanted: dict[str, str]
) -> None:
    row = found(ask(table)[1], image, setting)
    assert {name: row[name] for name in wanted} == wanted


def test_a_mean_is_withheld_until_all_its_pictures_are_run(tmp_path: Path, ask: Ask) -> None:
    images = [row["image"] for row in ask("inpainting")[1]][:-1]
    runs = [made_up(tmp_path, f"table_inpainting:{image[11:]}", image, HOLES) for image in images]
    summary = runs[3].summary
    (runs[3].folder / "summary.json").unlink()
    rows = ask("inpainting")[1]
    assert (rows[3]["ours"], rows[3]["published"]) == ("not run", "33.06")
    assert (rows[-1]["ours"], rows[-1]["difference"], rows[-1]["biharmonic"]) == ("not run (10 of 11)", "-", "-")
    write_json(runs[3].folder / "summary.json", summary)
    mean = ask("inpainting")[1][-1]
    each = [
        [psnr(a, b) for a, b in zip(pictures(r, "unperturbed"), pictures(r, "reference"), strict=True)] for r in runs
    ]
    assert agrees(mean["ours"], each)
    assert agrees(mean["spread"], np.ptp(np.mean(each, axis=0)))
    assert float(mean["difference"]) == pytest.approx(np.mean(each) - 33.48, abs=0.005)
    assert mean["pixels_tv"] == "-"


@pytest.mark.usefixtures("no_denoisers")
def test_each_mean_of_denoising_is_of_its_own_column(tmp_path: Path, ask: Ask) -> None:
    images = [row["image"] for row in ask("denoising")[1]][:9]
    for image in images:
        made_up(tmp_path, f"table_denoising:{image[6:]}", image, AUTHORS)
        made_up(tmp_path, f"table_denoising:fresh-{image[6:]}", image, FRESH)
    rows = ask("denoising")[1]
    for setting, names in (
        ("authors' noise", ("raw", "averaged", "two replicas")),
        ("fresh noise", ("raw", "averaged")),
    ):
        for name in names:
            row, column = found(rows, f"mean of cset9, {name}", setting), name.replace(" ", "_")
            single = [float(found(rows, image, setting)[column]) for image in images]
            assert row["ours"] == row[column]
            assert float(row["ours"]) == pytest.approx(np.mean(single), abs=0.01)
    assert {row["two_replicas"] for row in rows if row["setting"] == "fresh noise"} == {"-"}


@pytest.mark.usefixtures("no_denoisers")
def test_two_replicas_with_errors_of_their_own_are_better_than_each(tmp_path: Path, ask: Ask) -> None:
    run = made_up(tmp_path, "table_denoising:a", "cset9/f16", AUTHORS)
    both = float(found(ask("denoising")[1], "cset9/f16", "authors' noise")["two_replicas"])
    each = [psnr(a, b) for a, b in zip(pictures(run, "average"), pictures(run, "reference"), strict=True)]
    assert both == pytest.approx(np.mean(each[:2]) + 3, abs=0.3)


@pytest.mark.usefixtures("no_denoisers")
def test_other_noise_than_the_tables_fills_no_row(tmp_path: Path, ask: Ask) -> None:
    stronger = {**FRESH, "noise": {**FRESH["noise"], "sigma": 50.0}}
    made_up(tmp_path, "table_denoising:a", "cset9/f16", stronger)
    assert {row["ours"][:7] for row in ask("denoising")[1]} == {"not run"}


def test_without_bm3d_its_column_says_so(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(baselines.DENOISERS, "bm3d", raising=False)
    made_up(tmp_path, "table_denoising:a", "cset9/f16", AUTHORS)
    rows = ask("denoising")[1]
    assert found(rows, "cset9/f16", "authors' noise")["bm3d"] == "not installed"
    assert found(rows, "cset9/f16", "fresh noise")["bm3d"] == "-"


def test_pixels_of_another_cut_are_not_set_beside_a_row(tmp_path: Path, ask: Ask) -> None:
    made_up(tmp_path, "table_inpainting:a", "standard11/boat", HOLES)
    pixels = made_up(tmp_path, "pixels_inpainting:a", "standard11/boat", HOLES)
    words = pixels.settings
    write_json(pixels.folder / "settings.json", {**words, "image": {**words["image"], "size": None}})
    assert found(ask("inpainting")[1], "standard11/boat", "50 % missing")["pixels_tv"] == "-"


def test_two_runs_for_one_row_are_not_chosen_from_silently(
    tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        made_up(tmp_path, f"table_inpainting:{name}", "standard11/boat", HOLES)
    code, rows = ask("inpainting")
    assert (code, rows) == (2, [])
    assert "2 runs of image=standard11/boat" in capsys.readouterr().err


def test_size_and_width_are_told_in_the_rows_and_above_the_table(tmp_path: Path, ask: Ask) -> None:
    made_up(tmp_path, "table_inpainting:a", "standard11/boat", HOLES)
    rows = ask("inpainting")[1]
    assert found(rows, "standard11/boat", "50 % missing")["scale"] == "laptop: middle 32 x 32, width 8"
    assert found(rows, "standard11/lena", "50 % missing")["scale"] == "laptop"
    above, _, table = (tmp_path / "laptop" / "tables" / "inpainting.md").read_text().partition("\n\n")
    assert "1 of 11 rows are run, middle 32 x 32, width 8" in above
    assert "whole pictures" in above
    table, _, below = table.partition("\n\n")
    assert len(table.splitlines()) == ROWS["inpainting"] + 2
    assert all(f"`{name}`" in below for name in ("ours", "last", "averaged", "spread", "pixels_tv"))


@pytest.mark.usefixtures("no_denoisers")
def test_at_paper_scale_the_stand_in_has_a_row_once_it_is_run(tmp_path: Path, ask: Ask) -> None:
    for scale in ("laptop", "paper"):
        made_up(tmp_path, f"fig4_stand_in:{scale}", "cset9/f16", AUTHORS, scale, replicas=1, width=128)
    row = ask("denoising", "paper")[1][-1]
    assert row["setting"] == "middle 32 x 32, the paper's network (stands in)"
    assert (row["scale"], row["device"], row["minutes"]) == ("paper: middle 32 x 32, width 128", "cpu", "1.5")
    assert (row["published"], row["seeds"], row["spread"], row["two_replicas"]) == ("33.69", "1", "-", "-")
    assert len(ask("denoising", "laptop")[1]) == ROWS["denoising"]
