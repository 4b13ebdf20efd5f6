"""The images that a fit keeps are those of the iterations that their names say, and change no number."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dip, fresh

from dip_experiments.command import main
from dip_experiments.drawing.rivals import rival_numbers, rival_picture, task_rivals, upsampler
from dip_experiments.fitting.fit import Fit
from dip_experiments.images import read_image
from dip_experiments.metrics import psnr
from dip_experiments.planning import made_again
from dip_experiments.store import Baselines, Run, Store, write_json


def test_images_are_kept_at_the_iterations_asked_for_and_change_no_number(dip: Dip, tmp_path: Path) -> None:
    plain = fresh(tmp_path, dip, "fit.iterations=12")
    curves = (plain.folder / "curves.csv").read_bytes()
    run = fresh(tmp_path, dip, "fit.iterations=12", "fit.keep=[7,4]")
    assert run.name == plain.name
    kept = sorted(path.name for path in (run.folder / "images").glob("iteration-*"))
    assert kept == [f"iteration-{n:06d}-replica0.png" for n in (1, 3, 4, 7, 10, 12)]
    assert (run.folder / "curves.csv").read_bytes() == curves


def test_the_image_kept_of_an_iteration_is_the_output_of_that_iteration(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, outputs = Fit.iterate, []

    def iterate(self: Fit) -> None:
        plain(self)
        outputs.append(self.output[0].numpy().copy())

    monkeypatch.setattr(Fit, "iterate", iterate)
    run = fresh(tmp_path, dip, "fit.iterations=8", "fit.keep=[5]")
    assert len(outputs) == 8
    for n in (1, 5, 8):
        np.testing.assert_allclose(read_image(run.image(f"iteration-{n:06d}", 0)), outputs[n - 1], atol=0.51 / 255)
    assert np.abs(outputs[4] - outputs[3]).max() > 2 / 255


def test_the_average_is_kept_as_it_was_at_the_iterations_of_keep(dip: Dip, tmp_path: Path) -> None:
    run = fresh(tmp_path, dip, "fit.iterations=8", "fit.keep=[5]", "fit.average_decay=0.8")
    then = psnr(read_image(run.image("average-000005", 0)), read_image(run.image("reference", 0)))
    assert then == pytest.approx(run.curves[0]["psnr_average"][4], abs=0.02)
    assert then != pytest.approx(run.curves[0]["psnr_average"][3], abs=0.02)
    assert len(list((run.folder / "images").glob("average-*-*"))) == 1


@pytest.mark.parametrize("perturbation", [0, 0.1])
def test_the_unperturbed_picture_is_that_of_the_final_weights_and_of_the_latent_as_it_is(
    perturbation: float, dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Fit] = {}
    monkeypatch.setattr(Fit, "on_train_end", lambda self: kept.update(fit=self), raising=False)
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
    record = Store(tmp_path / "results").keep(run, "smoke")
    seen, again = run.measured(), made_again(record)
    for name in ("measurement", "known"):
        np.testing.assert_array_equal(again[name].astype(seen[name].dtype), seen[name])
    np.testing.assert_allclose(again["reference"][0], read_image(run.image("reference", 0)), atol=0.5 / 255)
    write_json(record.folder / "settings.json", record.settings | {"seed": 5})
    with pytest.raises(ValueError, match="comes out otherwise here"):
        made_again(Run(record.folder))


def test_rivals_of_a_record_are_those_of_its_run(dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "results")
    words = ["scale=smoke", "experiment.setting=x4", f"paths.results={store.results}"]
    assert dip("experiment=fig5", "image=camera", "hydra/launcher=basic", "fit.iterations=2", *words[:2]) == 0
    (folder,) = (store.results / "runs").iterdir()
    method, kept = upsampler("bicubic", 4), Baselines(tmp_path / "kept")
    numbers = rival_numbers(method, Run(folder), kept)
    asked = ["fig5", "image=camera", "fit.iterations=2", *words]
    assert main(["keep", *asked]) == 0
    shutil.rmtree(store.results / "runs")
    assert rival_numbers(method, store.run(folder.name), Baselines(tmp_path / "none")) is None  # a record has no arrays
    assert main(["rivals", *asked]) == 0
    assert "the others are not finished" in capfd.readouterr().out, "one's own runs are asked for, and gone"
    assert main(["rivals", *asked, "--records"]) == 0
    assert "1 of 1: bicubic, camera" in capfd.readouterr().out
    again = Baselines(store.results / "smoke" / "records" / "baselines")
    found = rival_numbers(method, store.run(folder.name), again)
    assert found is not None
    assert numbers is not None
    assert found["psnr"] == pytest.approx(numbers["psnr"], abs=0.01)  # the stored reference has 8 bits
    assert rival_picture(method, store.run(folder.name), again) is not None


def test_rivals_are_those_that_the_task_has() -> None:
    noises: list[Any] = [{"name": "noisy25"}, {"name": "gaussian", "sigma": 10.0}, {"name": "poisson"}, None]
    sigmas = [[one.words["sigma"] for one in task_rivals({"task": {"name": "denoising", "noise": n}})] for n in noises]
    assert [set(each) for each in sigmas] == [{25.0}, {10.0}, set(), set()]
    assert task_rivals({"task": {"name": "jpeg"}}) == []
    assert {one.name for one in task_rivals({"task": {"name": "inpainting"}})} == {"nearest_known", "biharmonic"}
