"""Figures of the prior itself: samples before any fit, networks beside each other in holes, and other priors."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import draw, files, make_run, rows, selection

from dip_experiments.metrics import radial_spectrum
from dip_experiments.store import Run, Store, output_at, write_image

SIZE = {"name": "astronaut", "path": None, "size": 64, "fit": "resize"}


def sampled(folder: Path) -> list[Run]:
    runs = []
    for network, skips, upsample in itertools.product(
        ("depth_1", "depth_3", "depth_5"), ("none", "four"), ("nearest", "bilinear")
    ):
        run = make_run(
            folder, f"{network}-{skips}-{upsample}", seeds=(0, 1, 2), image=SIZE,
            experiment={"name": "samples", "network": network, "skips": skips, "pictures_of": "two"},
            architecture={"name": "skip", "upsample": upsample},
        )  # fmt: skip
        for replica in range(3):
            picture = np.random.default_rng(replica).uniform(size=(3, 64, 64))
            write_image(run.image(output_at(1), replica), picture)
        run.finish({k: v for k, v in run.summary.items() if k not in ("files", "seal")})
        runs.append(run)
    return runs


@pytest.mark.slow
def test_samples_have_the_spectra_of_all_networks_also_from_records_of_two(tmp_path: Path) -> None:
    runs = sampled(tmp_path)
    whole = draw("figures/samples", selection(tmp_path, "samples", *runs))
    found = {(row["network"], row["frequency"]): row["power"] for row in rows(whole)}
    pictures = [np.random.default_rng(replica).uniform(size=(3, 64, 64)) for replica in range(3)]
    median = np.median([radial_spectrum(np.round(picture * 255) / 255) for picture in pictures], axis=0)
    assert float(found["depth 3, skips: four, nearest", "7"]) == pytest.approx(median[6], rel=1e-3)
    assert len(found) == (1 + len(runs)) * 32
    store, drawn = Store(tmp_path), files(whole, tmp_path / "whole")
    for run in runs:
        store.export_record(run, "smoke", [output_at(1)], "two")
    shutil.rmtree(tmp_path / "runs")
    records = [store.run(run.name) for run in runs]
    assert len(list(records[0].folder.glob("images/*.png"))) == 2
    again = files(draw("figures/samples", selection(tmp_path, "samples", *records)), tmp_path / "records-drawn")
    assert again["page.csv"] == drawn["page.csv"]
    assert again["page.png"] == drawn["page.png"]


def scored(**values: list[float]) -> dict[str, Any]:
    return {"scores": {"unperturbed": values, "output": values, "measurement": values}, "parameters": 59635}


def test_networks_stand_next_to_each_other_with_their_errors_in_the_holes(tmp_path: Path) -> None:
    hourglasses = [
        make_run(
            tmp_path, name, image=SIZE, experiment={"name": "fig8", "network": name},
            summary=scored(psnr=[30.0, 31.0], psnr_missing=[12.0 + place, 14.0 + place]),
        )
        for place, name in enumerate(("depth_2", "depth_4", "depth_6", "skip"))
    ]  # fmt: skip
    others = [
        make_run(
            tmp_path, name, image=SIZE, architecture={"name": name}, experiment={"name": "fig8_others"},
            summary=scored(psnr=[30.0, 31.0], psnr_missing=[9.0, 9.0]),
        )
        for name in ("unet", "resnet")
    ]  # fmt: skip
    page = draw("figures/fig8", selection(tmp_path, "fig8", *hourglasses), selection(tmp_path, "fig8_others", *others))
    found = {row["picture"]: row["psnr_missing_mean"] for row in rows(page)}
    assert found["depth 4: 0.06 M"] == "14"
    assert found["U-Net: 0.06 M"] == "9"


def test_the_prior_effect_shows_all_four_and_the_authors_numbers(tmp_path: Path) -> None:
    runs = [
        make_run(
            tmp_path, f"{architecture}-{regularizer}", architecture={"name": architecture, "down": [8, 8]},
            image={"name": "set5/butterfly", "path": None, "size": 64, "fit": "crop"},
            regularizer={"name": regularizer}, task={"name": "super_resolution", "factor": 4},
        )
        for architecture, regularizer in itertools.product(("pixels", "skip"), ("none", "tv"))
    ]  # fmt: skip
    page = draw("figures/prior_effect", selection(tmp_path, "prior_effect", *runs))
    assert {row["prior"] for row in rows(page)} == {"pixels alone", "pixels + TV", "network", "network + TV"}
    words = " ".join(text.get_text() for text in page.shown.findobj() if hasattr(text, "get_text"))  # type: ignore[union-attr]
    assert "page: 26.23 dB" in words
    with pytest.raises(ValueError, match="both architectures"):
        draw("figures/prior_effect", selection(tmp_path, "prior_effect", *runs[:2]))
