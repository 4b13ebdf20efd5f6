"""Only what the guard accepts is a result; a spike takes its replica back, all of it and no other."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, only_run

from dip_experiments.fitting.guard import DivergenceError, Guard
from dip_experiments.fitting.module import DIPModule

NAN = math.nan


def bad(guard: Guard, last: int, *losses: list[float]) -> list[int]:
    return guard.bad(torch.tensor(losses), (last - 10, last))


def test_the_replica_that_spiked_and_no_other_has_to_run_its_block_again() -> None:
    guard = Guard(spike_db=5.0, repeats=3, replicas=2)
    assert bad(guard, 10, [1.0, 0.5], [1.0, 0.5]) == []
    assert bad(guard, 20, [0.5, 3.2], [0.5, 3.1]) == [0]  # 5 dB are a factor 3.16
    assert bad(guard, 20, [0.5, 0.6], [0.5, 3.1]) == []
    assert [(event["replica"], event["event"]) for event in guard.events] == [(0, "run again")]
    assert guard.lost == [10, 0]


def test_perturbed_losses_that_vary_by_less_than_the_threshold_about_their_usual_worst_are_no_spikes() -> None:
    """Of set14/monarch x8: worst losses up to 4.2 times that of the unperturbed latent, in every block."""
    draws, guard = np.random.default_rng(0), Guard(spike_db=5.0, repeats=3, replicas=1)
    for n in range(1, 101):
        assert bad(guard, 10 * n, (0.001 * draws.uniform(1, 4.2, 50)).tolist()) == []
    assert guard.events == []
    assert bad(guard, 1010, [0.001, 0.02]) == [0]


def test_what_is_usual_is_the_median_of_the_last_five_accepted_blocks() -> None:
    calm, old = (Guard(spike_db=5.0, repeats=3, replicas=1) for _ in range(2))
    for n, worst in enumerate([1.0, 1.0, 1.0, 1.0, 0.1, 0.5]):  # 0.5 is no spike, however good the block before was
        assert bad(calm, 10 * n, [worst]) == []
    assert bad(calm, 60, [3.0]) == []
    assert bad(calm, 70, [5.0]) == [0]  # nor is a loss fine because the one before was bad too
    for n, worst in enumerate([1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1]):
        assert bad(old, 10 * n, [worst]) == []
    assert bad(old, 80, [0.5]) == [0]  # three of the last five are 0.1: what was before is forgotten


def test_nan_that_survives_its_repeats_fails_its_replica_and_a_finite_spike_is_let_pass() -> None:
    guard = Guard(spike_db=5.0, repeats=3, replicas=2)
    bad(guard, 10, [1.0, 0.1], [1.0, 0.1])
    assert [bad(guard, 20, [NAN, 0.1], [0.1, 0.1]) for _ in range(4)] == [[0], [0], [0], []]
    assert guard.failed == {0: 20}
    assert [bad(guard, 30, [NAN, NAN], [0.1, 9.0]) for _ in range(4)] == [[1], [1], [1], []]
    assert guard.events[-1]["event"] == "let pass"
    assert bad(guard, 40, [NAN, NAN], [9.0, 9.0]) == []  # what was let pass is usual from then on
    [bad(guard, 50, [NAN, NAN], [NAN, NAN]) for _ in range(3)]
    with pytest.raises(DivergenceError, match=r"lower optimizer\.lr"):
        bad(guard, 50, [NAN, NAN], [NAN, NAN])


def test_where_a_repeat_would_be_the_same_nothing_is_thrown_away() -> None:
    guard = Guard(spike_db=5.0, repeats=0, replicas=1)
    assert [bad(guard, n, [loss]) for n, loss in ((10, 1.0), (20, 9.0), (30, 9.0))] == [[], [], []]
    assert [event["event"] for event in guard.events] == ["let pass"]
    assert guard.lost == [0]


def poison(monkeypatch: pytest.MonkeyPatch, when: Callable[[int], bool], replica: int) -> None:
    """NaN into one replica's weights right after an iteration's update."""
    plain = DIPModule.iterate

    def iterate(self: DIPModule) -> None:
        at = int(self.row)
        plain(self)
        if when(at):
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.view(self.network.replicas, -1)[replica] = torch.nan

    monkeypatch.setattr(DIPModule, "iterate", iterate)


def once(at: int) -> Callable[[int], bool]:
    """True the first time that an iteration comes."""
    left = [at]
    return lambda now: bool(left) and now == left[0] and bool(left.pop())


@pytest.mark.parametrize("at", [4, *(pytest.param(at, marks=pytest.mark.slow) for at in (19, 38))])
def test_a_block_that_was_rejected_leaves_no_trace_in_what_is_stored(
    at: int, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["replicas=2", "latent.perturbation=0.05", "fit.keep=[15,35]"]
    plain = fresh(tmp_path, dip, *words)
    curves = plain.curves
    images = {path.name: path.read_bytes() for path in (plain.folder / "images").iterdir()}
    with monkeypatch.context() as patched:
        poison(patched, once(at), replica=1)
        run = fresh(tmp_path, dip, *words)
    summary, began = run.summary, at // 10 * 10
    assert summary["lost_iterations"] == [0, 10]
    assert [(event["replica"], event["event"]) for event in summary["guard"]] == [(1, "run again")]
    assert summary["failed"] == []
    for column, values in curves[0].items():  # the other replica's numbers are those of an undisturbed run
        np.testing.assert_array_equal(run.curves[0][column], values)
    assert {p.name: p.read_bytes() for p in (run.folder / "images").glob("*replica0*")} == {
        name: content for name, content in images.items() if "replica0" in name
    }
    np.testing.assert_array_equal(run.curves[1]["loss"][:began], curves[1]["loss"][:began])
    # The block starts from the same weights, its perturbations are fresh.
    assert run.curves[1]["loss"][began] == pytest.approx(curves[1]["loss"][began], rel=0.2)
    assert run.curves[1]["loss"][began + 1] != curves[1]["loss"][began + 1]
    assert np.isfinite(run.curves[1]["psnr_average"]).all()
    assert summary["final"]["loss"] == [curve["loss"][-1] for curve in run.curves]
    assert summary["oracle_peak"]["psnr_average"] == [curve["psnr_average"].max() for curve in run.curves]


def test_a_replica_that_stays_nan_is_named_and_has_no_numbers_and_the_others_finish(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fresh(tmp_path, dip, "replicas=3").curves
    with monkeypatch.context() as patched:
        poison(patched, lambda at: at >= 22, replica=1)
        run = fresh(tmp_path, dip, "replicas=3")
    summary = run.summary
    assert summary["failed"] == [{"replica": 1, "seed": 1, "iteration": 30}]
    for values in (*summary["final"].values(), *summary["oracle_peak"].values(), *summary["oracle_iteration"].values()):
        assert [value is None for value in values] == [False, True, False]
    assert (run.replicas, run.seeds) == ([0, 2], [0, 2])
    for curve, other in zip(run.curves, (plain[0], plain[2]), strict=True):
        np.testing.assert_array_equal(curve["loss"], other["loss"])
    assert not run.image("average", 1).exists()
    assert run.image("average", 2).exists()


@pytest.mark.thorough
def test_a_fit_that_is_nan_from_its_first_or_in_its_last_block_never_counts_as_finished(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda at: at == 2, replica=0)
    for block in (1, 50):
        assert dip(*SMALL, "fit.iterations=3", f"fit.block={block}") == 1
        told = capfd.readouterr().err
        assert "NaN or infinite" in told
        assert "Traceback" not in told
    assert not (tmp_path / "restored.png").exists()


def test_a_fit_that_stays_nan_fails_with_a_reason_and_keeps_its_curves(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    poison(monkeypatch, lambda at: at >= 32, replica=0)
    assert dip(*SMALL, "fit.iterations=60") == 1
    told = capfd.readouterr().err
    assert "3 repeats made no difference" in told
    assert "Traceback" not in told
    run = only_run(tmp_path)
    assert len(run.curves[0]["loss"]) >= 30
    assert run.failure is not None
    assert not run.finished
