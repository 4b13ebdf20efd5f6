"""What averaging runs gains, by the errors of single runs and of their mean."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import draw, make_bare_run, part_of, rows, selection

from dip_experiments.store import Run

SCRIPT = "tables/averaging"
AUTHORS = {"name": "denoising", "noise": {"name": "noisy25"}}
SHARED, OWN = 0.0007, 0.0002
Errors = part_of(SCRIPT, "Errors")


def decibels(error: float) -> float:
    return float(-10 * np.log10(error))


def made_up(results: Path, picture: str, seeds: int, own: float = OWN, failed: tuple[int, ...] = ()) -> Run:
    """A run whose seeds have errors of their own with the same mean square, independent of each other."""
    sound = seeds - len(failed)
    means = {"mean_of_2": SHARED + own / 2, "mean": SHARED + own / sound}
    scores: dict[str, Mapping[str, Any]] = {name: {"psnr": [decibels(error)]} for name, error in means.items()}
    singles = [None if replica in failed else decibels(SHARED + own) for replica in range(seeds)]
    image = {"name": picture, "path": None, "size": 32, "fit": "crop"}
    return make_bare_run(
        results, picture.replace("/", ""), range(seeds), failed, {"scores": {"average": {"psnr": singles}} | scores},
        image=image, task=AUTHORS,
    )  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 8])
def test_what_seeds_share_follows_from_single_runs_and_the_mean_of_any_number(count: int) -> None:
    errors = Errors.of(decibels(SHARED + OWN), decibels(SHARED + OWN / count), count)
    assert (errors.shared, errors.own) == pytest.approx((SHARED, OWN))
    assert errors.psnr(5) == pytest.approx(decibels(SHARED + OWN / 5))
    assert errors.count(errors.psnr(7)) == pytest.approx(7)
    assert errors.count(decibels(0.9 * SHARED)) == np.inf, "no number of runs has less than what all share"


def test_gains_are_of_each_picture_and_their_mean(tmp_path: Path) -> None:
    runs = [made_up(tmp_path, "cset9/f16", 3), made_up(tmp_path, "cset9/house", 4, own=2 * OWN, failed=(1,))]
    first, second, mean = rows(draw(SCRIPT, selection(tmp_path, "table_denoising", *runs)))
    for row, own in ((first, OWN), (second, 2 * OWN)):
        one = decibels(SHARED + own)
        assert (row["seeds"], row["one"]) == ("3", f"{one:.2f}")
        wanted = {"two": 2, "two_measured": 2, "four": 4, "eight": 8, "any": np.inf}
        for column, count in wanted.items():
            assert row[column] == f"{decibels(SHARED + own / count) - one:+.2f}"
    assert mean["image"] == "mean of 2"
    assert float(mean["any"]) == pytest.approx((float(first["any"]) + float(second["any"])) / 2, abs=0.011)


def test_a_picture_with_one_seed_has_no_gain_and_alone_no_table(tmp_path: Path) -> None:
    single = made_up(tmp_path, "cset9/lena", 2, failed=(0,))
    of = selection(tmp_path, "table_denoising", single)
    with pytest.raises(ValueError, match="no picture has two seeds"):
        draw(SCRIPT, of)
    both = selection(tmp_path, "table_denoising", single, made_up(tmp_path, "cset9/f16", 3))
    _, row, mean = rows(draw(SCRIPT, both))
    assert (row["image"], row["seeds"], row["one"]) == ("cset9/lena", "1", "not run")
    assert mean["image"] == "mean of 1"


def test_by_the_papers_own_numbers_the_results_on_its_page_are_means_of_four_runs() -> None:
    text = part_of(SCRIPT, "verdict")(part_of(SCRIPT, "Interval")(0.99, 0.89, 1.1), 0.04)
    assert "31.32 for four and 31.66 for any number" in text
    assert "31.29 dB: that of 3.7 runs, of 2.9 to 5.7 if" in text


def test_the_number_of_runs_is_as_sure_as_rounding_and_seeds_allow() -> None:
    errors = part_of(SCRIPT, "Errors")(10**-3, 10**-3.2)
    one, two, page = (errors.psnr(count) for count in (1, 2, 4))
    counts = part_of(SCRIPT, "counts")
    low, high = counts(one, two, page, 0.0)
    assert 3.7 < low < 4 < high < 4.4  # printed numbers are rounded
    ranges = [counts(one, two, page, varies) for varies in (0.01, 0.03)]
    assert all(wide[0] < narrow[0] and wide[1] > narrow[1] for narrow, wide in pairwise([(low, high), *ranges]))
    assert counts(one, two, page, 0.3)[1] == np.inf  # two runs may then be no better than one
