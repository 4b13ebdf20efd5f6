"""A reproduction fits, and draws its own runs of its own request apart from the committed ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from fake_runs import a_record, make_run, make_targets, name_of

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.figure_cli import HARMLESS, _harmless, artifact_name, run_script
from dip_experiments.cli import paper_queue
from dip_experiments.cli.paper_queue import Row
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import options
from dip_experiments.config.plain_settings import Scale
from dip_experiments.config.settings import Settings
from dip_experiments.jobs.job_status import REUSE_RECORDS
from dip_experiments.runner.select_runs import select
from dip_experiments.schema import NotHashed
from dip_experiments.store import Baselines, Selection, Store, read_json

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("composed_once")
FIG10 = ["experiment=fig10", "scale=smoke"]


# Runs and records


def test_own_runs_and_records_are_found_apart(tmp_path: Path) -> None:
    record = a_record(tmp_path, *FIG10)
    assert not select("fig10", "smoke", tmp_path).runs, "a record is no run of one's own"
    for origin in ("records", "either"):
        assert select("fig10", "smoke", tmp_path, origin=origin).runs == [record]
    own = make_run(tmp_path, record.name)
    assert select("fig10", "smoke", tmp_path).runs == [own]
    assert select("fig10", "smoke", tmp_path, origin="records").runs == [record]
    assert select("fig10", "smoke", tmp_path, origin="either").runs == [own]


def test_the_kind_of_device_that_is_requested_is_the_one_that_is_found(tmp_path: Path) -> None:
    own = make_run(tmp_path, name_of(*FIG10))
    assert select("fig10", "smoke", tmp_path, ["device=cpu"]).runs == [own]
    assert not select("fig10", "smoke", tmp_path, ["device=cuda"]).runs


def test_the_queue_that_completes_the_records_takes_them_for_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = f"import os, sys; sys.exit({REUSE_RECORDS!r} not in os.environ)"
    monkeypatch.setattr(paper_queue, "FIT", (sys.executable, "-c", asked))
    assert paper_queue.fit(Row("fig10", (), 1.0), []) == 0
    assert REUSE_RECORDS not in os.environ


def test_what_others_made_of_own_runs_goes_with_them_into_the_records(tmp_path: Path) -> None:
    own, kept = Baselines(tmp_path / "own"), Baselines(tmp_path / "kept")
    for measurement in ("seen", "another"):
        own.add("nlm", "1", measurement, {}, {"psnr": 1.0})
    kept.add("nlm", "1", "seen", {}, {"psnr": 2.0})
    own.add("tv", "1", "seen", {}, {"psnr": 3.0})
    own.give(kept, {"seen"})
    found = {method: kept.find(method, None, "seen", {}) for method in ("nlm", "tv")}
    assert found == {"nlm": {"psnr": 2.0}, "tv": {"psnr": 3.0}}, "what is committed stays"
    assert kept.find("nlm", None, "another", {}) is None


# Drawings


def drawn(monkeypatch: pytest.MonkeyPatch, results: Path, *words: str, figure: bool = False) -> int:
    """Exit code of a script that draws the names of its runs, or a figure with a title."""

    def draw(selection: Selection) -> Artifact:
        runs = selection.complete_runs
        shown = plt.figure()
        if not figure:
            plt.close(shown)
        table = pd.DataFrame({"run": ["one"]})
        return Artifact(shown if figure else " ".join(run.name for run in runs), table, runs)

    monkeypatch.setattr(sys, "argv", ["figure.py", "--scale", "smoke", "--results", str(results), *words])
    return run_script({"figures/fig10": draw}, select, ["fig10"])


def texts(results: Path) -> dict[str, str]:
    return {path.relative_to(results).as_posix(): path.read_text() for path in sorted(results.rglob("figures/*.md"))}


OWN, COMMITTED = "reproduced/smoke/figures/fig10", "smoke/figures/fig10"


def test_own_runs_are_drawn_apart_and_records_alone_are_redrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    record = a_record(tmp_path, *FIG10)
    assert drawn(monkeypatch, tmp_path) == 2
    assert "1 of 1 runs of fig10 at scale smoke are not there; make them: dip -m" in capfd.readouterr().err
    assert drawn(monkeypatch, tmp_path, "--records") == 0
    assert texts(tmp_path) == {f"{COMMITTED}.md": record.name}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("smoke/figures/*")}
    make_run(tmp_path, record.name)
    assert drawn(monkeypatch, tmp_path) == 0
    assert f"See {tmp_path / OWN}.md" in capfd.readouterr().out
    assert texts(tmp_path) == {f"{COMMITTED}.md": record.name, f"{OWN}.md": record.name}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("smoke/figures/*")} == before
    shutil.rmtree(record.folder)
    assert drawn(monkeypatch, tmp_path, "--records") == 2
    assert "then: dip keep fig10" in capfd.readouterr().err


def test_a_page_of_another_request_says_so_and_leaves_the_own_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, other = (make_run(tmp_path, name_of(*FIG10, *words)) for words in ([], ["seed=3"]))
    assert drawn(monkeypatch, tmp_path) == 0
    assert drawn(monkeypatch, tmp_path, "seed=3", "logger=none") == 0
    assert texts(tmp_path) == {
        f"{OWN}-seed-3.md": f"Asked for with seed=3.\n\n{other.name}",
        f"{OWN}.md": plain.name,
    }
    assert read_json(tmp_path / f"{OWN}-seed-3.json")["request"] == "seed=3"
    assert "request" not in read_json(tmp_path / f"{OWN}.json")
    titles: list[str] = []
    monkeypatch.setattr(plt.Figure, "savefig", lambda self, *_, **__: titles.append(self.get_suptitle()))
    assert drawn(monkeypatch, tmp_path, "seed=3", figure=True) == 0
    assert set(titles) == {"seed=3"}


def test_pages_of_a_script_share_their_runs_and_one_that_fails_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    selected: list[str] = []

    def counted(name: str, *rest: Any) -> Selection:
        selected.append(name)
        return select(name, *rest)

    def fails(selection: Selection) -> Artifact:
        raise ValueError(f"{len(selection.runs)} runs are too few")

    def works(selection: Selection) -> Artifact:
        return Artifact("text", pd.DataFrame({"run": ["one"]}), selection.runs)

    make_run(tmp_path, name_of(*FIG10))
    monkeypatch.setattr(sys, "argv", ["figure.py", "--scale", "smoke", "--results", str(tmp_path)])
    assert run_script({"figures/a": fails, "tables/b": fails, "tables/c": works}, counted, ["fig10"]) == 2
    assert selected == ["fig10"]
    assert capfd.readouterr().err == "1 runs are too few\n"
    assert [path.name for path in tmp_path.rglob("*.md")] == ["c.md"]


def test_overrides_that_change_no_number_draw_the_same_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, name_of(*FIG10))
    harmless = ["logger=none", "device=cpu", "hydra/launcher=basic", "force=true", "resume", "-m"]
    assert drawn(monkeypatch, tmp_path, *harmless) == 0
    assert texts(tmp_path) == {f"{OWN}.md": run.name}


def test_settings_that_are_called_harmless_change_no_runs_name() -> None:
    of_hydra = {name for name in HARMLESS if name.startswith("hydra.")}
    for name in set(HARMLESS) - {*of_hydra, "device"}:  # of a device the kind counts, by which a run is looked for
        group, _, leaf = name.partition(".")
        field = Settings.model_fields[group]
        field = field.annotation.model_fields[leaf] if leaf else field
        assert any(isinstance(mark, NotHashed) for mark in field.metadata), name


def test_a_smaller_grid_is_another_request() -> None:
    assert _harmless("hydra/launcher=basic")
    assert not _harmless("hydra.sweeper.params.image=cset9/f16")


def test_where_a_drawing_fails_no_earlier_page_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, name_of(*FIG10, "seed=3"))
    plain = make_run(tmp_path, name_of(*FIG10))
    for words in ([], ["--records"], ["seed=3"]):
        Store(tmp_path).export_record(plain, "smoke")
        assert drawn(monkeypatch, tmp_path, *words) == 0
    shutil.rmtree(run.folder)
    assert drawn(monkeypatch, tmp_path, "seed=3") == 2
    assert set(texts(tmp_path)) == {f"{COMMITTED}.md", f"{OWN}.md"}
    assert not list(tmp_path.glob(f"{OWN}-seed*"))


def test_long_requests_and_files_have_names_of_their_own() -> None:
    assert artifact_name("figures/fig2", "") == "figures/fig2"
    assert artifact_name("figures/fig2", "image=cset9/f16 replicas=5") == "figures/fig2-image-cset9-f16-replicas-5"
    assert artifact_name("figures/fig2", "image.path=photo.png") == "figures/fig2-image-path-photo-png"
    apart = ["optimizer.lr=1e-3", "optimizer.lr=1e+3", *(f"image.path=/home/{who}/my photo.png" for who in "ab")]
    assert len({artifact_name("figures/fig2", request) for request in apart}) == 4
    assert artifact_name("figures/fig2", apart[-1]).startswith("figures/fig2-image-path-my-photo-png-")
    long = [f"optimizer.lr=0.01 image={'cset9/' * 12}{end}" for end in ("a", "b")]
    one, other = (artifact_name("figures/fig2", request) for request in long)
    assert one != other
    assert len(one) < 90
    assert Path(one).suffix == ""


@pytest.mark.slow
def test_figure_2_of_the_users_own_picture_is_as_large_as_that_of_the_astronaut() -> None:
    words = ["experiment=fig2", "scale=laptop", "image=file", "image.path=photo.png"]
    job, *_ = compose_jobs(words, multirun=True)
    assert (job.image.size, job.image.fit) == (128, "resize")


def test_every_drawing_and_comparison_of_the_makefile_gets_the_overrides_of_the_request(tmp_path: Path) -> None:
    kinds = ("reproduce", "table", "study", "ablation", "stand", "restored")
    asked = sorted(name for name in make_targets() if name.startswith(kinds))
    command = ["make", "-n", "-o", "setup", *asked, "ARGS=replicas=5", f"RESULTS={tmp_path}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    lines = [line for line in told.splitlines() if "scripts/" in line or "/dip " in line]
    comparing = [line for line in lines if "dip compare" in line]
    assert min(len(comparing), sum("scripts/" in line for line in lines)) > 15
    for line in lines:
        assert ("replicas=5" in line) != ("--records" in line), line
    fitted = [line.split("experiment=")[1] for line in lines if " experiment=" in line]
    compared = [line.split("compare ")[1] for line in comparing]
    first = [{name for rest in some for name in rest.split()[0].split(",")} for some in (fitted, compared)]
    assert first[0] == first[1]


# Scales


@pytest.mark.thorough
def test_an_experiment_without_a_demo_names_the_scales_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="experiment=fig3 has no scale=demo; it has smoke, laptop, paper"):
        select("fig3", "demo", tmp_path)
    assert len(select("fig2", "demo", tmp_path).jobs) == 8
    assert set(options("scale")) == set(get_args(Scale.model_fields["name"].annotation))
