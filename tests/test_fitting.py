"""A fit is what it says: seeded, resumable, replicas independent, averages and guard as defined."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, only_run, thorough_after
from interruptions import interrupt_at
from scipy.stats import kstest

from dip_experiments.architectures import Skip, build_replicas
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.problem import Problem, move_weights
from dip_experiments.fitting.schedule import block_ends, image_iterations, logged_iterations
from dip_experiments.latents import Meshgrid, NormalNoise, UniformNoise
from dip_experiments.optimizers import AdamOneCycle
from dip_experiments.runner.build import build_fit
from dip_experiments.runner.validate import validate
from dip_experiments.store import Run, read_curves

COLUMNS = ("loss", "psnr_measurement", "psnr_reference", "psnr_average")


def test_the_same_seed_gives_the_same_curves_bit_for_bit_and_another_seed_others(dip: Dip, tmp_path: Path) -> None:
    first = (fresh(tmp_path, dip).folder / "curves.csv").read_bytes()
    assert (fresh(tmp_path, dip).folder / "curves.csv").read_bytes() == first
    assert (fresh(tmp_path, dip, "seed=1").folder / "curves.csv").read_bytes() != first


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam fit.weight_noise=0.02",
        "sgld",
        *(pytest.param(name, marks=SLOW) for name in ("adam_one_cycle", "sgd", "lbfgs")),
    ],
)
def test_an_interrupted_fit_resumes_to_the_very_curves_of_an_uninterrupted_one(
    optimizer: str, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*f"optimizer={optimizer}".split(), "latent.optimise=both", "fit.iterations=24"]
    whole = fresh(tmp_path, dip, *words)
    curves, average = (whole.folder / "curves.csv").read_bytes(), whole.image("average", 0).read_bytes()
    for path in whole.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 17)
        assert dip(*SMALL, *words) == 130
    assert "The same command continues" in capfd.readouterr().err
    assert not whole.finished
    assert torch.load(whole.checkpoint, weights_only=True)["fit"]["done"] == 10
    assert dip(*SMALL, *words, "resume") == 0
    assert (whole.folder / "curves.csv").read_bytes() == curves
    assert whole.image("average", 0).read_bytes() == average
    assert not whole.checkpoint.exists()


@pytest.mark.thorough
def test_a_checkpoint_is_written_on_the_way(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (fresh(tmp_path, dip).folder / "curves.csv").read_bytes()
    run = only_run(tmp_path)
    (run.folder / "summary.json").unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 35)
        patched.setattr("dip_experiments.fitting.run_writer.Recorder.on_exception", lambda *_: None)  # as if killed
        assert dip(*SMALL, "fit.checkpoint_every=20") == 130
    assert torch.load(run.checkpoint, weights_only=True)["fit"]["done"] == 20
    assert dip(*SMALL) == 0
    assert (run.folder / "curves.csv").read_bytes() == whole


@pytest.mark.thorough
def test_asking_twice_runs_once_and_force_runs_again(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = fresh(tmp_path, dip)
    before = (run.folder / "summary.json").stat().st_mtime_ns
    with monkeypatch.context() as patched:
        interrupt_at(patched, 0, AssertionError)
        assert dip(*SMALL) == 0
    assert "skipped" in capfd.readouterr().out
    assert (run.folder / "summary.json").stat().st_mtime_ns == before
    assert dip(*SMALL, "force=true") == 0
    assert (run.folder / "summary.json").stat().st_mtime_ns > before


def test_weights_move_by_a_part_of_their_own_spread() -> None:
    network = build_replicas(lambda r: Skip(2, 3, (16, 16), [32, 32], [32, 32], [4, 4], replicas=r), [0, 1])
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    move_weights(network, 0.02, [torch.Generator().manual_seed(r) for r in (5, 6)])
    moved = {name: parameter.detach() - before[name] for name, parameter in network.named_parameters()}
    assert {name for name, by in moved.items() if by.any()} == {n for n in moved if n.endswith("conv.weight")}
    for r in range(2):
        by, weights = (values["scale1.down.conv.weight"].chunk(2)[r] for values in (moved, before))
        assert by.std().item() == pytest.approx(0.02 * weights.std().item(), rel=0.05)
        assert abs(by.mean()) < 4 * by.std() / by.numel() ** 0.5


@pytest.mark.parametrize("architecture", thorough_after(2, ["skip", "deep_decoder", "unet", "resnet", "pixels"]))
def test_a_replica_fits_exactly_as_the_single_network_with_its_seed(
    architecture: str, dip: Dip, tmp_path: Path
) -> None:
    widths = {
        "skip": [],
        "pixels": [],
        "unet": ["architecture.widths=[4,4,8]"],
        "resnet": ["architecture.widths=[6,6]"],
    }
    words = ["scale=smoke", "logger=none", "image.size=32", "fit.iterations=20", "precision=float64", "fit.block=10"]
    words += [f"architecture={architecture}", *widths.get(architecture, ["architecture.widths=[8,8,8]"])]
    words += [*SMALL[3:5], "fit.weight_noise=0.02"] if architecture == "skip" else []
    assert dip(*words, "replicas=3") == 0
    folded = only_run(tmp_path).curves
    for path in (tmp_path / "results" / "runs").glob("*/*.*"):
        path.unlink()
    assert dip(*words, "seed=2", "replicas=1") == 0
    (single,) = [run for path in (tmp_path / "results" / "runs").iterdir() if (run := Run(path)).finished]
    for column in COLUMNS:
        np.testing.assert_allclose(folded[2][column], single.curves[0][column], rtol=0, atol=1e-8)
    assert np.abs(folded[0]["loss"] - folded[2]["loss"]).max() > 1e-4


def test_a_run_keeps_settings_provenance_curves_images_and_summary(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, "replicas=2", "seed=4")
    assert run.settings["fit"]["iterations"] == 40
    assert run.provenance["seeds"] == [4, 5]
    (session,) = run.provenance["sittings"]
    assert session["versions"]["torch"] == torch.__version__
    assert session["command"][0] == "dip"
    assert session["threads"] == torch.get_num_threads()
    columns = read_curves(run.folder / "curves.csv")
    assert list(columns) == ["replica", "seed", "iteration", *COLUMNS]
    assert columns["iteration"].tolist() == [*range(1, 41)] * 2
    peaks = [float(curve["psnr_reference"].max()) for curve in run.curves]
    assert run.summary["oracle_peak"]["psnr_reference"] == peaks
    assert all(run.image(f"iteration-{n:06d}", 1).exists() for n in (1, 3, 10, 30, 40))
    assert (run.folder / "hydra" / "overrides.yaml").exists()
    assert set(run.measured()) == {"measurement"}
    assert run.scores("average", "psnr").tolist() == pytest.approx(run.summary["final"]["psnr_average"], abs=1e-5)
    assert run.integrity_errors() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]
    assert not list((tmp_path / "results" / "runs").glob("*.yaml"))


@pytest.mark.thorough
def test_a_target_without_a_clean_image_has_no_column_for_it(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, "target=noise")
    assert list(run.curves[0]) == ["replica", "seed", "iteration", "loss", "psnr_measurement"]
    assert not run.image("reference", 0).exists()


@pytest.mark.thorough
def test_one_failing_job_does_not_stop_the_others(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = DIPModule.iterate

    def iterate(self: DIPModule) -> None:
        int(self.row)
        if self.problem.task.reference is None:
            raise RuntimeError("out of luck")
        plain(self)

    monkeypatch.setattr(DIPModule, "iterate", iterate)
    assert dip(*SMALL, "-m", "target=noise,natural") == 1
    told = capfd.readouterr()
    assert "out of luck" in told.err
    assert "finished" in told.out
    assert "FAILED" in told.out


def test_the_average_is_the_running_mean_of_all_outputs(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, outputs, averages = DIPModule.iterate, [], []

    def iterate(self: DIPModule) -> None:
        int(self.row)
        plain(self)
        outputs.append(self.output.clone())
        averages.append(self.average.clone())

    monkeypatch.setattr(DIPModule, "iterate", iterate)
    assert dip(*SMALL, "fit.average_decay=0.9", "fit.iterations=12") == 0
    expected = outputs[0]
    for output, average in zip(outputs, averages, strict=True):
        expected = 0.9 * expected + 0.1 * output
        torch.testing.assert_close(average, expected, rtol=1e-5, atol=1e-6)


def test_the_perturbation_is_fresh_every_iteration_and_never_accumulates(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = Problem.perturbed, []

    def perturbed(self: Problem, latent: torch.Tensor, noise: Sequence[torch.Generator]) -> list[torch.Tensor]:
        (moved,) = plain(self, latent, noise)
        seen.append((moved - latent).clone())
        return [moved]

    monkeypatch.setattr(Problem, "perturbed", perturbed)
    assert dip(*SMALL, "latent.perturbation=0.05") == 0
    assert torch.stack(seen).std().item() == pytest.approx(0.05, rel=0.01)
    assert seen[-1].std().item() == pytest.approx(0.05, rel=0.05)
    assert not torch.equal(seen[0], seen[1])


def test_optimising_z_leaves_the_weights_alone(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(DIPModule, "on_train_end", lambda self: kept.update(fit=self), raising=False)
    for choice, moved in (("theta", (True, False)), ("z", (False, True)), ("both", (True, True))):
        fresh(tmp_path, dip, f"latent.optimise={choice}", "fit.iterations=3")
        free = [parameter.requires_grad for parameter in kept["fit"].network.parameters()]
        assert (all(free), kept["fit"].latent.requires_grad) == moved


def test_the_explicit_prior_tv_denoises_where_there_is_no_network(dip: Dip, tmp_path: Path) -> None:
    words = ["architecture=pixels", "scale=smoke", "logger=none", "image.size=32", "fit.iterations=200"]
    assert dip(*words, "-m", "regularizer=none,tv") == 0
    runs = [Run(path) for path in (tmp_path / "results" / "runs").iterdir() if path.is_dir()]
    final = {run.settings["regularizer"]["name"]: run.summary["final"]["psnr_reference"][0] for run in runs}
    assert final["tv"] > final["none"] + 1


def test_one_cycle_rises_to_the_highest_rate_and_falls_to_zero() -> None:
    optimizer = AdamOneCycle(name="adam_one_cycle", lr=0.02, betas=[0.9, 0.9], eps=1e-8, warm_up=0.1)
    rates = [float(optimizer.rate(torch.tensor([n / 101]))) for n in range(1, 101)]
    assert rates[0] == pytest.approx(0.02 * 10 / 101)
    assert max(rates) == pytest.approx(0.02, rel=0.01)
    assert rates.index(max(rates)) == 10
    assert rates[-1] < 1e-5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    halfway = float(optimizer.rate(torch.tensor([0.55])))
    assert halfway == pytest.approx(0.01)


def noise_latent() -> UniformNoise:
    return UniformNoise(name="noise", channels=4, scale=0.1, perturbation=0.0, optimise="theta")


def test_latents_follow_their_law() -> None:
    noise = noise_latent().make((4, 32, 32), [0, 1], None)
    assert 0 <= noise.min() < 0.001
    assert 0.099 < noise.max() <= 0.1
    assert not torch.equal(noise[0], noise[1])
    normal = NormalNoise(name="normal", channels=3, scale=0.5, perturbation=0.0, optimise="theta")
    drawn = normal.make((3, 64, 64), [0, 1], None)
    assert kstest(drawn.flatten(), "norm", (0, 0.5)).pvalue > 1e-3
    assert torch.equal(drawn[1], normal.make((3, 64, 64), [1], None)[0])
    meshgrid = Meshgrid(name="meshgrid", channels=2, scale=1.0, perturbation=0.0, optimise="theta")
    grid = meshgrid.make((2, 3, 5), [0], None)
    assert grid[0, 0, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert grid[0, 1, :, 0].tolist() == [0, 0.5, 1]


def test_with_all_streams_shared_replicas_differ_by_the_jitter_of_their_latents_alone() -> None:
    shared = "shared=[task,init,latent,perturbation]"
    words = ["task=denoising", "scale=smoke", "image=camera", "replicas=3", shared, "latent.jitter=1e-6"]
    (job,) = compose_jobs(words, multirun=False)
    fit = build_fit(validate(read_settings(job)), [])
    first, *others = fit.latent.detach()
    plain = noise_latent().make(tuple(first.shape), [0], None)[0]
    for latent in (first, *others):
        relative = (latent / plain - 1)[plain > 1e-3]
        assert relative.std() == pytest.approx(1e-6, rel=0.05)
        assert relative.abs().max() < 6e-6
    assert not any(torch.equal(first, other) for other in others)
    for weights in fit.network.parameters():
        one, *rest = weights.chunk(3)
        assert all(torch.equal(one, another) for another in rest)
    assert len(set(fit.problem.perturbation_seeds)) == 1
    assert all(torch.equal(fit.problem.task.measurement[0], measured) for measured in fit.problem.task.measurement)
    same = noise_latent().jittered(plain[None], [1])
    assert torch.equal(same, plain[None])


def test_images_are_stored_on_a_logarithmic_grid_and_blocks_end_whether_they_are_or_not() -> None:
    assert image_iterations(1000) == [1, 3, 10, 30, 100, 300, 1000]
    assert image_iterations(25) == [1, 3, 10, 25]
    assert image_iterations(25, [7, 99]) == [1, 3, 7, 10, 25]
    assert block_ends(120, 50) == [50, 100, 120]
    assert block_ends(100, 50) == [50, 100]
    assert logged_iterations(1000)[-1] == 1000
    assert len(logged_iterations(100000)) < 110
