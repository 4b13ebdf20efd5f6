"""Claims about the README, the pages of docs/ and their notebook."""

import csv
import json
import re
import runpy
import shlex
import subprocess
from itertools import chain
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from dip_experiments.config.compose import read_requests
from dip_experiments.config.overrides import to_hydra_overrides
from dip_experiments.stopping.rule import StoppingRule

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
WITH_COMMANDS = [README, *(DOCS / f"{name}.md" for name in ("tutorial", "your_image", "sweeps", "early_stopping"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
TARGET = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
CITED = re.compile(r"PAPER detail (\d+)")


def blocks(page: Path) -> str:
    """Return the code blocks of a page that are neither Python nor YAML."""
    return "\n".join(re.findall(r"^```\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))


def commands() -> list[str]:
    """Return the commands of the pages that fit, without the other commands of dip."""
    lines = [line for page in WITH_COMMANDS for line in blocks(page).splitlines() if re.match(r"dip( -m)? \S+=", line)]
    return sorted({line.partition("  #")[0].strip() for line in lines})


def columns_of(rule: type[StoppingRule]) -> set[str]:
    """Return the curves of a rule of the package and of all that inherit it; other tests have rules of their own."""
    here = rule.columns if rule.__module__.startswith("dip_experiments.") else ()
    return set(here).union(*map(columns_of, rule.__subclasses__()))


def test_the_readme_is_short() -> None:
    text = README.read_text()
    assert len(text.split()) <= 1200
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_are_there(page: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_lines_that_a_page_links_to_define_what_is_named() -> None:
    found = re.findall(r"\[(\w+)\]\(([^)\s]+\.py)#L(\d+)\)", (DOCS / "extending.md").read_text())
    assert len(found) > 8
    for name, path, line in found:
        source = (DOCS / path).read_text().splitlines()[int(line) - 1]
        assert re.match(rf"(class {name}|def {name}|def draw)\(", source), (path, line, source)


def test_code_of_an_example_stands_on_its_page() -> None:
    _, code = (ROOT / "examples" / "my_figure.py").read_text().split('"""\n\n', 1)
    assert code in (DOCS / "extending.md").read_text()


def test_pictures_of_the_readme_are_cut_out_of_the_figures_as_they_are_now() -> None:
    images = runpy.run_path(str(ROOT / "scripts" / "tools" / "readme_images.py"))
    assert {f"docs/images/{name}" for name in images["CUTS"]} <= set(LINK.findall(README.read_text()))
    for name in images["CUTS"]:
        with Image.open(DOCS / "images" / name) as committed:
            np.testing.assert_array_equal(np.asarray(committed), np.asarray(images["cut"](name)))


def test_details_of_the_paper_that_the_code_cites_can_be_looked_up() -> None:
    sources = chain((ROOT / "dip_experiments").rglob("*.py"), (ROOT / "conf").rglob("*.yaml"))
    cited = {detail for path in sources for detail in CITED.findall(path.read_text())}
    explained = set(re.findall(r"^### Detail (\d+)$", (DOCS / "paper.md").read_text(), re.MULTILINE))
    assert len(cited) > 8
    assert cited <= explained


def test_columns_and_keys_of_runs_are_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", (DOCS / "runs.md").read_text()))
    assert len(columns_of(StoppingRule)) > 10
    assert columns_of(StoppingRule) <= explained
    for record in (ROOT / "results").glob("*/records/*/"):
        if (record / "summary.json").exists():
            with (record / "curves.csv").open() as file:
                assert set(next(csv.reader(file))) <= explained
            assert set(json.loads((record / "summary.json").read_text())) - {"files", "seal"} <= explained


def test_targets_of_make_that_the_pages_name_exist() -> None:
    targets = set()
    for page in PAGES:
        inline = re.findall(r"`[^`]+`", page.read_text())
        targets |= set(TARGET.findall("\n".join([*inline, blocks(page)])))
    assert len(targets) > 20
    for target in targets - {"reproduce-", "table-", "study-"}:
        made = subprocess.run(["make", "-n", "-o", "setup", target], cwd=ROOT, capture_output=True, text=True)
        assert "No rule to make target" not in made.stderr, target


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_pages_compose(command: str) -> None:
    _, *overrides = shlex.split(command)
    multirun = overrides[0] == "-m"
    (request,) = read_requests(to_hydra_overrides(overrides[multirun:], multirun=multirun), multirun=multirun)
    assert request.jobs


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_run_and_write_no_file(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.outputs for cell in notebook.cells[-2:] if cell.cell_type == "code")
    assert list(tmp_path.iterdir()) == []
