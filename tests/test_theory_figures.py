"""Figures and tables of the theory studies: their numbers, and verdicts that follow the measurement both ways."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import thorough_after
from fake_runs import CLEAN, draw, files, make_run, part_of, rows, selection

from dip_experiments.analysis.band_curves import band_lag
from dip_experiments.analysis.claims import Claim, above, with_interval
from dip_experiments.analysis.confidence import Interval
from dip_experiments.store import Array, Run, Store, write_arrays, write_image

N, SEEDS = 40, (3, 4, 5)
"""Iterations and seeds of the made-up fits."""
BUMP = 20 - np.abs(np.arange(1, N + 1) - 30) / 10
"""PSNR with its peak at iteration 30."""


def alike(curve: Any, spread: float = 0.01) -> Array:
    """The curve of each seed, nearly the same."""
    return np.asarray(curve, dtype=float)[None] + spread * np.arange(len(SEEDS))[:, None]


def shown(page: Any) -> str:
    return " ".join(str(page.shown).split())


def with_arrays(run: Run, numbers: dict[str, Any], arrays: dict[str, Array], **images: Array) -> Run:
    """The run with what observers have measured."""
    summary = {key: value for key, value in run.summary.items() if key not in ("files", "seal")}
    write_arrays(run.folder / "observed.npz", **arrays)
    for name, image in images.items():
        write_image(run.image(name, 0), image)
    run.finish(summary | {"observed": numbers})
    return Run(run.folder)


def banded(results: Path, change: str, low: float, high: float, explained: Sequence[int] = (10, 20)) -> list[Run]:
    """The fits of one network, with so much of the lowest and the highest band at its peak."""
    ramp = np.linspace(0, 1, N)
    energies = {f"band_energy_{band}": alike(ramp / ramp[29] * part) for band, part in enumerate(
        np.linspace(low, high, 5), 1)}  # fmt: skip
    amplitudes = {f"band_{band}": alike(np.full(N, 0.5)) for band in range(1, 6)}
    return [
        make_run(
            results, f"{change}-{target}", seeds=SEEDS,
            curves={"psnr_reference": alike(BUMP), **energies, **amplitudes},
            summary={"iterations_explained": [at] * 3, "iterations": N},
            experiment={"name": "bands", "change": change}, target={"name": target},
        )
        for target, at in (("natural", explained[0]), ("noisy", 15), ("shuffled", explained[1]))
    ]  # fmt: skip


def test_the_bands_of_a_network_are_those_at_its_peak_and_the_claim_holds(tmp_path: Path) -> None:
    runs = [*banded(tmp_path, "default", 0.9, 0.3), *banded(tmp_path, "pixels", 0.4, 0.4)]
    page = draw("studies/bands", selection(tmp_path, "bands", *runs), name="draw_table")
    first, control = rows(page)
    assert float(first["band_energy_1"]) == pytest.approx(0.91, abs=0.02)
    assert float(first["band_energy_5"]) == pytest.approx(0.31, abs=0.02)
    assert (first["peak"], control["change"]) == ("30", "pixels")
    assert verdicts(page) == ["holds", "holds"]
    assert "page.png" in files(
        draw("studies/bands", selection(tmp_path, "bands", *runs), name="draw_figure"), tmp_path / "drawn"
    )


def test_a_highest_band_that_is_used_at_the_peak_and_one_that_is_fitted_first_falsify_the_claims(
    tmp_path: Path,
) -> None:
    used = banded(tmp_path, "default", 1.0, 0.7)
    assert verdicts(draw("studies/bands", selection(tmp_path, "bands", *used), name="draw_table")) == [
        "holds", "falsified",
    ]  # fmt: skip
    first = [*banded(tmp_path, "default", 0.9, 0.3), *banded(tmp_path, "unet", 0.6, 1.3)]
    assert verdicts(draw("studies/bands", selection(tmp_path, "bands", *first), name="draw_table")) == [
        "falsified", "holds",
    ]  # fmt: skip


def test_a_network_that_fits_nothing_decides_no_verdict(tmp_path: Path) -> None:
    runs = [*banded(tmp_path, "default", 0.9, 0.3), *banded(tmp_path, "no_norm", 0.001, 0.002)]
    page = draw("studies/bands", selection(tmp_path, "bands", *runs), name="draw_table")
    assert verdicts(page) == ["holds", "holds"]
    assert "later in 1 of 1 networks" in shown(page)


def test_one_seed_gives_no_interval_and_a_highest_band_that_is_never_half_explained_a_bound(tmp_path: Path) -> None:
    natural, _, _ = banded(tmp_path, "default", 1.0, 0.7)
    curves = {name: natural.curves[0][name][None] for name in ("band_energy_1", "band_energy_5")}
    one = make_run(tmp_path, "one", seeds=[0], curves=curves)
    never = {**curves, "band_energy_5": curves["band_energy_5"].clip(max=0.4)}
    bound = make_run(tmp_path, "bound", seeds=[0], curves=never)
    is_bound = part_of("studies/bands", "is_bound")
    assert [is_bound(band_lag(run)) for run in (one, bound)] == [False, True]
    assert band_lag(one).value > 1


def gradients(results: Path, change: str, ratio: float) -> Run:
    """Norms at a hundred starts, the picture's `ratio` times as large as the noise's."""
    noise = np.random.default_rng(0).uniform(1, 2, 3)
    norms = {"picture": ratio * noise, "noise": noise, "picture_centred": ratio * noise, "noise_centred": noise}
    run = make_run(results, f"start-{change}", seeds=SEEDS, experiment={"name": "jacobian", "change": change})
    return with_arrays(run, {"gradient_norms": {name: values.tolist() for name, values in norms.items()}}, {})


@pytest.mark.parametrize(("order", "verdict"), thorough_after(1, [(1, "+1.00"), (-1, "-1.00")]))
@pytest.mark.thorough
def test_gradients_are_correlated_with_the_impedance_by_rank(order: int, verdict: str, tmp_path: Path) -> None:
    ratios = [1.5, 2.5, 4.0, 6.0][::order]
    networks = ("a", "b", "c", "d")
    starts = [gradients(tmp_path, change, ratio) for change, ratio in zip(networks, ratios, strict=True)]
    fits = [run for place, change in enumerate(networks) for run in banded(
        tmp_path, change, 0.5 + place / 10, 0.1, explained=(5, 10 + 5 * place))]  # fmt: skip
    both = selection(tmp_path, "jacobian", *starts), selection(tmp_path, "bands", *fits)
    page = draw("studies/jacobian", *both, name="draw_table")
    assert f"Measured: {verdict}" in shown(page)
    assert verdicts(page)[:2] == ["holds", "holds"]
    assert [float(row["ratio"]) for row in rows(page)] == pytest.approx(ratios)
    assert [float(row["impedance"]) for row in rows(page)] == pytest.approx([2, 3, 4, 5])
    assert "page.png" in files(draw("studies/jacobian", *both, name="draw_figure"), tmp_path / "drawn")


def freedom(results: Path, picture: str, at_peak: float, apart: float) -> Run:
    """Four fits of one picture, with so many degrees of freedom at their peak."""
    rising = np.linspace(0, 1, N) * at_peak / np.linspace(0, 1, N)[29]
    estimate = np.where(np.arange(N) < 3, 0.3, rising + apart)  # far off at first, which is no stop
    return make_run(
        results, f"freedom-{picture}-{at_peak}-{apart}", seeds=SEEDS,
        curves={
            "psnr_reference": alike(BUMP), "freedom": alike(rising, 0.001) - 0.001,
            "split_freedom": alike(estimate, 0.002) - 0.002,
        },
        experiment={"name": "degrees_of_freedom"}, image={"name": picture, "path": None, "size": 64, "fit": "crop"},
        task={"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0, "clip": False}},
    )  # fmt: skip


def freedoms(results: Path, *pictures: tuple[str, float, float]) -> tuple[Any, Any]:
    runs = [freedom(results, *picture) for picture in pictures]
    return selection(results, "degrees_of_freedom", *runs), selection(results, "degrees_of_freedom_networks")


def verdicts(page: Any) -> list[str]:
    return [part.split(".")[0] for part in shown(page).split("Verdict: ")[1:]]


def test_degrees_of_freedom_agree_and_a_stop_at_the_other_pictures_mean_loses_what_it_loses(tmp_path: Path) -> None:
    both = freedoms(tmp_path, ("coffee", 0.10, 0.001), ("camera", 0.10, -0.001), ("astronaut", 0.20, 0.0005))
    page = draw("studies/degrees_of_freedom", *both, name="draw_table")
    found = {row["picture"]: row for row in rows(page)}
    assert float(found["coffee"]["definition"]) == pytest.approx(0.10)
    assert float(found["coffee"]["split"]) == pytest.approx(0.101, abs=1e-4)
    # astronaut stops at 0.10, half way to its peak: at iteration 16, of which the PSNR is 1.4 dB lower
    assert float(found["astronaut"]["loss"]) == pytest.approx(1.4, abs=0.11)
    assert verdicts(page)[:2] == ["holds", "falsified"]  # they are twice as many on one picture
    assert "0 is in the interval of 3 of 3 runs" in shown(page)
    assert "largest by smallest 2.0 times" in shown(page)
    picture = draw("studies/degrees_of_freedom", *both, name="draw_figure")
    assert "page.png" in files(picture, tmp_path / "drawn")


def test_an_estimate_that_is_biased_falsifies_the_claim_and_equal_freedoms_are_a_rule(tmp_path: Path) -> None:
    biased = freedoms(tmp_path, *((picture, 0.1, 0.05) for picture in ("coffee", "camera", "astronaut")))
    assert verdicts(draw("studies/degrees_of_freedom", *biased, name="draw_table"))[0] == "falsified"
    equal = freedoms(tmp_path, *((picture, 0.1, 0.0005) for picture in ("coffee", "camera", "astronaut")))
    assert verdicts(draw("studies/degrees_of_freedom", *equal, name="draw_table")) == ["holds", "open", "holds"]


def kernel(results: Path, method: str, seed: int, distance: float) -> Run:
    """A fit so far from the linearised one."""
    values = np.full(N, distance)
    run = make_run(
        results, f"{method}-{seed}", seeds=[seed],
        curves={
            "psnr_reference": BUMP[None], "psnr_nearest": BUMP[None] - 1, "psnr_linearised": BUMP[None] - 0.5,
            "psnr_measurement": np.linspace(10, 25, N)[None],
            "path_distance": values[None] + seed / 1000, "linearised_distance": values[None] + seed / 1000,
        },
        experiment={"name": "tangent_kernel", "method": method}, scale={"name": "smoke", "width": 16},
    )  # fmt: skip
    noise, image = np.full(100, 0.01), np.r_[np.full(10, 0.08), np.full(90, 0.2 / 90)]
    changes = {"scale0.conv.weight": 0.1, "scale0.norm.weight": 9.0, "output.conv.weight": 0.3}
    arrays = {"image_energy": image + 1e-4 * seed * np.r_[np.ones(10), np.zeros(90)], "noise_energy": noise,
              "columns": np.random.default_rng(0).normal(size=(3, 100)),
              "pixels": np.array([[1, 2], [3, 4], [5, 6]])}  # fmt: skip
    named = {f"tangent_kernel.{name}": array for name, array in arrays.items()}
    return with_arrays(run, {"tangent_kernel": {"weight_changes": changes}}, named)


@pytest.mark.parametrize(
    ("descent", "adam", "expected"),
    thorough_after(1, [(0.5, 0.05, ["holds", "falsified", "falsified"]), (0.05, 0.5, ["holds", "holds", "holds"])]),
)
def test_verdicts_on_the_linearised_fit_follow_the_distances(
    descent: float, adam: float, expected: list[str], tmp_path: Path
) -> None:
    runs = [kernel(tmp_path, method, seed, distance) for method, distance in (("descent", descent), ("adam", adam))
            for seed in range(3)]  # fmt: skip
    page = draw("studies/tangent_kernel", selection(tmp_path, "tangent_kernel", *runs), name="draw_table")
    assert verdicts(page) == expected
    assert "80% of the image's energy, 10% of the noise's" in shown(page)
    assert "0.20 +- 0.00" in shown(page)  # the median of the convolutions' changes, without that of a norm
    assert {row["layer"] for row in rows(page)} == {"scale0.conv.weight", "output.conv.weight"}
    picture = draw("studies/tangent_kernel", selection(tmp_path, "tangent_kernel", *runs), name="draw_figure")
    assert "page.png" in files(picture, tmp_path / "drawn")


def test_a_fit_still_rises_where_its_peak_is_in_the_last_2_percent_of_its_iterations(tmp_path: Path) -> None:
    best = part_of("studies/tangent_kernel", "best")
    for peak, text in ((2930, "20.00"), (2950, ">20.00")):
        curve = 20 - np.abs(np.arange(1, 3001) - peak)[None] / 100
        assert best([make_run(tmp_path, f"{peak}", seeds=[0], curves={"psnr": curve})], "psnr") == text


def sampled(results: Path, method: str, average: Array, covered: float, late: float, failed: Sequence[int] = ()) -> Run:
    mean = alike(np.where(np.arange(N) < 20, np.nan, late))
    run = make_run(
        results, method, seeds=SEEDS, failed=failed, experiment={"name": "posterior", "method": method},
        curves={"psnr_reference": alike(BUMP - 3), "psnr_average": alike(average), "psnr_posterior_mean": mean},
    )  # fmt: skip
    shares = [{"1.0": covered + replica / 1000, "2.0": 0.9, "3.0": 1.0} for replica in range(3)]
    numbers = {"posterior_mean_coverage": shares}
    arrays = {"posterior.posterior_deviation": np.full((3, *CLEAN.shape), 0.05)}
    return with_arrays(run, {"posterior": numbers}, arrays, posterior_mean=CLEAN)


@pytest.mark.parametrize(
    ("sgld", "covered", "late", "expected"),
    [
        (np.minimum(BUMP, 19.5), 0.682, 22.0, ["holds", "holds", "holds"]),
        (BUMP, 0.3, 18.0, ["falsified", "falsified", "falsified"]),
    ],
)
def test_verdicts_on_sgld_follow_its_fall_its_mean_and_its_coverage(
    sgld: Array, covered: float, late: float, expected: list[str], tmp_path: Path
) -> None:
    flat = np.maximum.accumulate(sgld) if expected[0] == "holds" else sgld
    runs = [sampled(tmp_path, "sgld", flat, covered, late), sampled(tmp_path, "adam", BUMP, 0.2, 15.0)]
    page = draw("studies/posterior", selection(tmp_path, "posterior", *runs), name="draw_table")
    assert verdicts(page) == expected
    assert "Adam's +" in shown(page)
    picture = draw("studies/posterior", selection(tmp_path, "posterior", *runs), name="draw_figure")
    assert "page.png" in files(picture, tmp_path / "drawn")


def test_a_chain_is_compared_with_the_fit_of_its_own_seed(tmp_path: Path) -> None:
    runs = [sampled(tmp_path, "sgld", BUMP, 0.3, 22.0, failed=[0]), sampled(tmp_path, "adam", BUMP, 0.2, 15.0)]
    page = draw("studies/posterior", selection(tmp_path, "posterior", *runs), name="draw_table")
    assert "Measured: +2.00 (+2.00 to +2.00) dB" in shown(page)


@pytest.mark.slow
def test_the_dual_kernel_is_drawn_without_a_run(tmp_path: Path) -> None:
    page = draw("studies/dual_kernel", name="draw_table")
    triangle = next(row for row in rows(page) if (row["filter"], row["half_width"]) == ("triangle", "10"))
    assert float(triangle["smallest"]) == pytest.approx(3 * 0.00487, rel=0.01)  # in the published normalisation / 3
    assert float(triangle["largest"]) == pytest.approx(3 * 1.957, rel=0.01)
    assert "Verdict: holds" in shown(page)
    assert "page.png" in files(draw("studies/dual_kernel", name="draw_figure"), tmp_path / "drawn")


def test_an_interval_on_both_sides_of_a_bound_decides_nothing() -> None:
    assert above(Interval(1.0, 0.5, 1.5)) is True
    assert above(Interval(-1.0, -1.5, -0.5)) is False
    assert above(Interval(0.1, -0.5, 0.7)) is None
    assert above(Interval(5.0, np.nan, np.nan)) is None
    assert above(Interval(1.0, 0.5, 1.5), 2.0) is False
    assert Claim("a", "b", "c", None).verdict == "open"
    assert with_interval(Interval(0.5, np.nan, np.nan)) == "+0.50"
    assert with_interval(Interval(np.nan, np.nan, np.nan)) == "not known"


def test_a_record_has_the_arrays_of_its_run(tmp_path: Path) -> None:
    run = kernel(tmp_path, "descent", 0, 0.1)
    record = Store(tmp_path).export_record(run, "smoke")
    np.testing.assert_array_equal(record.observed()["tangent_kernel.columns"], run.observed()["tangent_kernel.columns"])
