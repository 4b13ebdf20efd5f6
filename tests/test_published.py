import csv

import numpy as np
import pytest

from dip_experiments.published import FOLDER, find, find_one, trajectory


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ({"dataset": "cset9", "image": "mean", "method": "dip_1800_iterations"}, 29.22),
        ({"dataset": "cset9", "image": "mean", "method": "dip_ema"}, 30.43),
        ({"dataset": "cset9", "image": "mean", "method": "dip_ema_two_runs"}, 31.00),
        ({"dataset": "set5", "setting": "x4", "image": "mean", "method": "dip"}, 29.90),
        ({"dataset": "set14", "setting": "x4", "image": "mean", "method": "dip"}, 27.00),
        ({"dataset": "set5", "setting": "x8", "image": "mean", "method": "dip"}, 25.89),
        ({"dataset": "set14", "setting": "x8", "image": "mean", "method": "bicubic"}, 23.10),
        ({"table": "inpainting", "image": "fingerprint", "method": "dip"}, 32.84),
    ],
)
def test_the_numbers_of_the_paper_are_found(wanted: dict[str, str], value: float) -> None:
    assert find_one(**wanted).value == value


@pytest.mark.parametrize("method", ["dip", "papyan"])
def test_the_mean_of_table_1_is_that_of_its_rows(method: str) -> None:
    rows = find(table="inpainting", method=method, source="CVPR Table 1")
    assert len(rows) == 11
    mean = find_one(table="inpainting", image="mean", method=method).value
    assert np.mean([row.value for row in rows]) == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize(("dataset", "images"), [("set5", 5), ("set14", 14)])
@pytest.mark.parametrize(
    ("setting", "method", "printed"),
    [
        ("x4", "deep_prior", "dip"),
        ("x4", "bicubic", "bicubic"),
        ("x8", "deep_prior_005", "dip"),
        ("x8", "bicubic", "bicubic"),
    ],
)
def test_the_printed_means_are_those_of_the_project_page(
    dataset: str, images: int, setting: str, method: str, printed: str
) -> None:
    wanted = {"dataset": dataset, "setting": setting, "metric": "psnr_y_authors"}
    page = [row.value for row in find(**wanted, method=method) if row.image != "mean"]
    assert len(page) == images
    assert np.mean(page) == pytest.approx(find_one(**wanted, image="mean", method=printed).value, abs=0.01)


def test_every_number_is_found_by_its_names_and_says_its_source() -> None:
    rows = find()
    assert all(row.source for row in rows)
    assert len({(r.table, r.dataset, r.setting, r.image, r.method, r.metric, r.source) for r in rows}) == len(rows)
    assert {row.table for row in rows} == {"denoising", "super_resolution", "inpainting"}


def test_the_trajectory_of_f16_peaks_near_iteration_1550_and_falls() -> None:
    iterations, psnr = trajectory("f16")
    assert iterations[[0, -1]].tolist() == [0, 2950]
    assert psnr.max() == pytest.approx(30.7, abs=0.05)
    assert iterations[psnr.argmax()] == 1550
    assert psnr[-1] < 28.2


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"table": "denoisng"}, "published table: there is no denoisng; did you mean denoising?"),
        ({"dataset": "set5", "image": "butterfli"}, "did you mean butterfly?"),
        ({"dataset": "set5", "image": "f16"}, "published image: there is no f16; choose from baby, bird,"),
        ({"imag": "f16"}, "there is no imag; did you mean image?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_close_ones(wanted: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match="there is no") as caught:
        find(**wanted)
    assert message in str(caught.value)
    with pytest.raises(ValueError, match="published trajectory: there is no f61; did you mean f16"):
        trajectory("f61")


def test_one_number_of_several_is_not_chosen_silently() -> None:
    with pytest.raises(ValueError, match=r"2 published numbers fit .* say which by source"):
        find_one(table="inpainting", image="lena", method="papyan")


def test_files_are_small_and_hold_numbers() -> None:
    for path in (FOLDER / "results.csv", FOLDER / "trajectories.csv"):
        assert path.stat().st_size < 300 * 1024
        assert all(np.isfinite(float(row["value"])) for row in csv.DictReader(path.read_text().splitlines()))
