"""Figure 2 of the user's own picture, from the commands of the Makefile to the pages."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import load_image
from fake_runs import part_of
from matplotlib.figure import Figure

from dip_experiments.analysis.artifact import ENDINGS
from dip_experiments.data.reading import read_image
from dip_experiments.store import Run, unpack, write_image

ROOT = Path(__file__).parents[1]
REQUEST = "image=file image.path=photo.png image.size=32 replicas=2"
NAMED = "image-file-image-path-photo-png-image-size-32-replicas-2"
PAGES = {"figures/fig2": ("csv", "json", "pdf", "png"), "tables/impedance": ("csv", "json", "md")}
GRID = {(network, target) for network in ("skip", "pixels") for target in ("natural", "noisy", "shuffled", "noise")}
ANOTHER = "of another request"


def pages_of_the_experiment(results: Path) -> Iterator[Path]:
    """Where its own request is drawn: the committed pages, and those of one's own runs."""
    for folder in (results / "smoke", results / "reproduced" / "smoke"):
        yield from (folder / f"{place}.{ending}" for place in PAGES for ending in ENDINGS)


def titles_seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, ...]]:
    """Titles of the figures that will be saved: above all, and above each part."""
    titles, save = set[tuple[str, ...]](), Figure.savefig

    def seen(figure: Figure, *where: object, **how: object) -> None:
        titles.add(tuple(part.get_suptitle() for part in (figure, *figure.subfigs)))
        save(figure, *where, **how)

    monkeypatch.setattr(Figure, "savefig", seen)
    return titles


@pytest.mark.slow
def test_figure_2_of_ones_own_picture_is_of_its_own_fits_and_has_pages_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.png", np.random.default_rng(0).uniform(size=(3, 40, 48)))
    photo, results = load_image("file", "photo.png", 32, "resize"), tmp_path / "results"
    titles = titles_seen(monkeypatch)
    monkeypatch.setattr(sys, "argv", sys.argv)
    commands, run_command = (part_of("tools/smoke", name) for name in ("commands", "run_command"))
    for page in pages_of_the_experiment(results):
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(ANOTHER)
    fit, *further = commands("reproduce-fig2", "SCALE=smoke", f"RESULTS={results}", f"ARGS={REQUEST} logger=none")
    assert run_command(fit) == 0
    runs = {path.name: Run(path) for path in (results / "runs").iterdir() if path.is_dir()}
    fitted = {(run.settings["architecture"]["name"], run.settings["target"]["name"]): run for run in runs.values()}
    assert set(fitted) == GRID
    for (_, target), run in fitted.items():
        assert run.seeds == [0, 1]
        if target == "natural":
            np.testing.assert_allclose(read_image(run.image("target", 0)), photo, rtol=0, atol=1 / 255)
    capfd.readouterr()
    assert [run_command(command) for command in further] == [0] * 2
    told = capfd.readouterr().out
    for page in pages_of_the_experiment(results):
        assert page.exists(), page
        assert page.read_text() == ANOTHER, page
    folder = results / "reproduced" / "smoke"
    found = {path.relative_to(folder).as_posix() for path in folder.glob("*/*-*")}
    assert found == {f"{place}-{NAMED}.{ending}" for place, endings in PAGES.items() for ending in endings}
    for place in PAGES:
        behind = json.loads((folder / f"{place}-{NAMED}.json").read_text())
        assert behind["request"] == REQUEST
        assert {source["run"] for source in unpack(behind)} == set(runs)
        assert f"See {folder / place}-{NAMED}." in told
    ((above, below, _),) = titles
    assert above == REQUEST
    assert below == "file 32 x 32, width 8, Adam 0.01, mean and range over seeds 0, 1; scale smoke"
    assert (folder / f"tables/impedance-{NAMED}.md").read_text().startswith(f"Asked for with {REQUEST}.\n")
    assert "8 of 8 runs of fig2: no committed number for these settings" in told
