"""Optuna looks for the largest estimated PSNR; no clean picture is looked at."""

from pathlib import Path

import pytest
from conftest import SMALL, Dip

from dip_experiments.store import Run

pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs the extra optuna")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of Optuna 2
SEARCH = [*SMALL, "-m", "hydra/sweeper=search", "task=denoising", "stopping=split"]
RATES = "optimizer.lr=tag(log,interval(0.001,0.1))"


@pytest.mark.thorough
def test_a_search_keeps_every_trial_and_names_the_one_with_the_largest_estimate(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SEARCH, "hydra.sweeper.n_trials=3", RATES) == 0
    told = capfd.readouterr().out.splitlines()
    runs = [Run(path) for path in (tmp_path / "results" / "runs").iterdir()]
    assert [run.finished for run in runs] == [True] * 3
    errors = {run.name: run.summary["stopping"]["split"]["estimate"]["mse"] for run in runs}
    best = min(errors, key=errors.__getitem__)
    rate = next(run.settings["optimizer"]["lr"] for run in runs if run.name == best)
    assert told[-1].startswith(f"best of 3: optimizer.lr={rate}, estimated PSNR ")
    assert told[-1].endswith(f"run {best}")
    assert "3 of 3 finished" in told[-2]


@pytest.mark.slow
def test_the_sweeper_learns_from_the_estimate(dip: Dip, capfd: pytest.CaptureFixture[str]) -> None:
    """Random trials would not care; TPE after its first trials does, and the same command finds the same."""
    words = ["hydra.sweeper.n_trials=4", "hydra.sweeper.sampler.n_startup_trials=2", "fit.iterations=20", RATES]
    assert dip(*SEARCH, *words) == 0
    first = capfd.readouterr().out
    assert dip(*SEARCH, *words) == 0
    again = capfd.readouterr().out
    assert again.count("skipped (finished before)") == 4
    assert again.splitlines()[-1] == first.splitlines()[-1]


@pytest.mark.thorough
def test_trials_that_are_refused_or_have_no_estimate_do_not_end_a_search(
    dip: Dip, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=random", "fit.iterations=10", "fit.checkpoint_every=10"]
    assert dip(*SEARCH, *words, "stopping.warm_up=choice(1,20)", "optimizer.lr=choice(0.01,-1)") == 2
    told = capfd.readouterr()
    assert "optimizer.lr: got -1; input should be greater than 0" in told.err
    assert "split found none" in told.out
    assert "best of 1: " in told.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["stopping=none"], "add stopping=split or observe=[split]"),
        (["stopping=fixed"], "add stopping=split or observe=[split]"),
        (["hydra/sweeper=optuna"], "choose hydra/sweeper=search"),
        (["targt=noise"], "did you mean target?"),
        (["optimizer.rate=interval(0,1)"], "optimizer.rate: unknown key"),
    ],
)
def test_a_search_that_cannot_find_anything_is_refused_before_it_begins(
    words: list[str], wanted: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SEARCH, RATES, *words) == 2
    told = capfd.readouterr().err
    assert wanted in told
    assert len(told.splitlines()) == 1
    assert not list(tmp_path.iterdir())
