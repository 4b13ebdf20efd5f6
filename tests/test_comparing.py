"""`dip compare`: the user's own numbers beside the committed ones, and whether they differ by more than seeds do."""

import shutil
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import pytest
from conftest import Dip, composed
from fake_runs import a_record, make_run, name_of

from dip_experiments.cli import commands
from dip_experiments.cli.compare import Comparison, Numbers, compare_lines, labels
from dip_experiments.config.settings import read_settings
from dip_experiments.runner.select_runs import run_id, select
from dip_experiments.store import Job, Store

pytestmark = pytest.mark.usefixtures("composed_once")
TARGETS = ("natural", "noisy", "shuffled", "noise")
COMMITTED_NUMBERS = {"natural": [10, 11, 14], "noisy": [20, 20, 20], "shuffled": [40, 44, None], "noise": [None] * 3}
SKIP = ["experiment=fig2", "scale=smoke", "architecture=skip"]
FIG10 = ["experiment=fig10", "scale=smoke"]


def iterations(values: Sequence[int | None], **said: Any) -> dict[str, Any]:
    """A run that explains 90 % at these iterations, seed by seed."""
    return {"seeds": range(len(values)), "summary": {"iterations_explained": list(values), "iterations": 60}} | said


def fig2(results: Path, reached: Mapping[str, Sequence[int | None]], *words: str, kept: bool) -> None:
    asked = composed((*SKIP, *words), True)
    for target, config in zip(TARGETS, asked, strict=True):
        if target in reached:
            said = {"target": {"name": target}, "replicas": len(reached[target])}
            run = make_run(results, run_id(read_settings(config), "cpu"), **iterations(reached[target], **said))
            if kept:
                Store(results).export_record(run, "smoke")
                shutil.rmtree(run.folder)


def told(own: Path, committed: Path | None, *words: str) -> list[str]:
    return list(compare_lines(select("fig2", "smoke", own, ["architecture=skip", *words]), committed))


def test_ours_stand_next_to_the_committed_ones_with_what_seeds_make_of_them(tmp_path: Path) -> None:
    own, clone = tmp_path / "own", tmp_path / "clone"
    fig2(clone, COMMITTED_NUMBERS, kept=True)
    fig2(own, {**COMMITTED_NUMBERS, "natural": [11, 13, 15]}, kept=False)
    head, *rows, verdict = told(own, clone)
    assert head.split("  ")[0] == "job"
    assert [row.split("  ")[0] for row in rows] == list(TARGETS)
    assert rows[0].split("iterations to 90 %")[1].split() == ["13", "11", "+2", "10", "to", "14", "(3)"]
    assert rows[2].split("iterations to 90 %")[1].split() == ["44", "44", "+0", "40", "to", ">", "60", "(3)"]
    assert rows[3].split("iterations to 90 %")[1].split() == [">", "60", ">", "60", "+0", ">", "60", "(3)"]
    assert verdict == "reproduced: 13 / 20 / 44 / > 60 against 11 / 20 / 44 / > 60 (iterations to 90 %)"


def test_numbers_further_apart_than_seeds_are_named(tmp_path: Path) -> None:
    own, clone = tmp_path / "own", tmp_path / "clone"
    fig2(clone, COMMITTED_NUMBERS, kept=True)
    fig2(own, {"natural": [16, 16, 17], "noisy": [21, 21, 21], "noise": [50, 50, 50]}, kept=False)
    *_, waiting, verdict = told(own, clone)
    assert waiting.startswith("1 of 4 runs of fig2 at scale smoke are not there; make them: dip -m experiment=fig2")
    assert verdict.startswith("not reproduced: 16 / 21 / 50 against 11 / 20 / > 60")
    assert verdict.endswith("; natural 16 against 11, noise 50 against > 60: more than between seeds")


def test_a_seed_that_did_not_reach_it_makes_no_other_number_the_same(tmp_path: Path) -> None:
    own, clone = tmp_path / "own", tmp_path / "clone"
    fig2(clone, COMMITTED_NUMBERS, kept=True)
    fig2(own, {"shuffled": [5, 5, 5]}, kept=False)
    assert told(own, clone)[-1].startswith("not reproduced: 5 against 44")
    shutil.rmtree(own)
    fig2(own, {"shuffled": [None, None, 40]}, kept=False)
    assert told(own, clone)[-1].startswith("not reproduced: > 60 against 44")


def test_of_one_committed_seed_records_of_other_seeds_tell_the_spread(tmp_path: Path) -> None:
    own, clone = tmp_path / "own", tmp_path / "clone"
    fig2(clone, {"natural": [10], "noise": [30]}, "replicas=1", kept=True)
    fig2(own, {"natural": [12], "noise": [30]}, "replicas=1", kept=False)
    *_, verdict = told(own, clone, "replicas=1")
    assert verdict.startswith("not judged: 12 / 30 against 10 / 30")
    assert "natural 12 against 10: one seed is committed" in verdict
    fig2(clone, {"natural": [13]}, "replicas=1", "seed=1", kept=True)
    _, natural, noise, _, verdict = told(own, clone, "replicas=1")
    assert "10 to 13 (2)" in natural
    assert "one seed" in noise
    assert verdict.startswith("reproduced: ")


def test_where_there_is_nothing_to_compare_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no finished runs of it at this scale; .* make them: dip -m experiment=fig2"):
        told(tmp_path, tmp_path)
    fig2(tmp_path, COMMITTED_NUMBERS, kept=False)
    assert told(tmp_path, tmp_path) == ["4 of 4 runs of fig2: no committed number for these settings"]
    assert told(tmp_path, None) == [
        "no records to compare with: they come with a clone of the repository, not with the package"
    ]


def test_dip_compare_reads_the_records_of_the_clone_wherever_ones_own_results_are(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "conf_folder", lambda: tmp_path / "clone" / "conf")
    said = {"task": {"name": "flash_no_flash"}, "stopping": {"name": "none"}}
    a_record(tmp_path / "clone" / "results", *FIG10, **said)
    own = make_run(tmp_path / "results", name_of(*FIG10), **said)
    assert dip("compare", "fig10", "scale=smoke", "logger=none", "hydra/launcher=basic") == 0
    ours = sum(own.summary["final"]["psnr_average"]) / 2
    assert f"{ours:.2f}" in capfd.readouterr().out
    assert dip("compare", "fig11") == 2
    assert "no such experiment" in capfd.readouterr().err


def test_a_number_is_reproduced_if_it_is_as_near_as_seeds_or_as_what_is_printed() -> None:
    def reproduced(ours: float, committed: Sequence[float], limit: int | None = None) -> bool | None:
        kept = Numbers(tuple(committed), limit)
        return Comparison(("one",), "quantity", Numbers((ours,), limit), kept, kept.values).reproduced

    assert [reproduced(n, [27.0, 27.2]) for n in (27.1, 27.3, 27.31)] == [True, True, False]
    assert [reproduced(n, [27.0, 27.0]) for n in (27.009, 27.02)] == [True, False]
    assert [reproduced(n, [27.0]) for n in (27.009, 27.02)] == [True, None]
    assert [reproduced(n, [inf, inf], 60) for n in (inf, 60.0)] == [True, False]
    assert [reproduced(n, [50.0, 50.0], 60) for n in (51.0, inf)] == [True, False]


def test_jobs_are_distinguished_in_as_few_words_as_do() -> None:
    def job(picture: str, network: str, width: int) -> Job:
        words = {"image": {"name": picture}, "architecture": {"name": network, "down": [width], "width": width}}
        return Job({"experiment": {"name": "one", "part": width}, **words}, None)

    assert labels([job("a", "skip", 8), job("b", "skip", 8)]) == [("a",), ("b",)]
    assert labels([job("a", "skip", 8), job("a", "unet", 16)]) == [("skip",), ("unet",)]
    assert labels([job("a", "skip", 8), job("a", "skip", 16)]) == [("8",), ("16",)]
    assert labels([job("a", "skip", 8)]) == [("one",)]
