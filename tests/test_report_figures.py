"""Figures and tables in the report: Figure 2 first, then in the paper's order, each with its caption and command."""

import csv
import re
from pathlib import Path

import pytest
from fake_runs import make_targets
from synthetic_report import composed, denoising, details, figure, page, report

from dip_experiments.config.groups import conf_folder
from dip_experiments.report.drawn import Drawn, all_pages, header, numbers
from dip_experiments.report.gathering import Gathered
from dip_experiments.report.page import index
from dip_experiments.store import read_json, write_json

RESULTS = Path(__file__).parents[1] / "results"


@pytest.fixture(scope="module")
def pages() -> list[list[Drawn]]:
    """All that is drawn in this repository."""
    return all_pages(RESULTS, conf_folder() / "experiment")


@pytest.fixture(scope="module")
def html(pages: list[list[Drawn]]) -> str:
    return index(Gathered([], {}), pages, composed)


def test_the_page_opens_with_figure_2_at_the_papers_scale_then_come_the_newest_runs(html: str) -> None:
    headings = re.findall(r"<h2>([^<]*)</h2>", html[html.index('class="plates"') :])
    assert headings[:3] == ["Figure 2", "Your newest runs", "Figure 3"]
    assert re.findall(r'class="drawn[^>]*id="page-([^"]*)"', html)[:2] == [
        "paper/figures/fig2",
        "paper/tables/impedance",
    ]
    assert html.index("Iterations until 90 % is explained") < html.index("Your newest runs")


def test_figure_2_is_shown_with_its_impedance_and_what_the_papers_curves_do(pages: list[list[Drawn]]) -> None:
    with (RESULTS / "laptop" / "tables" / "impedance.csv").open() as file:
        ratios = {(row["architecture"], row["target"]): row["impedance_ratio"] for row in csv.DictReader(file)}
    (drawn,) = [one for one in pages[0] if one.key == "laptop/figures/fig2"]
    _, head, rows = drawn.numbers
    assert head == ("target", "ours", "impedance", "of pixels alone", "the paper's curve, no numbers")
    assert [row[0] for row in rows] == ["natural", "noisy", "shuffled", "noise"]
    assert [row[2:4] for row in rows] == [[ratios["skip", row[0]], ratios["pixels", row[0]]] for row in rows]
    assert [row[4] for row in rows] == ["falls at once"] * 2 + ["plateau first"] * 2
    assert re.fullmatch(r"\d+ \(\d+ to \d+\)", rows[0][1])


def test_figures_are_in_the_papers_order_and_the_largest_scale_first(pages: list[list[Drawn]]) -> None:
    names = [page[0].name for page in pages if page[0].shelf == "The paper's figures"]
    assert names[:2] == ["fig2", "fig3"]
    assert names[-1] == "fig10"
    shelves = [page[0].shelf for page in pages]
    assert shelves == sorted(shelves, key=["The paper's figures", "The paper's tables, its supplement", "Ours"].index)
    for drawn in pages:
        scales = [one.scale for one in drawn]
        assert scales == sorted(scales, key=["paper", "laptop", "demo", "smoke"].index)


def test_every_caption_is_one_pages_own(pages: list[list[Drawn]], html: str) -> None:
    captions = [page[0].about for page in pages]
    assert all(captions)
    assert len(set(captions)) == len(captions)
    assert html.count('<p class="about">') == len(captions)
    (fidelity,) = [page[0] for page in pages if page[0].name == "fidelity"]  # of runs of many experiments
    assert fidelity.about.startswith("Ours against the paper's numbers")
    assert not fidelity.expected


def test_everything_that_is_drawn_here_names_a_command_of_the_makefile(pages: list[list[Drawn]]) -> None:
    targets = make_targets()
    drawn = [one for page in pages for one in page]
    assert len(drawn) > 20
    for one in drawn:
        assert one.command.split()[0] == "make", one.key
        assert one.command.split()[1] in targets, one.key
        assert (one.command == "make paper") == (one.scale == "paper" and one.name != "fig4_stand_in"), one.key


def test_a_figure_has_its_caption_numbers_command_and_runs(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = denoising(results)
    experiments = figure(results, run)
    (drawn, table) = (one for page in all_pages(results, experiments) for one in page)
    assert (drawn.title, drawn.about, drawn.command, drawn.tag) == (
        "Figure 4",
        "Figure 4 of the paper: denoising.",
        "make reproduce-fig4 SCALE=smoke",
        "smoke figure",
    )
    assert drawn.expected == [("Expected at paper", "30.7 dB.")]
    assert drawn.numbers == (
        "Ours",
        ("curve", "oracle psnr", "at iteration", "last", "at iteration"),
        [["output", "1e+04", "100", "9600", "120"]],
    )
    assert table.numbers == (
        "Ours and published",
        ("image", "setting", "ours", "published", "difference"),
        [["f16", "fresh", "29", "30", "-1"]],
    )
    assert table.experiment == drawn.experiment  # the runs of both are of that one, and they share its caption


def test_figures_of_own_runs_come_after_the_records_and_have_their_request(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = denoising(results)
    experiments = figure(results, run)
    source = results / "smoke" / "figures" / "fig4.json"
    for name in ("fig4", "fig4-seed-3"):
        for ending in ("json", "csv", "png"):
            copy = results / "reproduced" / "laptop" / "figures" / f"{name}.{ending}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.with_suffix(f".{ending}").read_bytes())
    write_json(copy.with_suffix(".json"), read_json(copy.with_suffix(".json")) | {"request": "seed=3"})
    (drawn,) = all_pages(results, experiments)
    assert [one.tag for one in drawn] == [
        "smoke figure",
        "smoke table",
        "laptop figure, your own runs",
        "laptop figure, your own runs, seed=3",
    ]
    assert drawn[-1].command == 'make reproduce-fig4 ARGS="seed=3"'
    report(results, experiments)
    assert "assets/smoke/figures/fig4.png" in page(results)
    assert "assets/reproduced/laptop/figures/fig4-seed-3.png" in page(results)
    assert "Figure 4 (smoke figure)" in details(results, run)["html"]


def test_impedance_is_that_of_the_same_request(tmp_path: Path) -> None:
    tables, figures = tmp_path / "tables", tmp_path / "figures"
    for folder in (tables, figures):
        folder.mkdir()
    head = "architecture,target,seeds,iterations90_median,iterations90_min,iterations90_max,impedance_ratio\n"
    (tables / "impedance-seed-3.csv").write_text(f"{head}skip,natural,1,7,7,7,1.00\nskip,mine,1,9,8,9,1.29\n")
    for name in ("fig2-seed-3", "fig2"):
        (figures / f"{name}.csv").write_text("target,iteration,mse_mean\nnatural,1,0.5\n")
    assert numbers(figures / "fig2-seed-3.csv")[2] == [
        ["natural", "7", "1.00", "-", "falls at once"],
        ["mine", "9 (8 to 9)", "1.29", "-", "-"],
    ]
    assert numbers(figures / "fig2.csv")[0] == "Ours"


def test_an_experiment_says_what_it_is_by_its_labels() -> None:
    said = header(conf_folder() / "experiment" / "fig4.yaml")
    assert said[""].startswith("Figure 4 of the paper")
    assert said["Command"] == "make reproduce-fig4"
    assert said["Expected at paper"].startswith("a single output peaks at 30.7 dB")
