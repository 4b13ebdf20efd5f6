"""The paper's finding in miniature: a network resists noise, pixels alone do not (Fig. 2)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dip_experiments.config.groups import conf_folder
from dip_experiments.metrics import iterations_to_explain
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run

TARGETS = ("natural", "noisy", "shuffled", "noise")
WORDS = [
    "scale=smoke",
    "logger=none",
    "experiment=fig2",
    "hydra/launcher=basic",
    "image.size=32",
    "architecture.down=[16,16,16]",
    "architecture.skip=[4,4,4]",
]


def test_the_committed_demo_shows_what_figure_2_shows() -> None:
    found = select("fig2", "demo", conf_folder().parent / "results", origin="records").complete_runs
    reached = {
        (run.settings["architecture"]["name"], run.settings["target"]["name"]): run.summary["iterations_explained"][0]
        for run in found
    }
    network, pixels = ([reached[name, target] for target in TARGETS] for name in ("skip", "pixels"))
    image, noisy, shuffled, noise = network
    assert noisy > 2 * image
    assert shuffled > 1.5 * noisy
    assert noise is None, "not in 400 iterations"
    assert max(pixels) < 1.15 * min(pixels)


@pytest.mark.slow
def test_the_demo_gives_the_committed_numbers_again(
    dip: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["scale=demo", "architecture=skip", "target=natural,noisy"]
    assert dip("-m", "experiment=fig2", *words, "logger=none", "hydra/launcher=basic") == 0
    assert dip("compare", "fig2", *words) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("reproduced: ")


def all_runs(results: Path) -> list[Run]:
    return [Run(path) for path in sorted((results / "runs").iterdir())]


def runs(results: Path) -> dict[str, list[np.ndarray]]:
    """target -> explained share of the variance over the iterations, one curve per seed."""
    curves = {}
    for run in all_runs(results):
        variances = run.summary["target_variance"]
        pairs = zip(run.curves, variances, strict=True)
        curves[run.settings["target"]["name"]] = [1 - curve["loss"] / variance for curve, variance in pairs]
    return curves


def test_a_network_fits_natural_before_shuffled_before_noise(dip: Callable[..., int], tmp_path: Path) -> None:
    assert dip(*WORDS, "architecture=skip", "fit.iterations=40") == 0
    explained = {name: np.stack(curves) for name, curves in runs(tmp_path / "results").items()}
    at = {name: curves[:, -1] for name, curves in explained.items()}
    assert at["natural"].min() > at["noisy"].max() > at["noisy"].min() > at["shuffled"].max()
    assert at["shuffled"].min() > at["noise"].max()
    assert at["natural"].mean() - at["noise"].mean() > 0.3


@pytest.mark.thorough
def test_pixels_without_a_network_fit_noise_as_fast_as_an_image(dip: Callable[..., int], tmp_path: Path) -> None:
    words = [word for word in WORDS if not word.startswith("architecture")]
    assert dip(*words, "architecture=pixels", "fit.iterations=120") == 0
    reached = {
        name: [iterations_to_explain(1 - curve, 1.0, 0.9) for curve in curves]
        for name, curves in runs(tmp_path / "results").items()
    }
    slowest, fastest = (choose(min(n for n in counts if n) for counts in reached.values()) for choose in (max, min))
    assert slowest / fastest < 1.25


def test_stopped_early_a_network_denoises_and_fitted_to_the_end_it_does_not(
    dip: Callable[..., int], tmp_path: Path
) -> None:
    words = ["scale=smoke", "logger=none", "architecture.down=[32,32,32]", "architecture.skip=[4,4,4]"]
    words += ["fit.iterations=300", "latent.perturbation=0.0", "target.sigma=50"]
    assert dip(*words) == 0
    (run,) = all_runs(tmp_path / "results")
    quality = run.curves[0]["psnr_reference"]
    noisy = -10 * np.log10((50 / 255) ** 2)
    assert quality.max() > noisy + 4
    assert quality[-20:].mean() < quality.max() - 0.5
    assert run.summary["oracle_iteration"]["psnr_reference"][0] == pytest.approx(np.argmax(quality) + 1)
