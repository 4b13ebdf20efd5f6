"""Tiles cover a picture, their weights add up to one, and what treats each pixel by itself does the same in tiles."""

import numpy as np
import pytest
from conftest import thorough_after

from dip_experiments.data.tiling import MULTIPLE, OVERLAP, PART, Side, Tiling, windowed
from dip_experiments.fitting.tile import TileResult
from dip_experiments.runner.tiles import combined_error, combined_summary

SIZES = [(769, 768), (65, 64), (113, 64), (4000, 768), (3000, 768), (17, 16), (256, 128), (1000, 61), (770, 384)]


@pytest.mark.parametrize(("pixels", "tile"), thorough_after(6, SIZES))
def test_weights_of_a_side_add_up_to_one_and_every_tile_fades_before_its_inner_borders(pixels: int, tile: int) -> None:
    side = Side.of(pixels, tile)
    total, overlap = np.zeros(pixels), min(OVERLAP, tile // PART)
    for index, start in enumerate(side.starts):
        weights = side.weights(index)
        assert ((weights >= 0) & (weights <= 1)).all()
        assert index == 0 or weights[0] < 0.01
        assert index == len(side.starts) - 1 or weights[-1] < 0.01
        total[start : start + side.length] += weights
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)
    assert (side.starts[0], side.starts[-1] + side.length) == (0, pixels)
    assert side.length <= tile
    assert side.length % MULTIPLE == 0 or side.length == tile
    assert (np.diff(side.starts) <= side.length - overlap).all()
    assert all(np.count_nonzero((w > 0) & (w < 1)) >= overlap for w in map(side.weights, range(len(side.starts))))


@pytest.mark.parametrize(("rows", "columns", "tile"), [(100, 131, 48), (40, 131, 48), (131, 17, 32), (77, 77, 24)])
def test_what_treats_each_pixel_by_itself_makes_the_same_picture_in_tiles(rows: int, columns: int, tile: int) -> None:
    picture = np.random.default_rng(0).random((3, rows, columns))
    tiling = Tiling.of(rows, columns, tile)
    assert tiling is not None
    assert tiling.picture_size == (rows, columns)
    assert len(tiling.windows) == len(tiling) == len(list(tiling.weights()))
    np.testing.assert_allclose(sum(weights.sum() for weights in tiling.weights()), rows * columns)
    blended = tiling.blend(windowed(picture, window) ** 2 for window in tiling.windows)
    np.testing.assert_allclose(blended, picture**2, rtol=1e-14)


def test_a_picture_that_is_no_larger_than_a_tile_is_not_divided() -> None:
    assert Tiling.of(64, 64, 64) is None
    tiling = Tiling.of(64, 65, 64)
    assert tiling is not None
    assert (len(tiling), tiling.down.starts, tiling.size) == (2, (0,), (64, 64))


def result(mse: float, by_chance: float, doubt: float, noisy: float = 1.0) -> dict[str, np.ndarray]:
    estimate = np.array([mse, by_chance])
    return TileResult(
        np.zeros((1, 4, 4)), estimate, 2 * estimate, np.array(float(doubt)), np.array(float(noisy))
    ).arrays()


def two_tiles() -> Tiling:
    return Tiling(Side((0,), 4, 0), Side((0, 2), 4, 2))


def test_errors_by_chance_of_tiles_average_out_and_the_doubt_about_their_noise_does_not() -> None:
    tiling = two_tiles()
    found = combined_error("estimate", tiling, [result(0.02, 0.003, 0.0), result(0.04, 0.004, 0.0)])
    assert found is not None
    assert found["mse"] == pytest.approx(0.03)
    by_chance = 0.5 * (0.003**2 + 0.004**2) ** 0.5  # of two tiles without overlap
    assert found["mse_se"] == pytest.approx(by_chance * (16 / 12) ** 0.5)  # of 16 pixels each, 12 count
    doubtful = combined_error("estimate", tiling, [result(0.02, 0.0, 0.001), result(0.04, 0.0, 0.003)])
    assert doubtful is not None
    assert doubtful["mse_se"] == pytest.approx(0.002)
    both = combined_error("network", tiling, [result(0.02, 0.003, 0.002), result(0.04, 0.004, 0.002)])
    assert both is not None
    assert both["mse"] == pytest.approx(0.06)
    assert both["mse_se"] == pytest.approx(np.hypot(2 * by_chance * (16 / 12) ** 0.5, 0.002))


def test_a_tile_without_noise_does_not_count_and_one_without_an_estimate_leaves_none() -> None:
    tiling, sky = two_tiles(), result(np.nan, np.nan, 0.5, noisy=0.0)
    assert combined_error("estimate", tiling, [result(0.02, 0.003, 0.001), sky]) == pytest.approx(
        {"mse": 0.02, "mse_se": np.hypot(0.003 * (16 / 12) ** 0.5, 0.001)}
    )
    assert combined_error("estimate", tiling, [result(0.02, 0.003, 0.001), result(np.nan, np.nan, 0.001)]) is None
    assert combined_error("estimate", tiling, [sky, sky]) is None


def test_the_error_of_a_picture_has_the_coverage_that_its_standard_error_promises() -> None:
    """White errors of known variance: the estimate of each tile, put together, against the mean over the picture."""
    tiling = Tiling.of(100, 164, 48)
    assert tiling is not None
    draws, away = np.random.default_rng(0), []
    for _ in range(300):
        errors = 1 + draws.normal(0, 1, tiling.picture_size)
        tiles = []
        for window in tiling.windows:
            seen = windowed(errors, window)
            tiles.append(result(seen.mean(), seen.std() / seen.size**0.5, 0.0))
        found = combined_error("estimate", tiling, tiles)
        assert found is not None
        away.append((found["mse"] - 1) / found["mse_se"])
    assert np.std(away) == pytest.approx(1, abs=0.1)


def test_the_stop_of_a_picture_is_the_latest_and_weights_are_means_over_pixels() -> None:
    def summary(stop: int | None, weight: float) -> dict[str, object]:
        mix = {"mix": {"weights": {"dct": weight}, "estimate": {"mse": 0.01, "mse_se": 0.001}}}
        rule = {"facts": {"sigma": 9.0}, "joint": stop, "joint_final": stop == 40, **(mix if stop else {})}
        return {
            "stopping": {"split": rule}, "iterations": 60, "wall_seconds": 1.5, "lost_iterations": [1, 0], "failed": [],
        }  # fmt: skip

    tiles = [result(0.02, 0.003, 0.001), result(0.04, 0.004, 0.001, noisy=0.5)]
    found = combined_summary("split", two_tiles(), [summary(40, 0.3), summary(70, 0.6)], tiles)
    rule = found["stopping"]["split"]
    assert (rule["joint"], rule["joint_final"]) == (70, False)
    assert rule["mix"]["weights"]["dct"] == pytest.approx(0.4)
    assert rule["estimate"]["mse"] == pytest.approx(2 * rule["mix"]["estimate"]["mse"])
    assert found["lost_iterations"] == [1, 1]
    assert found["wall_seconds"] == 3.0
    tiles[1] = result(np.nan, np.nan, 0)
    none = combined_summary("split", two_tiles(), [summary(40, 0.3), summary(None, 0.6)], tiles)
    assert none["stopping"]["split"].keys() == {"facts", "joint", "joint_final"}
    assert none["stopping"]["split"]["joint"] is None
