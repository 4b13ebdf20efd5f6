"""Each number of the restoration tables is recomputed here from made-up runs; rows are there whether run or not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import draw, files, make_run, part_of, rows, selection

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.paper_rows import same_picture
from dip_experiments.baselines import classical
from dip_experiments.data.datasets import PICTURES
from dip_experiments.data.reading import read_image
from dip_experiments.metrics import psnr, psnr_y_authors
from dip_experiments.store import Run, write_json

TABLES = ("denoising", "super_resolution", "inpainting")
ROWS = {"denoising": 9 * 2 + 7, "super_resolution": 19 * 2 + 4, "inpainting": 11 + 1}
AUTHORS = {"name": "denoising", "noise": {"name": "noisy25"}}
FRESH = {"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0, "clip": True}}
HOLES = {"name": "inpainting", "mask": {"name": "authors"}}
SIDE = 32
PAGE = "computed from the project page's images"
REQUIRED = ["image", "setting", "metric", "ours", "published", "difference", "seeds", "iterations", "scale", "device"]


def larger(factor: int) -> dict[str, Any]:
    return {"name": "super_resolution", "factor": factor}


def made_up(results: Path, name: str, image: str, task: dict[str, Any], width: int = 8, **more: Any) -> Run:
    """A finished run of one picture."""
    draws = np.random.default_rng(list(name.encode()))
    clean = draws.uniform(0.1, 0.9, (1 if task is HOLES else 3, SIDE, SIDE))
    known = draws.uniform(size=clean.shape) < 0.5 if task is HOLES else None
    small = SIDE // task.get("factor", 1)
    measurement = draws.uniform(-0.1, 1.1, (len(clean), small, small)) if known is None else clean * known
    cut = {"name": image, "path": None, "size": SIDE, "fit": "crop"} | more.pop("cut", {})
    words: dict[str, Any] = {"image": cut, "task": task}
    words["architecture"] = {"name": "skip", "down": [width] * 5}
    return make_run(
        results, name, measurement=measurement, known=known, clean=clean, **{"seeds": (0, 1, 2), **words, **more}
    )


def page(table: str, results: Path, *fits: Run, pixels: tuple[Run, ...] = (), scale: str = "laptop") -> Artifact:
    of = (selection(results, f"{kind}_{table}", *runs, scale=scale) for kind, runs in enumerated(fits, pixels))
    return draw(f"tables/{table}", *of)


def enumerated(fits: tuple[Run, ...], pixels: tuple[Run, ...]) -> list[tuple[str, tuple[Run, ...]]]:
    return [("table", fits), ("pixels", pixels)]


def found(page: Artifact, image: str, setting: str) -> dict[str, str]:
    (row,) = [row for row in rows(page) if (row["image"], row["setting"]) == (image, setting)]
    return row


def agrees(cell: str, values: Any, decimals: int = 2) -> bool:
    return cell == f"{np.mean(values):.{decimals}f}"


def seen(run: Run) -> tuple[classical.Array, classical.Array]:
    """What the first seed saw in float, and the clean picture."""
    return run.measured()["measurement"][0].astype(float), read_image(run.image("reference", 0))


@pytest.fixture
def no_denoisers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other methods take most of a test's time."""
    for name in list(classical.DENOISERS):
        monkeypatch.delitem(classical.DENOISERS, name)


def test_a_row_of_denoising_has_the_scores_in_float(tmp_path: Path) -> None:
    run = made_up(tmp_path, "a", "cset9/f16", AUTHORS)
    pixels = made_up(tmp_path, "b", "cset9/f16", AUTHORS, seeds=(0,))
    drawn = page("denoising", tmp_path, run, pixels=(pixels,))
    row, (noisy, clean) = found(drawn, "cset9/f16", "authors' noise"), seen(run)
    averaged = run.scores("average", "psnr")
    assert row["ours"] == row["averaged"]
    assert agrees(row["averaged"], averaged)
    assert agrees(row["spread"], np.ptp(averaged))
    assert agrees(row["raw"], run.scores("output", "psnr"))
    assert agrees(row["oracle"], run.summary["oracle_peak"]["psnr_average"])
    assert agrees(row["ssim"], run.scores("average", "ssim"), 3)
    assert agrees(row["two_replicas"], run.scores("mean_of_2", "psnr"))
    assert agrees(row["noisy"], run.scores("measurement", "psnr")[0])
    for name in set(part_of("tables/denoising", "METHODS")) & set(classical.DENOISERS):
        assert agrees(row[name], psnr(classical.DENOISERS[name](noisy, 25.0), clean))
    assert agrees(row["pixels_tv"], pixels.scores("output", "psnr"))
    assert (row["seeds"], row["iterations"], row["device"], row["minutes"]) == ("3", "120", "cpu", "1.5")
    assert float(row["difference"]) == pytest.approx(averaged.mean() - 33.69, abs=0.005)
    sources = json.loads(files(drawn, tmp_path / "page")["page.json"])
    assert [source["run"] for source in sources["runs"]] == [run.name, pixels.name]


@pytest.mark.parametrize("factor", [4, 8])
def test_a_row_of_super_resolution_has_the_scores_in_float(tmp_path: Path, factor: int) -> None:
    run = made_up(tmp_path, "a", "set14/zebra", larger(factor))
    pixels = made_up(tmp_path, "b", "set14/zebra", larger(factor), seeds=(0,))
    row = found(page("super_resolution", tmp_path, run, pixels=(pixels,)), "set14/zebra", f"x{factor}")
    last, (small, clean) = run.scores("output", "psnr_y_authors"), seen(run)
    assert agrees(row["ours"], last)
    assert agrees(row["spread"], np.ptp(last))
    assert agrees(row["averaged"], run.scores("average", "psnr_y_authors"))
    assert agrees(row["ssim"], run.scores("output", "ssim"), 3)
    for name, method in classical.UPSAMPLERS.items():
        assert agrees(row[name], psnr_y_authors(method(small, factor), clean))
    assert agrees(row["pixels_tv"], pixels.scores("output", "psnr_y_authors"))


def test_a_row_of_inpainting_has_the_scores_in_float(tmp_path: Path) -> None:
    run = made_up(tmp_path, "a", "standard11/boat", HOLES)
    pixels = made_up(tmp_path, "b", "standard11/boat", HOLES, seeds=(0,))
    row = found(page("inpainting", tmp_path, run, pixels=(pixels,)), "standard11/boat", "50 % missing")
    (holes, clean), known = seen(run), run.measured()["known"][0]
    assert agrees(row["ours"], run.scores("unperturbed", "psnr"))
    assert agrees(row["ssim"], run.scores("unperturbed", "ssim"), 3)
    assert agrees(row["last"], run.scores("output", "psnr"))
    assert agrees(row["averaged"], run.scores("average", "psnr"))
    for name, method in classical.INPAINTERS.items():
        assert agrees(row[name], psnr(method(holes, known), clean))
    assert agrees(row["pixels_tv"], pixels.scores("output", "psnr"))


def test_pixels_of_the_same_crop_count_where_their_older_record_lacks_a_setting(tmp_path: Path) -> None:
    run, older = (made_up(tmp_path, name, "standard11/boat", HOLES) for name in "ab")
    other = made_up(tmp_path, "c", "standard11/boat", HOLES)
    write_json(run.folder / "settings.json", run.settings | {"image": run.settings["image"] | {"page": None}})
    write_json(other.folder / "settings.json", other.settings | {"image": other.settings["image"] | {"page": 1}})
    run, other = Run(run.folder), Run(other.folder)
    assert same_picture(run, older)
    assert not same_picture(run, other)


@pytest.mark.parametrize("table", TABLES)
def test_rows_that_wait_are_there_and_say_so(table: str, tmp_path: Path) -> None:
    drawn = page(table, tmp_path, scale="paper")
    found = rows(drawn)
    assert len(found) == ROWS[table]
    assert list(found[0])[:10] == REQUIRED
    assert list(found[0])[-1] == "source"
    for row in found:
        assert row["ours"].startswith("not run")
        assert (row["device"], row["scale"]) == ("-", "paper")
        assert {row[name] for name in ("difference", "seeds", "iterations", "spread", "minutes")} == {"-"}
        assert float(row["published"]) > 0
    waiting = sum("mean" not in row["image"] for row in found)
    assert f"{waiting} of {waiting} rows wait" in drawn.message
    assert f"dip -m experiment=table_{table} scale=paper" in drawn.message
    assert f"dip -m experiment=pixels_{table} scale=paper" in drawn.message


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
def test_published_numbers_stand_next_to_their_row(
    tmp_path: Path, table: str, image: str, setting: str, wanted: dict[str, str]
) -> None:
    row = found(page(table, tmp_path), image, setting)
    assert {name: row[name] for name in wanted} == wanted


def test_a_mean_is_withheld_until_all_its_pictures_are_run(tmp_path: Path) -> None:
    images = [image for image in PICTURES if image.startswith("standard11/")]
    runs = [made_up(tmp_path, image[11:], image, HOLES) for image in images]
    some = rows(page("inpainting", tmp_path, *runs[:3], *runs[4:]))
    assert (some[3]["ours"], some[3]["published"]) == ("not run", "33.06")
    assert (some[-1]["ours"], some[-1]["difference"], some[-1]["biharmonic"]) == ("not run (10 of 11)", "-", "-")
    mean = rows(page("inpainting", tmp_path, *runs))[-1]
    each = [run.scores("unperturbed", "psnr") for run in runs]
    assert agrees(mean["ours"], each)
    assert agrees(mean["spread"], np.ptp(np.mean(each, axis=0)))
    assert float(mean["difference"]) == pytest.approx(np.mean(each) - 33.48, abs=0.005)
    assert mean["pixels_tv"] == "-"


@pytest.mark.usefixtures("no_denoisers")
def test_each_mean_of_denoising_is_of_its_own_column_also_where_a_seed_failed(tmp_path: Path) -> None:
    images = [image for image in PICTURES if image.startswith("cset9/")]
    runs = [
        made_up(tmp_path, f"{name}{image[6:]}", image, task, failed=[1] if (name, image) == ("a", images[0]) else [])
        for image in images
        for name, task in (("a", AUTHORS), ("f", FRESH))
    ]
    drawn = page("denoising", tmp_path, *runs)
    for setting, names in (
        ("authors' noise", ("raw", "unperturbed", "averaged", "two replicas")),
        ("fresh noise", ("raw", "unperturbed", "averaged")),
    ):
        for name in names:
            row, column = found(drawn, f"mean of cset9, {name}", setting), name.replace(" ", "_")
            single = [float(found(drawn, image, setting)[column]) for image in images]
            assert row["ours"] == row[column]
            assert float(row["ours"]) == pytest.approx(np.mean(single), abs=0.011)
    assert {row["two_replicas"] for row in rows(drawn) if row["setting"] == "fresh noise"} == {"-"}
    assert found(drawn, images[0], "authors' noise")["seeds"] == "2 (1 failed)"


@pytest.mark.usefixtures("no_denoisers")
def test_other_noise_than_the_tables_fills_no_row(tmp_path: Path) -> None:
    stronger = {**FRESH, "noise": {**FRESH["noise"], "sigma": 50.0}}
    drawn = page("denoising", tmp_path, made_up(tmp_path, "a", "cset9/f16", stronger))
    assert {row["ours"][:7] for row in rows(drawn)} == {"not run"}


def test_two_runs_for_one_row_are_not_chosen_from_silently(tmp_path: Path) -> None:
    runs = [made_up(tmp_path, name, "standard11/boat", HOLES) for name in "ab"]
    with pytest.raises(ValueError, match="2 runs of image=standard11/boat"):
        page("inpainting", tmp_path, *runs)


def test_what_rows_have_in_common_stands_above_them(tmp_path: Path) -> None:
    run = made_up(tmp_path, "a", "standard11/boat", HOLES, summary={"lost_iterations": [50, 0, 0]})
    pixels = made_up(tmp_path, "b", "standard11/boat", HOLES, seeds=(0,), precision="bf16")
    drawn = page("inpainting", tmp_path, run, pixels=(pixels,))
    assert found(drawn, "standard11/boat", "50 % missing")["scale"] == "laptop: middle 32 x 32, width 8"
    assert found(drawn, "standard11/lena", "50 % missing")["scale"] == "laptop"
    text = " ".join(str(drawn.shown).split())
    assert "1 of 11 rows are run, middle 32 x 32, width 8" in text
    assert "Behind it: no noise drawn, 3 seeds, 1 picture. Iterations lost to the guard: 50 of 480." in text
    assert (
        "metric: psnr_gray; seeds: 3; iterations: 120; device: cpu; precision: float32; pixels, TV: cpu, bf16 |" in text
    )
    lines = [line for line in str(drawn.shown).splitlines() if line.startswith("|")]
    assert len(lines) == ROWS["inpainting"] + 2
    below = str(drawn.shown).rpartition("|\n")[2]
    assert all(f"`{name}`" in below for name in ("ours", "last", "averaged", "spread", "pixels_tv"))


@pytest.mark.usefixtures("no_denoisers")
def test_at_paper_scale_the_stand_in_has_a_row_once_it_is_run(tmp_path: Path) -> None:
    run = made_up(tmp_path, "a", "cset9/f16", AUTHORS, seeds=(0,), width=128, precision="bf16")

    def stand_in(scale: str) -> list[dict[str, str]]:
        selections = [selection(tmp_path, name, *runs, scale=scale) for name, runs in wanted]
        return rows(draw("tables/denoising", *selections))

    wanted: list[tuple[str, tuple[Run, ...]]] = [("table_denoising", ()), ("pixels_denoising", ())]
    wanted += [("fig4_stand_in", (run,))]
    row = stand_in("paper")[-1]
    assert row["setting"] == "middle 32 x 32, the paper's network (stands in)"
    assert (row["scale"], row["device"], row["minutes"]) == ("paper: middle 32 x 32, width 128", "cpu", "1.5")
    assert row["precision"] == "bf16"
    assert (row["published"], row["seeds"], row["spread"], row["two_replicas"]) == ("33.69", "1", "-", "-")
    assert len(stand_in("laptop")) == ROWS["denoising"]
