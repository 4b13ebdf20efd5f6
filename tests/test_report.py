"""The report page, as it is written: what it holds, what it says is not there, what it never does."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, Dip, only_run
from fake_runs import make_run
from synthetic_report import (
    CLOSING,
    NASTY,
    RISING,
    asset,
    denoising,
    details,
    figure,
    page,
    record_of,
    refinish,
    report,
)

from dip_experiments.report.curves import chart
from dip_experiments.report.numbers import score_table, spread, stop_table
from dip_experiments.report.page import HERE, SCRIPTS, STYLES
from dip_experiments.report.pictures import described
from dip_experiments.report.settings import differing, text
from dip_experiments.store import Store


@pytest.mark.parametrize("typed", [NASTY, CLOSING, "' onmouseover='x"])
def test_what_users_typed_is_never_html(tmp_path: Path, typed: str) -> None:
    run = denoising(tmp_path, image=typed, experiment={"name": typed}, optimizer={"name": typed, "lr": 0.5})
    report(tmp_path)
    assert typed not in page(tmp_path)
    assert "</script>" not in asset(tmp_path, run)
    found = details(tmp_path, run)
    assert typed in found["title"]  # as a text of JSON it is there to the letter
    assert typed not in found["html"]


def test_what_users_typed_is_no_template(tmp_path: Path) -> None:
    denoising(tmp_path, image="{{ 7 * 7 }}")
    report(tmp_path)
    assert "{{ 7 * 7 }}</option>" in page(tmp_path)


def test_markdown_of_a_table_may_hold_no_html(tmp_path: Path) -> None:
    experiments = figure(tmp_path / "results", denoising(tmp_path / "results"))
    report(tmp_path / "results", experiments)
    assert "<img src=x" not in page(tmp_path / "results")
    assert '<td class="right">2</td>' in page(tmp_path / "results")


def test_a_run_that_is_whole_and_a_record_is_shown_once_and_whole(tmp_path: Path) -> None:
    run = denoising(tmp_path)
    Store(tmp_path).export_record(run, "smoke", ["reference"])
    assert report(tmp_path).runs == 1
    assert "runs/aaaa" in details(tmp_path, run)["html"]
    shutil.rmtree(run.folder)
    assert report(tmp_path).runs == 1
    assert "smoke/records/aaaa" in details(tmp_path, run)["html"]


def test_what_is_not_shown_is_reported_with_its_reason(tmp_path: Path) -> None:
    denoising(tmp_path)
    broken, begun, failed = (make_run(tmp_path, name) for name in ("broken", "begun", "failed"))
    (broken.folder / "curves.csv").write_text("changed")
    for run in (begun, failed):
        (run.folder / "summary.json").unlink()
    (failed.folder / "failure.txt").write_text("out of memory")
    written = report(tmp_path)
    assert written.runs == 1
    assert dict(written.left_out) == {
        "begun": "not finished",
        "broken": "curves.csv was changed",
        "failed": "failed",
    }
    assert "curves.csv was changed" in page(tmp_path)


def test_a_damaged_whole_run_is_shown_by_its_record(tmp_path: Path) -> None:
    run = denoising(tmp_path)
    Store(tmp_path).export_record(run, "smoke")
    (run.folder / "curves.csv").write_text("changed")
    assert report(tmp_path).runs == 1
    assert "smoke/records/aaaa" in details(tmp_path, run)["html"]


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    experiments = figure(tmp_path / "results", denoising(tmp_path / "results"))

    def written() -> dict[str, bytes]:
        folder = report(tmp_path / "results", experiments).page.parent
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = written()
    assert first == written()
    assert {path.split("/")[0] for path in first} == {"index.html", "assets"}


def test_what_a_former_report_had_and_this_has_not_is_gone(tmp_path: Path) -> None:
    denoising(tmp_path)
    gone = make_run(tmp_path, "gone")
    report(tmp_path)
    shutil.rmtree(gone.folder)
    report(tmp_path)
    assert not list((tmp_path / "report").rglob("gone*"))


def test_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    experiments = figure(tmp_path / "results", denoising(tmp_path / "results"))
    report(tmp_path / "results", experiments)
    named = set(re.findall(r"https?://[^\s\"'<>)]*", page(tmp_path / "results")))
    assert named == {"https://github.com/leeoniya/uPlot"}  # in the comment that names the library
    assert "default-src 'none'" in page(tmp_path / "results")


def test_scripts_and_styles_are_short_and_all_of_them_are_in_the_page() -> None:
    own = [path for path in HERE.iterdir() if path.suffix in (".js", ".css", ".j2")]
    assert {path.name for path in own if path.suffix == ".js"} == {f"{name}.js" for name in SCRIPTS}
    assert {path.name for path in own if path.suffix == ".css"} == {f"{name}.css" for name in STYLES}
    assert max(len(path.read_text().splitlines()) for path in own) < 300
    assert (HERE / "vendor" / "LICENSE").read_text().startswith("The MIT License")


def test_settings_that_differ_from_the_experiment_come_before_those_that_it_brings() -> None:
    here = {"optimizer": {"lr": 0.5, "name": "adam"}, "seed": 1, "down": [8, 8, 8], "logger": {"name": "wandb"}}
    experiment = {"optimizer": {"lr": 0.5, "name": "adam"}, "seed": 0, "down": [8, 8, 8], "logger": {"name": "none"}}
    plain = {"optimizer": {"lr": 0.01, "name": "adam"}, "seed": 0, "down": [4]}
    assert differing(here, experiment, plain) == [
        ("seed", "1", "0", "0"),
        ("down", "8 x 3", "8 x 3", "[4]"),
        ("optimizer.lr", "0.5", "0.5", "0.01"),
    ]
    assert text([4, 4, 8]) == "[4, 4, 8]"


def test_a_curve_is_thinned_but_has_its_ends_and_every_stop(tmp_path: Path) -> None:
    long = np.linspace(10, 30, 6000) + np.arange(2)[:, None]
    run = make_run(tmp_path, "long", curves={"psnr_average": long, "loss": long[:1].repeat(2, 0)})
    stop = {"iteration": [4321, None], "final": [True, False], "joint": 1, "joint_final": True, "facts": {}}
    refinish(run, stopping={"split": stop})
    drawn = chart(type(run)(run.folder))
    assert len(drawn["iteration"]) < 700
    assert {1, 4321, 6000} <= set(drawn["iteration"])
    values = {column["name"]: column["values"] for column in drawn["columns"]}
    assert values["psnr_average"][1][-1] == 31.0
    assert len(values["loss"]) == 1  # the same for both seeds
    assert [column["name"] for column in drawn["columns"]][:2] == ["psnr_average", "psnr_reference"]


def test_stops_and_scores_are_reported_with_their_spread(tmp_path: Path) -> None:
    run = denoising(tmp_path)
    _, (fixed, split) = stop_table(run)
    assert fixed[:4] == ["fixed", "50", "2 of 2", "50"]
    assert split[1:4] == ["85 (80 to 90)", "1 of 2", "85, not sure"]
    best = RISING[:, -1]
    assert split[4:6] == ["19.50 (18.00 to 21.00)", spread([best[0] - 18, best[1] - 21], 2)]
    assert split[6] == "sigma 24.99 (estimated); estimated PSNR 30.00 +- 0.43 dB"
    head, rows = score_table(run)
    assert head == ["picture", "PSNR, dB", "SSIM"]
    assert "stop" not in str(rows)
    assert spread([-0.001, 0.001], 2) == "0.00"


def test_pictures_are_of_the_first_seed_and_errors_are_against_the_clean_one(tmp_path: Path) -> None:
    run = denoising(tmp_path)
    found = described(run)
    assert found["seed"] == 3
    assert found["outputs"] == {100: "iteration-000100", 120: "iteration-000120"}
    assert found["averages"] == {20: "average-000020", 120: "average"}
    assert found["against"] == "reference"
    run.image("reference", 0).unlink()
    assert described(run)["against"] == "target"
    record = record_of(tmp_path, denoising(tmp_path, "b" * 16))
    assert described(record)["outputs"] == {}
    assert described(record)["others"] == {"reference": "clean picture"}


def test_a_seed_that_failed_has_no_numbers_and_is_reported(tmp_path: Path) -> None:
    run = make_run(tmp_path, "half", failed=[0])
    assert report(tmp_path).runs == 1
    found = details(tmp_path, run)
    assert found["seeds"] == [4]
    assert all(len(column["values"]) == 1 for column in found["chart"]["columns"])
    assert "replica 0 (seed 3) failed at iteration 9" in found["html"]
    assert found["pictures"]["seed"] == 4
    shown = tmp_path / "report" / "assets" / "pictures" / "half" / "average.png"
    assert shown.read_bytes() == run.image("average", 1).read_bytes()


def test_of_a_run_as_dip_makes_it_the_settings_that_were_asked_for_are_those_that_differ(
    tmp_path: Path, dip: Dip
) -> None:
    words = ["fit.iterations=4", "fit.block=2", "optimizer.lr=0.5", "target=noise"]
    assert dip(*SMALL[:-2], *words) == 0
    assert dip("report") == 0
    found = details(tmp_path / "results", only_run(tmp_path))
    rows = re.findall(r'<tr><th scope="row"><code>([^<]*)</code></th><td>([^<]*)</td>', found["html"])
    assert dict(rows) == {
        "architecture.down": "8 x 3",
        "architecture.skip": "4 x 3",
        "architecture.up": "8 x 3",  # follows from down
        "fit.block": "2",
        "fit.iterations": "4",
        "image.size": "32",
        "optimizer.lr": "0.5",
        "target.name": "noise",
    }


def test_dip_report_takes_the_results_folder_alone(
    tmp_path: Path, dip: Dip, capsys: pytest.CaptureFixture[str]
) -> None:
    denoising(tmp_path / "results")
    assert dip("report", "scale=smoke") == 2
    assert "paths.results=FOLDER alone" in capsys.readouterr().err
    assert dip("report") == 0
    assert "1 runs, 0 figures" in capsys.readouterr().out
    assert (tmp_path / "results" / "report" / "index.html").exists()


def test_dip_report_of_no_folder_says_so(dip: Dip, capsys: pytest.CaptureFixture[str]) -> None:
    assert dip("report") == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_each_seed_is_a_choice_of_the_filters(tmp_path: Path) -> None:
    denoising(tmp_path)
    report(tmp_path)
    found = re.search(r'<select name="seed">(.*?)</select>', page(tmp_path))
    assert found
    assert re.findall(r'<option value="(\d+)">', found[1]) == ["3", "4"]
