"""A loss spike takes its replica back, all of it and no other; what cannot be helped is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, only_run

from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.guard import DivergenceError, Guard


def look(guard: Guard, iteration: int, *losses: list[float]) -> list[int]:
    restored: list[int] = []
    guard.look(iteration, torch.tensor(losses), restored.append)
    return restored


def test_the_guard_takes_back_the_replica_that_spiked_and_no_other() -> None:
    guard = Guard(spike_db=5.0, rollbacks=3, replicas=2)
    assert look(guard, 10, [1.0, 0.5], [1.0, 0.5]) == []
    assert look(guard, 20, [0.5, 1.7], [0.5, 1.5]) == [0]  # 5 dB are a factor 3.16
    assert [(event["replica"], event["event"]) for event in guard.events] == [(0, "rolled back")]


def test_nan_that_survives_three_rollbacks_ends_the_run_and_a_finite_spike_is_let_pass() -> None:
    nan = float("nan")
    guard = Guard(spike_db=5.0, rollbacks=3, replicas=1)
    look(guard, 10, [1.0, 0.1])
    for _ in range(3):
        assert look(guard, 20, [nan, 0.1]) == [0]
    with pytest.raises(DivergenceError, match=r"lower optimizer\.lr"):
        look(guard, 20, [nan, nan])
    guard = Guard(spike_db=5.0, rollbacks=3, replicas=1)
    look(guard, 10, [1.0, 0.1])
    assert [look(guard, 20, [0.1, 1.0]) for _ in range(4)] == [[0], [0], [0], []]
    assert guard.events[-1]["event"] == "let pass"


def poison(monkeypatch: pytest.MonkeyPatch, when: Callable[[int], bool], replica: int) -> None:
    """NaN into one replica's weights right after an iteration's update."""
    plain = Fit.iterate

    def iterate(self: Fit) -> None:
        at = int(self.row)
        plain(self)
        if when(at):
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.view(self.network.replicas, -1)[replica] = torch.nan

    monkeypatch.setattr(Fit, "iterate", iterate)


def test_a_rollback_restores_weights_average_and_moments_and_leaves_other_replicas_alone(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fresh(tmp_path, dip, "replicas=2", "latent.perturbation=0.0").curves
    with monkeypatch.context() as patched:
        poison(patched, lambda at: at == 19, replica=1)  # the last update of the block that ends at 20
        run = fresh(tmp_path, dip, "replicas=2", "latent.perturbation=0.0")
    np.testing.assert_array_equal(run.curves[0]["loss"], plain[0]["loss"])
    # Taken back to iteration 10, replica 1 repeats the iterations from 11 on; only Adam's counter has moved on.
    np.testing.assert_allclose(run.curves[1]["loss"][20], plain[1]["loss"][10], rtol=1e-6)
    np.testing.assert_allclose(run.curves[1]["psnr_average"][20], plain[1]["psnr_average"][10], rtol=1e-5)
    assert np.isfinite(run.curves[1]["loss"]).all()
    assert [event["replica"] for event in run.summary["guard"]] == [1]


def test_a_fit_that_stays_nan_fails_with_a_reason_and_keeps_its_curves(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    poison(monkeypatch, lambda at: at >= 12, replica=0)
    assert dip(*SMALL, "fit.iterations=60") == 1
    told = capfd.readouterr().err
    assert "after 3 rollbacks" in told
    assert "Traceback" not in told
    run = only_run(tmp_path)
    assert len(run.curves[0]["loss"]) >= 30
    assert run.failure is not None
    assert not run.finished
