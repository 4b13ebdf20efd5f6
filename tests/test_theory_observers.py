"""Observers of gradients, the tangent kernel and posterior samples: what they store is what the functions give."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, only_run, thorough_after
from interruptions import fitted_in_two_sessions
from test_speed import ADAM, TO_THE_HOST, Operations

import dip_experiments as dip_api
from dip_experiments.architectures import Pixels, build_replicas
from dip_experiments.data.reading import read_image
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput, FitStart, Observation, Observer, RuleMonitor
from dip_experiments.store import Store, output_at
from dip_experiments.theory.jacobian import gradient_norms, less_mean, noise_like
from dip_experiments.theory.observers import Bands, DegreesOfFreedom, GradientNorms, Posterior, TangentKernel

NOISY = ["task=denoising", "task.noise.clip=false"]
POSTERIOR = ["observe=[posterior]", "observe.posterior.burn_in=4", "observe.posterior.every=3"]
TAKEN = (7, 10, 13, 16, 19)
"""Iterations that POSTERIOR samples in 20 of them."""
PIXELS = [
    "scale=smoke", "logger=none", "architecture=pixels", "image=camera", "image.size=16", "precision=float64",
    "fit.iterations=20", "latent.perturbation=0",
]  # fmt: skip
KERNEL = [
    "image=camera", "image.size=16", "observe=[tangent_kernel]", "architecture.down=[4,4]", "architecture.skip=[2,2]",
    "latent.perturbation=0", "precision=float64",
]  # fmt: skip


def test_posterior_samples_are_the_outputs_of_every_nth_iteration_after_the_burn_in(dip: Dip, tmp_path: Path) -> None:
    words = [*NOISY, *POSTERIOR, "replicas=2", "shared=[task]"]
    run = fresh(tmp_path, dip, *words, f"fit.keep={list(TAKEN)}", "fit.iterations=20")
    arrays = run.observed()
    assert run.summary["observed"]["posterior"]["samples"] == len(TAKEN)
    samples = np.stack(
        [[read_image(run.image(output_at(at), replica)) for at in TAKEN] for replica in range(2)]
    )  # "r s c h w", in 8 bits
    np.testing.assert_allclose(arrays["posterior.posterior_mean"], samples.mean(1), atol=2 / 255)
    np.testing.assert_allclose(arrays["posterior.posterior_deviation"], samples.std(1, ddof=1), atol=2 / 255)
    pooled = samples.reshape(-1, *samples.shape[2:]).std(0, ddof=1)
    np.testing.assert_allclose(arrays["posterior.pooled_spread"], pooled, atol=2 / 255)
    assert run.image("posterior_deviation", 1).exists()
    np.testing.assert_allclose(
        read_image(run.image("posterior_mean", 1)), arrays["posterior.posterior_mean"][1], atol=1 / 255
    )


def test_samples_of_several_measurements_are_not_of_one_posterior(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, *POSTERIOR, "replicas=2", "fit.iterations=20")
    assert "posterior.posterior_mean" in run.observed()
    names = {*run.observed(), *run.summary["observed"]["posterior"]}
    assert not [name for name in names if "pooled" in name]


def test_the_curve_of_the_posterior_mean_begins_with_the_first_sample_and_ends_with_its_score(
    dip: Dip, tmp_path: Path
) -> None:
    run = fresh(tmp_path, dip, *NOISY, *POSTERIOR, "fit.iterations=20")
    curve = run.curves[0]["psnr_posterior_mean"]
    assert np.isnan(curve[: TAKEN[0] - 1]).all()
    assert np.isfinite(curve[TAKEN[0] - 1 :]).all()
    assert curve[TAKEN[0] - 1] == pytest.approx(run.curves[0]["psnr_reference"][TAKEN[0] - 1], abs=1e-4)
    assert curve[-1] == pytest.approx(run.scores("posterior_mean", "psnr")[0], abs=1e-4)
    assert "psnr_posterior_mean" not in run.summary["oracle_peak"]


@pytest.mark.thorough
def test_the_coverage_of_the_summary_is_that_of_the_reference(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, *POSTERIOR, "fit.iterations=20")
    arrays, clean = run.observed(), read_image(run.image("reference", 0))
    error = np.abs(arrays["posterior.posterior_mean"][0] - clean)
    for k, share in run.summary["observed"]["posterior"]["posterior_mean_coverage"][0].items():
        expected = (error <= float(k) * arrays["posterior.posterior_deviation"][0]).mean()
        assert share == pytest.approx(expected, abs=2e-3)  # the reference has 8 bits in the file
    factor = run.summary["observed"]["posterior"]["pooled_factor"]
    assert (error <= factor * arrays["posterior.pooled_spread"] + 1e-6).mean() == pytest.approx(0.6827, abs=2e-3)


@pytest.mark.thorough
def test_a_posterior_resumes_to_the_very_samples_of_an_uninterrupted_fit(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*NOISY, *POSTERIOR, "optimizer=sgld", "fit.iterations=40", "replicas=2"]
    run = fresh(tmp_path, dip, *words)
    arrays = run.observed()
    resumed = fitted_in_two_sessions(run, monkeypatch, dip, *words)
    for name, values in resumed.observed().items():
        np.testing.assert_array_equal(values, arrays[name])


def test_from_python_the_spread_is_in_the_layout_of_the_measurement() -> None:
    noisy = np.random.default_rng(0).random((32, 32, 3))
    observe, common = {"posterior": {"burn_in": 2, "every": 1}}, {"scale": "smoke", "progress": False}
    result = dip_api.reconstruct(noisy, optimizer="sgld", observe=observe, iterations=8, replicas=2, **common)
    assert result.spread is not None
    assert result.posterior_mean is not None
    assert result.spread.shape == result.posterior_mean.shape == noisy.shape
    arrays = result.observed["posterior.posterior_mean"]
    np.testing.assert_allclose(result.posterior_mean, arrays.mean(0).transpose(1, 2, 0), atol=1e-6)
    assert result.spread.min() > 0
    plain = dip_api.reconstruct(noisy, iterations=3, **common)
    assert plain.spread is None
    assert plain.observed == {}


def test_a_burn_in_without_two_samples_is_refused(dip: Dip, capfd: pytest.CaptureFixture[str]) -> None:
    assert dip(*SMALL, *NOISY, "observe=[posterior]") == 2
    assert "give at least 7100 iterations, or a smaller burn_in" in capfd.readouterr().err


def test_gradient_norms_are_those_of_the_networks_before_the_first_iteration(dip: Dip, tmp_path: Path) -> None:
    assert dip(*PIXELS, "target=natural", "observe=[gradient_norms]", "replicas=2", "seed=5") == 0
    run = only_run(tmp_path)
    found = run.summary["observed"]["gradient_norms"]
    with np.load(run.folder / "measurement.npz") as arrays:
        picture = torch.from_numpy(arrays["measurement"])
    norms = picture.flatten(1).norm(dim=1)  # of pixels the Jacobian is the identity
    centred = less_mean(picture).flatten(1).norm(dim=1)
    for name, expected in (
        ("picture", norms),
        ("noise", norms),
        ("picture_centred", centred),
        ("noise_centred", centred),
    ):
        np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-6)
    noise = noise_like(less_mean(picture), [5, 6], centred=True)
    assert noise.mean((1, 2, 3)).abs().max() < 1e-12
    network = Pixels(2, picture.shape[1], tuple(picture.shape[2:]), replicas=2).double()
    latent = torch.rand(2, 2, *picture.shape[2:], dtype=torch.float64)
    np.testing.assert_allclose(gradient_norms(network, latent, noise).numpy(), found["noise_centred"], rtol=1e-6)


def test_gradient_descent_of_pixels_is_its_linearised_fit_and_so_is_every_point_on_the_path(
    dip: Dip, tmp_path: Path
) -> None:
    descent_words = ["optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=5"]
    assert dip(*PIXELS, "observe=[tangent_kernel]", "target=noisy", *descent_words) == 0
    descent = only_run(tmp_path)
    curve = descent.curves[0]
    assert curve["linearised_distance"][1:].max() < 1e-9
    assert curve["path_distance"].max() < 0.01  # as near as the points of the path are
    np.testing.assert_allclose(curve["psnr_linearised"], curve["psnr_reference"], atol=1e-6)
    arrays = descent.observed()
    np.testing.assert_allclose(arrays["tangent_kernel.values"], 1)
    assert arrays["tangent_kernel.image_energy"].sum() == pytest.approx(1)
    assert arrays["tangent_kernel.misfit_energy"].sum() == pytest.approx(1)
    assert arrays["tangent_kernel.noise_energy"].sum() == pytest.approx(1)


def test_a_step_of_gradient_descent_that_is_small_is_the_linearised_one(dip: Dip, tmp_path: Path) -> None:
    words = [*KERNEL, "target=noisy", "optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=1e-9", "fit.iterations=3"]
    curve = fresh(tmp_path, dip, *words).curves[0]
    assert curve["linearised_distance"][1:].max() < 1e-3


def test_of_another_optimizer_the_linearised_fit_at_an_iteration_is_not_known(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *KERNEL, "target=noisy")
    curve = run.curves[0]
    assert np.isnan(curve["linearised_distance"]).all()
    assert np.isfinite(curve["path_distance"]).all()
    assert curve["path_distance"].max() <= 1 + 1e-9
    changes = run.summary["observed"]["tangent_kernel"]["weight_changes"]
    assert max(changes.values()) > 0.01
    record = Store(tmp_path / "results").export_record(run, "smoke")
    assert record.observed().keys() == run.observed().keys()


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["replicas=2"], "sweep seed=0,1,2", 2),
        (["image.size=80"], "an image of at most 4096", 2),
        (["loss=l1"], "by squared error alone", 2),
        (["regularizer=tv"], "by squared error alone", 2),
        (["latent.optimise=both"], "by squared error alone", 2),
        (["latent.perturbation=0.1"], "by squared error alone", 2),
        (["optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=1e6"], "gradient descent diverges", 1),
    ],
)
def test_a_tangent_kernel_that_cannot_be_is_refused(
    words: list[str], message: str, code: int, dip: Dip, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SMALL, *KERNEL, "target=noisy", *words) == code
    said = capfd.readouterr()
    assert message in said.out + said.err


@pytest.mark.parametrize("observer", ["bands", "degrees_of_freedom"])
def test_an_observer_that_compares_all_of_the_measurement_goes_with_no_rule_that_hides_some(
    observer: str, dip: Dip, capfd: pytest.CaptureFixture[str]
) -> None:
    shared = ["replicas=3", "shared=[target,init,latent,perturbation]"]
    assert dip(*SMALL, *NOISY, *shared, f"observe=[{observer},held_out_pixels]") == 2
    assert f"observe=[{observer}] with held_out_pixels" in capfd.readouterr().err


def test_a_fit_that_ends_before_the_first_sample_has_no_posterior() -> None:
    noisy = np.random.default_rng(0).random((32, 32))
    result = dip_api.reconstruct(
        noisy, stopping="fixed", observe={"posterior": {"burn_in": 6, "every": 1}}, iterations=40, scale="smoke",
        progress=False, reference=noisy, settings={"stopping.iteration": 3, "fit.block": 4},
    )  # fmt: skip
    assert result.summary["observed"]["posterior"]["samples"] == 0
    assert result.spread is None
    assert result.posterior_mean is None
    assert result.summary["observed"]["posterior"]["posterior_mean_coverage"] == [None]


@pytest.mark.parametrize(
    "words",
    thorough_after(
        1, [[*KERNEL, "target=noisy", "optimizer=sgd", "optimizer.lr=1e-4"], ["observe=[gradient_norms]", "replicas=2"]]
    ),
)
@pytest.mark.thorough
def test_what_is_measured_before_the_first_iteration_is_the_same_in_a_resumed_fit(
    words: list[str], dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fresh(tmp_path, dip, *words)
    curves, arrays, numbers = (run.folder / "curves.csv").read_bytes(), run.observed(), run.summary["observed"]
    resumed = fitted_in_two_sessions(run, monkeypatch, dip, *words)
    assert (resumed.folder / "curves.csv").read_bytes() == curves
    assert resumed.summary["observed"] == numbers
    for name, values in resumed.observed().items():
        np.testing.assert_array_equal(values, arrays[name])


@pytest.mark.parametrize(
    ("observer", "replicas"),
    [
        (Bands(name="bands"), 2),
        (DegreesOfFreedom(name="degrees_of_freedom"), 3),
        (GradientNorms(name="gradient_norms"), 2),
        (Posterior(name="posterior", burn_in=1, every=2), 2),
        (TangentKernel(name="tangent_kernel"), 1),
    ],
)
def test_an_observer_makes_the_same_operations_at_every_iteration_and_waits_for_no_device(
    observer: Observer, replicas: int
) -> None:
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(replicas, 1, 16, 16, generator=draws)
    network = build_replicas(lambda count: Pixels(2, 1, (16, 16), replicas=count), list(range(replicas)))
    given = FitInput(images, Identity())
    start = FitStart(network, torch.rand(replicas, 2, 16, 16), given, images / 2, ADAM, list(range(replicas)))
    held_out = {**observer.hold_out(given, list(range(replicas))).held_out, **observer.start(start)}
    monitor = RuleMonitor(observer, images, replace(given, held_out=held_out), ends=False)
    seen = []
    for iteration in (1, 2, 3):
        output = torch.rand(images.shape, generator=draws)
        shown = Observation(torch.tensor([iteration]), output, output, Identity(), torch.ones(replicas))
        with Operations() as operations:
            monitor.observe(shown)
        seen.append([name for name, _ in operations.seen])
    assert seen[0] == seen[1] == seen[2]
    assert not [name for name in seen[0] if any(word in name for word in TO_THE_HOST)]
