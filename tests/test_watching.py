"""Rules at work on a fit: what they keep, when they end it, and that a fit with them is the fit without them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, load_image, only_run
from interruptions import interrupt_at
from test_guard import once, poison

from dip_experiments.data.reading import read_image
from dip_experiments.fitting.module import DIPModule
from dip_experiments.store import Run, average_at, output_at, stop_image, write_image

NOISY = ["task=denoising", "task.noise.clip=false"]
SPLIT = ["stopping=split", "stopping.law.sigma=25", "stopping.patience=10", "stopping.a=0.5"]
ALL = [
    *NOISY, *SPLIT, "latent=measurement", "latent.perturbation=0.01",
    "observe=[windowed_variance,moving_variance,held_out_pixels,discrepancy,sure,fixed]",
    "observe.windowed_variance.window=5", "observe.moving_variance.warm_up=3", "observe.fixed.iteration=7",
    *(f"observe.{rule}.patience=10" for rule in ("windowed_variance", "moving_variance", "held_out_pixels", "sure")),
    *(f"observe.{rule}.sigma=25" for rule in ("sure", "discrepancy")),
]  # fmt: skip


def test_the_estimated_psnr_is_the_true_one_within_its_error_all_along_a_fit(dip: Dip, tmp_path: Path) -> None:
    words = ["replicas=3", "shared=[task]", "fit.iterations=200", "fit.average_decay=0.9", "stopping.patience=1000"]
    run = fresh(tmp_path, dip, *NOISY, *SPLIT, *words)
    for curve in run.curves:
        for estimated, true in (("mse", "psnr_average"), ("mean_mse", "psnr_mean")):
            away = curve[f"split_{estimated}"] - 10 ** (-curve[true] / 10)
            assert np.abs(away / curve[f"split_{estimated}_se"]).max() < 4
    freedom = np.mean([curve["split_freedom"] for curve in run.curves], 0)
    assert freedom[:20].mean() < freedom[-20:].mean() < 1


def test_a_fit_stops_by_itself_and_gives_the_mean_of_its_replicas_at_the_joint_stop(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*NOISY, *SPLIT, "optimizer.lr=0.03", "fit.average_decay=0.5", "fit.iterations=1000", "replicas=2",
             "shared=[task]", "fit.keep=[20]", "output=restored.png"]  # fmt: skip
    run = fresh(tmp_path, dip, *words)
    summary, joint = run.summary, run.summary["stopping"]["split"]["joint"]
    assert summary["ended_by"] == "split"
    assert joint + 10 <= summary["iterations"] < 1000
    assert summary["iterations"] <= joint + 10 + 10  # patience, and the rest of a block
    assert len(run.curves[0]["loss"]) == summary["iterations"]
    watched = run.curves[0]["split_mean_mse"][: joint + 10]  # the rest of the last block is no longer asked
    assert joint == 1 + int(np.argmin(watched))
    mean = summary["scores"][stop_image("split", "mean")]["psnr"][0]
    assert mean == pytest.approx(run.curves[0]["psnr_mean"][joint - 1], abs=1e-3)
    np.testing.assert_array_equal(read_image(Path("restored.png")), read_image(run.image("stop-split-mean", 0)))
    told = capfd.readouterr().out
    assert f"  stop: split at {joint}, made sure at {summary['iterations']}\n  result: estimated PSNR" in told
    assert f"PSNR {mean:.2f} dB to the reference" in told
    assert dip(*SMALL, *words) == 0
    assert "skipped (finished before)" in capfd.readouterr().out


@pytest.mark.thorough
def test_observers_change_no_number_and_no_name(dip: Dip, tmp_path: Path) -> None:
    plain = fresh(tmp_path, dip, *NOISY)
    curves = plain.curves[0]
    watched = fresh(tmp_path, dip, *NOISY, "observe=[windowed_variance,fixed]", "observe.windowed_variance.window=5")
    assert watched.name == plain.name
    for column, values in curves.items():
        np.testing.assert_array_equal(watched.curves[0][column], values)


@pytest.mark.thorough
def test_a_run_that_a_rule_has_not_watched_is_fitted_again_for_it(dip: Dip, tmp_path: Path) -> None:
    fresh(tmp_path, dip, *NOISY)
    assert dip(*SMALL, *NOISY, "observe=[moving_variance]") == 0
    assert set(only_run(tmp_path).summary["stopping"]) == {"moving_variance"}


@pytest.mark.thorough
def test_each_rule_keeps_the_images_of_its_own_stop(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, "observe=[fixed]", "observe.fixed.iteration=7", "fit.keep=[7]", "replicas=2")
    assert run.summary["stopping"]["fixed"]["iteration"] == [7, 7]
    for replica in range(2):
        for kept, at in (("output", output_at(7)), ("average", average_at(7))):
            assert run.image(stop_image("fixed", kept), replica).read_bytes() == run.image(at, replica).read_bytes()
    both = [read_image(run.image(average_at(7), replica)) for replica in range(2)]
    np.testing.assert_allclose(read_image(run.image("stop-fixed-mean", 0)), np.mean(both, 0), atol=1 / 255)


def test_a_fit_with_every_rule_resumes_to_the_very_curves_of_an_uninterrupted_one(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*ALL, "fit.iterations=40", "replicas=2"]
    whole = fresh(tmp_path, dip, *words)
    names = [path.relative_to(whole.folder) for path in whole.folder.rglob("*.png")]
    before = {name: (whole.folder / name).read_bytes() for name in [*names, Path("curves.csv")]}
    stopping, scores = whole.summary["stopping"], whole.summary["scores"]
    for path in whole.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 27)
        assert dip(*SMALL, *words) == 130
    assert torch.load(whole.checkpoint, weights_only=True)["fit"]["done"] == 20
    assert dip(*SMALL, *words) == 0
    resumed = Run(whole.folder)
    assert {name: (whole.folder / name).read_bytes() for name in before} == before
    assert (resumed.summary["stopping"], resumed.summary["scores"]) == (stopping, scores)


@pytest.mark.thorough
def test_a_fit_that_was_cut_off_after_its_end_has_no_further_iteration(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*NOISY, "stopping=fixed", "stopping.iteration=12", "fit.checkpoint_every=10"]
    whole = fresh(tmp_path, dip, *words)
    curves = (whole.folder / "curves.csv").read_bytes()
    assert whole.summary["iterations"] == 20
    for path in whole.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(DIPModule, "unperturbed", lambda self: exec("raise KeyboardInterrupt"))
        assert dip(*SMALL, *words) == 130
    with monkeypatch.context() as patched:
        interrupt_at(patched, 20, AssertionError)
        assert dip(*SMALL, *words) == 0
    assert (whole.folder / "curves.csv").read_bytes() == curves
    assert Run(whole.folder).summary["ended_by"] == "fixed"


def test_a_replica_with_rules_is_the_single_fit_with_its_seed(dip: Dip, tmp_path: Path) -> None:
    words = [*ALL, "precision=float64", "stopping.patience=1000", "fit.iterations=30"]
    both = fresh(tmp_path, dip, *words, "replicas=2", "seed=3")
    curves, stops = both.curves[1], {name: rule["iteration"][1] for name, rule in both.summary["stopping"].items()}
    single = fresh(tmp_path, dip, *words, "seed=4")
    for column, values in single.curves[0].items():
        if "mean" not in column and column != "replica":
            np.testing.assert_allclose(curves[column], values, rtol=1e-6, atol=1e-8, equal_nan=True, err_msg=column)
    assert {name: rule["iteration"][0] for name, rule in single.summary["stopping"].items()} == stops
    assert {name: rule["joint"] for name, rule in single.summary["stopping"].items()} == stops


@pytest.mark.slow
def test_a_block_that_was_rejected_leaves_no_trace_in_any_rule(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*ALL, "replicas=2", "stopping.patience=1000"]
    plain = fresh(tmp_path, dip, *words)
    curves, stopping = plain.curves[0], plain.summary["stopping"]
    with monkeypatch.context() as patched:
        poison(patched, once(25), replica=1)
        run = fresh(tmp_path, dip, *words)
    assert run.summary["lost_iterations"] == [0, 10]
    for column, values in curves.items():
        if "mean" not in column:
            np.testing.assert_array_equal(run.curves[0][column], values, err_msg=column)
    for name, rule in run.summary["stopping"].items():
        assert rule["iteration"][0] == stopping[name]["iteration"][0]


def test_no_statistic_depends_on_the_clean_image(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*ALL, "replicas=2", "fit.iterations=20"]
    curves = fresh(tmp_path, dip, *words).curves[0]
    with monkeypatch.context() as patched:
        patched.setattr("dip_experiments.tasks.noise.AddedNoise.reference", lambda *_: None)
        blind = fresh(tmp_path, dip, *words).curves[0]
    assert {name for name in curves if name not in blind} == {"psnr_reference", "psnr_average", "psnr_mean"}
    for column, values in blind.items():
        np.testing.assert_array_equal(curves[column], values)


def test_what_replicas_share_they_draw_alike(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, "replicas=2", "shared=[task,init]", "fit.iterations=2")
    first, second = run.measured()["measurement"]
    np.testing.assert_array_equal(first, second)
    first, second = (curve["loss"] for curve in run.curves)
    assert abs(first[0] / second[0] - 1) > 1e-3  # the same weights at other latents
    alike = fresh(tmp_path, dip, *NOISY, "replicas=2", "shared=[task,init,latent,perturbation]", "fit.iterations=5")
    np.testing.assert_allclose(*(curve["loss"] for curve in alike.curves), rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("stopping=split stopping.a=0", "stopping.a: got 0"),
        ("stopping=split stopping.law.sigma=0", "without noise there is nothing to stop for"),
        ("stopping=split stopping.patience=9", "at least as much patience"),
        ("stopping=split observe=[split]", "it watches already"),
        ("stopping=sure", "say latent=measurement"),
        ("stopping=sure latent=measurement precision=bf16", "drown in its rounding"),
        ("stopping=held_out_pixels stopping.fraction=0.9999999", "none is left to fit or to watch"),
        ("stopping=windowed_variance fit.block=100 stopping.patience=100", "use fit.block=50"),
        ("stopping=fixed stopping.iteration=0", "stopping.iteration: got 0"),
        ("stopping=discrepancy stopping.tau=-1", "stopping.tau: got -1"),
        ("stopping=split stopping/law=poisson", "below 0"),
        ("stopping=split stopping.law=poisson", "stopping/law=poisson"),
        ("observe=[splt]", "observe=splt: no such option (did you mean split?)"),
        ("stopping=spilt", "stopping=spilt: no such option (did you mean split?)"),
        ("task=jpeg stopping=split", '(from Python: settings={"stopping.law.sigma": ...})'),
        ("task=jpeg stopping=discrepancy", "give stopping.sigma"),
        ("task=inpainting stopping=split stopping/law=poisson", "give stopping.law.gain of a picture"),
        ("task=inpainting stopping=split stopping.law.sigma=5 replicas=2", "masks differ"),
        ("task=super_resolution latent=measurement", "that measures no whole image"),
        ("shared=[noise]", "shared.0: got 'noise'"),
        ("task=inpainting stopping=split stopping.law.sigma=25 stopping.mix=[tv]", "need the whole image measured"),
        ("stopping=split stopping.mix=[tv,dct,tv]", "name each once"),
    ],
)
def test_rules_that_do_not_fit_are_refused_before_the_first_iteration(
    words: str, said: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SMALL, *(NOISY if "task=" not in words else []), *words.split()) == 2
    told = capfd.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert len(told.splitlines()) <= 3
    assert not list((tmp_path / "results").rglob("curves.csv"))


def test_correlated_noise_is_warned_of_before_the_fit(
    dip: Dip, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*NOISY, *SPLIT, "fit.iterations=1", "image.size=64"]
    fresh(tmp_path, dip, *words)
    assert "split: sigma 25, sigma_from given" in caplog.text
    assert "share" not in caplog.text
    monkeypatch.setattr(
        "dip_experiments.tasks.noise.normal",
        lambda image, draws: torch.randn(1, *image.shape[1:], generator=draws).expand_as(image).to(image),
    )
    fresh(tmp_path, dip, *words)
    assert "split: the channels share their noise" in caplog.text


RESTORE = ["experiment=restore_noisy", "scale=smoke", "logger=none", "replicas=2"]


def noisy_photo(folder: Path, law: str = "gaussian") -> Path:
    """A picture of 64 x 48 pixels with noise of its own, in a file."""
    clean, draw = load_image("coffee", None, 64, "resize")[:, :, :48], np.random.default_rng(0)
    noise = {
        "gaussian": clean + draw.normal(0, 0.1, clean.shape),
        "poisson": draw.poisson(clean * 30) / 30,
        "speckle": clean * draw.gamma(10, 0.1, clean.shape),
    }
    write_image(folder / "photo.png", noise[law].clip(0, 1))
    return folder / "photo.png"


@pytest.mark.parametrize(
    "law", ["gaussian", *(pytest.param(law, marks=pytest.mark.slow) for law in ("poisson", "speckle"))]
)
def test_one_command_restores_a_noisy_photograph_and_says_what_it_did(
    law: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    photo = noisy_photo(tmp_path, law)
    kind = "noisy" if law == "gaussian" else law
    words = [f"experiment=restore_{kind}", *RESTORE[1:], f"image.path={photo}", "output=restored.png"]
    assert dip(*words) == 0
    assert read_image(tmp_path / "restored.png").shape == (3, 64, 48)
    assert "_from estimated" in caplog.text
    told = capfd.readouterr().out
    run = only_run(tmp_path)
    first, noise, stop, result = told.splitlines()
    assert first.endswith("wrote restored.png")
    assert noise.startswith("  noise: ")
    assert noise.endswith(", estimated")
    assert stop == f"  stop: split at {run.summary['iterations']}, not final: more iterations may be better"
    assert result.startswith("  result: estimated PSNR ")
    assert re.search(
        r"mix: \d+% network, \d+% nlm, \d+% dct, \d+% wiener \(network alone [0-9.]+ \+- [0-9.]+ dB\)$", result
    )
    assert max(map(len, (noise, stop, result))) < 120
    assert "psnr_average" not in run.curves[0]
    np.testing.assert_array_equal(read_image(tmp_path / "restored.png"), read_image(run.image("stop-split-mixed", 0)))


MIXED = ("stopping.mix=[tv,dct]", "replicas=2", "shared=[task]")


def test_the_mixture_is_of_the_means_by_the_weights_that_are_reported(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, *SPLIT, *MIXED, "fit.iterations=60")
    mix = run.summary["stopping"]["split"]["mix"]
    weights = mix["weights"]
    assert set(weights) == {"tv", "dct"}
    assert 0 < sum(weights.values()) <= 1 + 1e-6  # the fit has hardly begun
    scores = {name: run.summary["scores"][f"stop-split-{name}"]["psnr"][0] for name in ("mean", "mixed")}
    assert scores["mixed"] > scores["mean"] + 1
    away = mix["estimate"]["mse"] - 10 ** (-scores["mixed"] / 10)
    assert abs(away) < 3 * mix["estimate"]["mse_se"]


@pytest.mark.thorough
def test_a_part_of_the_given_picture_can_be_kept_for_its_grain(dip: Dip, tmp_path: Path) -> None:
    photo = noisy_photo(tmp_path)
    assert dip(*RESTORE, f"image.path={photo}", "output=restored.png") == 0
    assert dip(*RESTORE, f"image.path={photo}", "output=grainy.png", "blend=0.25") == 0  # and fits nothing
    restored, grainy = (read_image(tmp_path / f"{name}.png") for name in ("restored", "grainy"))
    np.testing.assert_allclose(grainy, 0.75 * restored + 0.25 * read_image(photo), atol=1 / 255)
    assert len(list((tmp_path / "results" / "runs").iterdir())) == 1
    assert dip(*RESTORE, f"image.path={photo}", "blend=0.25") == 2
