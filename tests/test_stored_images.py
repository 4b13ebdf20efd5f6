"""The images that a fit keeps are those of the iterations that their names say, and change no number."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Dip, fresh

from dip_experiments.data.reading import read_image
from dip_experiments.fitting.module import DIPModule
from dip_experiments.metrics import psnr
from dip_experiments.runner.build import recompute_measurement
from dip_experiments.store import Run, Store, write_json


def test_images_are_stored_at_the_iterations_requested_and_change_no_number(dip: Dip, tmp_path: Path) -> None:
    plain = fresh(tmp_path, dip, "fit.iterations=12")
    curves = (plain.folder / "curves.csv").read_bytes()
    run = fresh(tmp_path, dip, "fit.iterations=12", "fit.keep=[7,4]")
    assert run.name == plain.name
    kept = sorted(path.name for path in (run.folder / "images").glob("iteration-*"))
    assert kept == [f"iteration-{n:06d}-replica0.png" for n in (1, 3, 4, 7, 10, 12)]
    assert (run.folder / "curves.csv").read_bytes() == curves


def test_the_image_stored_of_an_iteration_is_the_output_of_that_iteration(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, outputs = DIPModule.iterate, []

    def iterate(self: DIPModule) -> None:
        plain(self)
        outputs.append(self.output[0].numpy().copy())

    monkeypatch.setattr(DIPModule, "iterate", iterate)
    run = fresh(tmp_path, dip, "fit.iterations=8", "fit.keep=[5]")
    assert len(outputs) == 8
    for n in (1, 5, 8):
        np.testing.assert_allclose(read_image(run.image(f"iteration-{n:06d}", 0)), outputs[n - 1], atol=0.51 / 255)
    assert np.abs(outputs[4] - outputs[3]).max() > 2 / 255


def test_the_average_is_stored_as_it_was_at_the_iterations_of_keep(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, "fit.iterations=8", "fit.keep=[5]", "fit.average_decay=0.8")
    then = psnr(read_image(run.image("average-000005", 0)), read_image(run.image("reference", 0)))
    assert then == pytest.approx(run.curves[0]["psnr_average"][4], abs=0.02)
    assert then != pytest.approx(run.curves[0]["psnr_average"][3], abs=0.02)
    assert len(list((run.folder / "images").glob("average-*-*"))) == 1


@pytest.mark.parametrize("perturbation", [0, 0.1])
def test_the_unperturbed_picture_is_that_of_the_final_weights_and_of_the_latent_as_it_is(
    perturbation: float, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, DIPModule] = {}
    monkeypatch.setattr(DIPModule, "on_train_end", lambda self: kept.update(fit=self), raising=False)
    still = ["optimizer.lr=1e-20", f"latent.perturbation={perturbation}"]  # so still that only z_t makes a difference
    for words in (["fit.iterations=10", f"latent.perturbation={perturbation}"], ["fit.iterations=2", *still]):
        run = fresh(tmp_path, dip, *words)
        with torch.no_grad():
            image = kept["fit"].network(kept["fit"].latent)[0].numpy()
        unperturbed = read_image(run.image("unperturbed", 0))
        np.testing.assert_allclose(unperturbed, image, atol=0.51 / 255)
    off = np.abs(unperturbed - read_image(run.image("iteration-000002", 0))).max()
    assert off > 5 / 255 if perturbation else off < 1.01 / 255


def test_what_a_record_saw_is_made_once_more_and_known_by_its_checksum(dip: Dip, tmp_path: Path) -> None:
    words = ("task=inpainting", "image=camera", "replicas=2", "fit.iterations=2")
    run = fresh(tmp_path, dip, *words)
    record = Store(tmp_path / "results").export_record(run, "smoke")
    seen, again = run.measured(), recompute_measurement(record)
    for name in ("measurement", "known"):
        np.testing.assert_array_equal(again[name].astype(seen[name].dtype), seen[name])
    np.testing.assert_allclose(again["reference"][0], read_image(run.image("reference", 0)), atol=0.5 / 255)
    write_json(record.folder / "settings.json", record.settings | {"seed": 5})
    with pytest.raises(ValueError, match="comes out otherwise here"):
        recompute_measurement(Run(record.folder))
