"""The study of noise as cameras make it: its numbers are those of the fits, its counts those of the draws."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import ITERATIONS, blotted, draw, make_run, rows, selection
from scipy import stats
from test_studies import line_of

from dip_experiments.store import Run

MSE = 0.001
"""30 dB, of the image at the stop."""
RAW = 29.9
"""dB of the replicas' mean there, before the bias of clipped noise is undone."""


def fits(
    folder: Path,
    image: str,
    number: int,
    *,
    gap: float = 0.1,
    off: float = 0.0,
    gained: float = 1.0,
    failed: Sequence[int] = (),
    late: Sequence[str] = (),
) -> Iterator[Run]:
    """The three fits of a noisy picture: stopped at 30 dB, and the estimated error `off` standard errors too large."""
    peaks = {"plain": RAW + gap - gained, "whitened": RAW + gap, "restore": RAW + gap / 2}
    for kind, peak in peaks.items():
        summary: dict[str, Any] = {
            "oracle_peak": {"psnr_mean": blotted([peak] * 2, failed)},
            "scores": {"measurement": {"psnr": blotted([20.0] * 2, failed)}},
        }
        if kind in late:
            summary["oracle_iteration"] = {"psnr_mean": [ITERATIONS] * 2}
        if kind == "restore":
            estimate = {"mse": MSE + off * 1e-4, "mse_se": 1e-4}
            summary["stopping"] = {"split": {"joint": 60, "joint_final": True, "estimate": estimate}}
            summary["scores"] |= {"stop-split-mean": {"psnr": [30.0]}, "stop-split-mixed": {"psnr": [31.5]}}
        yield make_run(
            folder, f"{kind}-{image}-{number}", summary=summary, failed=failed, shared=["task"],
            seeds=[10 * number, 10 * number + 1], curves={"psnr_mean": np.full((2, ITERATIONS), RAW)},
            experiment={"name": "study_noises", "kind": kind, "noise": "neighbours07", "draw": number},
            image={"name": image, "path": None, "size": 64, "fit": "crop"},
            task={"name": "denoising", "noise": {"name": "blurred_gaussian", "sigma": 25.0, "radius": 0.7}},
        )  # fmt: skip


def test_gain_gap_and_estimate_are_those_of_the_fits_with_a_picture_as_one_observation(tmp_path: Path) -> None:
    cases = [("coffee", 0, 0.1, 0.5, 1.0), ("coffee", 1, 0.3, 1.5, 1.2), ("camera", 0, -0.1, -3.0, 1.5)]
    runs = [
        run
        for image, number, gap, off, gained in cases
        for run in fits(tmp_path, image, number, gap=gap, off=off, gained=gained)
    ]
    page = draw("studies/noises", selection(tmp_path, "study_noises", *runs), name="draw_table")
    half = stats.t.ppf(0.975, 1) * abs(1.1 - 1.5) / 2
    means = RAW + (0.2 - 1.1 - 0.1 - 1.5) / 2
    assert line_of(page, "neighbours, 0.7")[1:] == [
        "20.00", f"{means:.2f}", f"+1.30 +- {half:.2f}", "0.10", "0.30", "33 / 67 %", "31.50",
    ]  # fmt: skip
    assert "neighbours, 0.7, 3 draws of 2 pictures" in " ".join(str(page.shown).split())
    table = {(row["image"], row["draw"]): row for row in rows(page)}
    assert float(table["coffee", "1"]["gap"]) == pytest.approx(0.3)
    assert float(table["camera", "0"]["estimated_psnr"]) == pytest.approx(31.549, abs=1e-3)  # of 0.0007


def test_oracles_at_the_end_of_their_fit_are_counted(tmp_path: Path) -> None:
    runs = [*fits(tmp_path, "coffee", 0, late=["plain", "restore"]), *fits(tmp_path, "camera", 0)]
    page = draw("studies/noises", selection(tmp_path, "study_noises", *runs), name="draw_table")
    assert "1 of 4 oracles lie in the last 2 % of their fit." in " ".join(str(page.shown).split())


def test_a_noisy_picture_counts_once_all_its_fits_are_finished(tmp_path: Path) -> None:
    complete, (plain, *_) = list(fits(tmp_path, "coffee", 0)), fits(tmp_path, "camera", 0)
    page = draw("studies/noises", selection(tmp_path, "study_noises", *complete, plain), name="draw_table")
    assert [row["image"] for row in rows(page)] == ["coffee"]
    assert "Behind it: 1 independent noise draw, 2 seeds, 1 picture." in " ".join(str(page.shown).split())
    page = draw("studies/noises", selection(tmp_path, "study_noises", plain), name="draw_table")
    assert line_of(page, "neighbours, 0.7")[1] == "not run"
    with pytest.raises(ValueError, match="no noise has all its fits of coffee; make them: dip -m"):
        draw("studies/noises", selection(tmp_path, "study_noises", plain), name="draw_figure")


def test_a_replica_that_failed_leaves_the_numbers_of_the_others(tmp_path: Path) -> None:
    runs = fits(tmp_path, "coffee", 0, failed=[0])
    page = draw("studies/noises", selection(tmp_path, "study_noises", *runs), name="draw_table")
    (row,) = rows(page)
    assert (row["noisy"], row["whitened"], row["gained"]) == ("20.0", "30.0", "1.0")
