"""Observers at work on a fit: they change nothing, never stop it, and what they measure is stored and resumed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip, fresh, only_run, thorough_after
from interruptions import fitted_in_two_sessions

import dip_experiments as dip_api
from dip_experiments.store import Store
from dip_experiments.theory.bands import band_masks
from dip_experiments.theory.observers import Bands

NOISY = ["task=denoising", "task.noise.clip=false"]
SHARED = ["replicas=3", "shared=[target,init,latent,perturbation]"]


@pytest.mark.thorough
def test_bands_change_no_number_and_no_name_and_add_their_columns(dip: Dip, tmp_path: Path) -> None:
    plain = fresh(tmp_path, dip, *NOISY)
    curves = plain.curves[0]
    observed = fresh(tmp_path, dip, *NOISY, "observe=[bands]")
    assert observed.name == plain.name
    for column, values in curves.items():
        np.testing.assert_array_equal(observed.curves[0][column], values)
    assert {"band_1", "band_energy_5"} <= observed.curves[0].keys() - curves.keys()


def test_the_columns_of_bands_are_those_of_the_output_that_is_stored(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, "target=natural", "observe=[bands]", "precision=float64")
    with np.load(run.folder / "measurement.npz") as arrays:
        target = torch.from_numpy(arrays["measurement"])
    masks = band_masks(*target.shape[2:])
    mse = 10 ** (-run.curves[0]["psnr_measurement"][-1] / 10)
    explained = np.array([run.curves[0][f"band_energy_{band}"][-1] for band in range(1, 6)])
    energies = torch.einsum("bhw,hw->b", masks, torch.fft.fft2(target[0].mean(0)).abs().square()).numpy()
    left = ((1 - explained) * energies).sum() / target[0, 0].numel() ** 2
    assert left < mse * 1.0001  # the grey part without mean and corners of all that is left
    assert left > 0.1 * mse


def test_an_observer_is_no_rule_that_could_have_stopped(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, "observe=[bands]")
    assert "stopping" not in run.summary
    assert "ended_by" not in run.summary
    assert not list((run.folder / "images").glob("stop-*"))


@pytest.mark.parametrize("observer", thorough_after(1, ["bands", "degrees_of_freedom"]))
def test_a_fit_with_an_observer_resumes_to_the_very_curves_of_an_uninterrupted_one(
    observer: str, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*NOISY, *SHARED, f"observe=[{observer}]", "fit.iterations=40"]
    run = fresh(tmp_path, dip, *words)
    curves = (run.folder / "curves.csv").read_bytes()
    resumed = fitted_in_two_sessions(run, monkeypatch, dip, *words)
    assert (resumed.folder / "curves.csv").read_bytes() == curves


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["replicas=3"],
        ["replicas=3", "shared=[init,latent]"],
        ["replicas=3", "shared=[target,task,init,latent]"],
        ["replicas=2", "shared=[target,init,latent,perturbation]"],
    ],
)
def test_degrees_of_freedom_of_fits_that_differ_in_more_than_their_noise_are_refused(
    words: list[str], dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*SMALL, *NOISY, "observe=[degrees_of_freedom]", *words) == 2
    assert "shared=[target,init,latent,perturbation]" in capfd.readouterr().err
    assert not (tmp_path / "results" / "runs").exists()


def test_an_observer_cannot_be_the_rule_that_ends_a_fit() -> None:
    noisy = np.random.default_rng(0).random((32, 32))
    bands = Bands(name="bands")
    with pytest.raises(ValueError, match=r"use observe=\[bands\]"):
        dip_api.reconstruct(noisy, stopping=bands, scale="smoke", progress=False)
    with pytest.raises(ValueError, match="never stops it"):
        dip_api.StoppingMonitor(bands, noisy)


def test_from_python_observers_are_asked_for_by_name() -> None:
    noisy = np.random.default_rng(0).random((32, 32))
    result = dip_api.reconstruct(noisy, observe="bands", scale="smoke", iterations=3, progress=False)
    assert {"band_1", "band_energy_5"} <= set(result.history.columns)
    with pytest.raises(ValueError, match="choose from bands"):
        dip_api.reconstruct(noisy, observe="band", scale="smoke", progress=False)


def test_the_columns_of_an_observer_are_in_the_record(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, *NOISY, "observe=[bands]")
    record = Store(tmp_path / "results").export_record(run, "smoke")
    assert record.finished
    assert "band_energy_3" in record.curves[0]
    assert only_run(tmp_path).curves[0]["band_1"][-1] == record.curves[0]["band_1"][-1]


@pytest.mark.thorough
def test_an_observer_of_one_s_own_goes_by_its_name(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples"))
    run = fresh(tmp_path, dip, "observe.Roughness._target_=my_parts.Roughness")
    assert run.curves[0]["roughness"].min() > 0
    assert dip(*SMALL, "observe=[{_target_: my_parts.Roughness}]") == 2
    assert "observe.Mine._target_=module.Mine" in capfd.readouterr().err
