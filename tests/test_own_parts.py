"""What users bring - network, operator, loss and other parts - works from Python and by settings."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import EXAMPLES, Dip, only_run, thorough_after
from interruptions import interrupt_at
from test_api import CLEAN, NOISY, WORDS, as_file, assert_same_numbers, fit
from torch import nn

import dip_experiments as dipx
from dip_experiments.architectures import ModuleNetwork, build_replicas
from dip_experiments.losses import Loss
from dip_experiments.operators import as_operator
from dip_experiments.schema import make_part

pytestmark = pytest.mark.usefixtures("examples")


def make_network(input_channels: int, output_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(input_channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.2),
        nn.Conv2d(6, output_channels, 1),
    )  # fmt: skip


def test_a_replica_of_a_module_has_the_numbers_of_its_seed_alone() -> None:
    both = fit(network=make_network, replicas=2, seed=5)
    for replica in range(2):
        alone = fit(network=make_network, seed=5 + replica)
        np.testing.assert_allclose(both.output[replica], alone.output[0], rtol=0, atol=1e-6)
    assert np.abs(both.output[0] - both.output[1]).max() > 0.01


def test_a_module_that_is_given_is_left_as_it_was_and_its_copy_is_fitted() -> None:
    module = make_network(32, 1)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    result = fit(network=module, iterations=30)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert result.history["loss"].iloc[-1] < 0.7 * result.history["loss"].iloc[0]
    fitted = result.network.get_submodule("members.0").state_dict()
    assert not torch.equal(fitted["0.weight"], before["0.weight"])
    assert int(fitted["1.num_batches_tracked"]) == 30


def test_what_a_module_gives_beyond_the_image_is_cut_off_around_the_middle() -> None:
    network = ModuleNetwork(lambda: nn.ZeroPad2d((1, 2, 3, 3)), (1, 8, 8), (1, 8, 8))
    z = torch.rand(1, 1, 8, 8)
    assert torch.equal(network(z), nn.functional.pad(z, (1, 2, 3, 3))[:, :, 3:-3, 1:-2])
    with pytest.raises(ValueError, match="at least 9 x 8"):
        ModuleNetwork(nn.Identity, (1, 8, 8), (1, 9, 8))


def test_what_is_no_part_is_refused_with_what_to_give() -> None:
    with pytest.raises(ValueError, match=r"or in Python an instance of a subclass of dip_experiments\.losses\.Loss"):
        make_part(Loss, nn.MSELoss())


def test_replicas_of_a_module_draw_their_own_dropout() -> None:
    network = build_replicas(lambda r: ModuleNetwork(lambda: nn.Dropout(0.5), (1, 8, 8), (1, 8, 8), r), [0, 1])
    z = torch.ones(2, 1, 8, 8)
    first, second = network(z), network(z)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


SOURCE = "task.source=original"
NETWORK = ["architecture._target_=my_network.small_network", "architecture.dropout=0.3"]


def test_a_module_with_dropout_goes_on_as_if_it_had_not_been_interrupted(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*WORDS[:2], "fit.block=5", *NETWORK, as_file(tmp_path, NOISY), "task=denoising", "replicas=2"]
    words += ["fit.iterations=20", "fit.checkpoint_every=5", "fit.weight_noise=0.01"]
    assert dip(*words) == 0
    run = only_run(tmp_path)
    whole = (run.folder / "curves.csv").read_bytes()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 13)
        assert dip(*words, "force=true") == 130
    assert dip(*words) == 0
    assert (run.folder / "curves.csv").read_bytes() == whole


def test_what_is_evaluated_besides_the_iterations_leaves_statistics_and_dropout_alone() -> None:
    short, long = (fit(network=make_network, iterations=20, settings={"fit.block": block}) for block in (2, 20))
    np.testing.assert_array_equal(short.history["loss"], long.history["loss"])
    ours, theirs = (result.network.state_dict() for result in (short, long))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def operators() -> list[tuple[Any, tuple[int, int, int] | None, Any]]:
    sys.path.insert(0, str(EXAMPLES))
    try:
        import my_operator  # noqa: PLC0415
    finally:
        sys.path.remove(str(EXAMPLES))
    return [
        (my_operator.ColumnMeans(3), None, ["ColumnMeans", "width=3"]),
        (my_operator.shift_blur(3), (1, 20, 24), ["shift_blur", "width=3"]),
        (my_operator.HalfFourier(9, 20), None, ["HalfFourier", "rows=9 height=20"]),
    ]


@pytest.mark.parametrize("index", range(3))
def test_an_operator_of_ones_own_has_its_adjoint_and_the_numbers_of_the_command(
    index: int, dip: Dip, tmp_path: Path
) -> None:
    given, shape, (name, settings) = operators()[index]
    operator = as_operator(given, shape)
    x = torch.rand(2, 1, 20, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = operator(x)
    v = torch.rand(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert operator.image_shape(tuple(y.shape[1:])) == (1, 20, 24)
    torch.testing.assert_close((y * v).sum(), (x * operator.adjoint(v)).sum())
    words = ["task=inverse", f"task.operator._target_=my_operator.{name}", "fit.iterations=10", "task.noise=none"]
    words += ["task.source=original"]
    assert dip(*WORDS, as_file(tmp_path, NOISY), *words, *(f"task.operator.{word}" for word in settings.split())) == 0
    run = only_run(tmp_path)
    measurement = operator(torch.from_numpy(NOISY / 255)[None, None])[0]
    result = fit(measurement, given, image_shape=shape)
    assert result.image.shape == (1, 20, 24)
    column = np.asarray(run.stored_columns()["psnr_measurement"], float)
    np.testing.assert_array_equal(column, result.history["psnr_measurement"].to_numpy(float))


PARTS = {
    "loss": "my_parts.Charbonnier",
    "regularizer": "my_parts.Smoothness",
    "guidance": "my_parts.SlowLatent",
    "latent": "my_parts.SignLatent",
    "optimizer": "my_parts.NesterovMomentum",
    "stopping": "my_parts.SmallestStep",
}
ARGUMENTS = {"stopping": {"patience": 5}, "guidance": {"every": 3}}


@pytest.mark.parametrize("group", thorough_after(4, PARTS))
def test_a_part_of_ones_own_has_the_same_numbers_by_settings_and_from_python(
    group: str, dip: Dip, tmp_path: Path
) -> None:
    words = [f"{group}._target_={PARTS[group]}", "task=denoising", "task.noise=none"]
    words += [f"{group}.{key}={value}" for key, value in ARGUMENTS.get(group, {}).items()]
    words += ["latent.channels=8", "latent.perturbation=0.0"] if group == "latent" else []
    shown = {"latent": "adjoint", "settings": {"latent.channels": 1}} if group == "guidance" else {}
    words += ["latent=adjoint", "latent.channels=1"] if shown else []
    assert dip(*WORDS, as_file(tmp_path, NOISY), *words, "fit.iterations=10") == 0
    module, _, name = PARTS[group].partition(".")
    part = getattr(__import__(module), name)(**ARGUMENTS.get(group, {}))
    result = fit(**{group: part}, **shown)
    assert_same_numbers(result, tmp_path)
    assert only_run(tmp_path).settings[group]["_target_"] == PARTS[group]
    assert not np.array_equal(result.history["loss"], fit(**shown).history["loss"]) or group == "stopping"


@pytest.mark.parametrize(
    "words",
    thorough_after(
        2,
        [
            ["task=denoising", "task.noise._target_=my_parts.Stripes", "task.noise.sigma=40"],
            ["task=inpainting", "task.mask._target_=my_parts.Checkerboard", "task.mask.side=2"],
            ["optimizer._target_=torch.optim.RAdam", "optimizer.lr=0.01"],
            ["task=denoising", "loss=whitened", "loss.width=0.7", "loss.correlation=0.5"],
            ["task=deblurring", "task/kernel=box", "task.kernel.width=5", "task.source=original"],
            ["task=deblurring", "task/noise=gaussian"],
            ["loss=l1"],
            ["loss=fourier", "latent=fourier_features", "architecture.upsample=lowpass60"],
            ["task=denoising", "loss=distributional", "loss.sigma=25"],
            ["loss=huber", "task=inpainting", "task/mask=bernoulli"],
        ],
    ),
)
def test_a_picture_is_fitted_with_parts_chosen_by_settings(words: list[str], dip: Dip, tmp_path: Path) -> None:
    assert dip(*WORDS, as_file(tmp_path, (255 * CLEAN).astype(np.uint8)), *words, "fit.iterations=40") == 0
    run = only_run(tmp_path)
    loss = np.asarray(run.stored_columns()["loss"], float)
    assert loss[-1] < 0.8 * loss[0]
    assert dip(*WORDS, as_file(tmp_path, (255 * CLEAN).astype(np.uint8)), *words, "fit.iterations=40") == 0
    assert only_run(tmp_path).summary == run.summary


def test_an_edited_part_makes_another_run(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "edited.py").write_text((EXAMPLES / "my_parts.py").read_text())
    monkeypatch.syspath_prepend(tmp_path)
    words = ["loss._target_=edited.Charbonnier", "fit.iterations=2", as_file(tmp_path, NOISY)]
    assert dip(*WORDS, *words) == 0
    assert dip(*WORDS, *words, "loss.epsilon=0.02") == 0
    sys.modules.pop("edited")
    (tmp_path / "edited.py").write_text((EXAMPLES / "my_parts.py").read_text().replace("0.5", "0.5 "))
    assert dip(*WORDS, *words) == 0
    (tmp_path / "edited.py").write_text((EXAMPLES / "my_parts.py").read_text() + "\n# edited\n")
    sys.modules.pop("edited")
    from dip_experiments.schema import source_digests  # noqa: PLC0415

    source_digests.cache_clear()
    assert dip(*WORDS, *words) == 0
    assert len([path for path in (tmp_path / "results" / "runs").iterdir() if path.is_dir()]) == 3


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["loss._target_=my_parts.Stripes"], "not a loss; give a class that inherits"),
        (["loss._target_=my_parts.Nothing"], "cannot be imported"),
        (["loss._target_=my_parts.Charbonnier", "loss.delta=1"], "loss.delta: unknown key"),
        (["optimizer._target_=torch.optim.RAdam", "optimizer.rate=1"], "unexpected keyword"),
        (["task=inverse", "task.operator._target_=my_operator.ColumnMeans"], "missing 1 required"),
        (
            ["task=inverse", "task.operator._target_=my_operator.ColumnMeans", "task.operator.width=7", SOURCE],
            "operator fails",
        ),
        (["task=super_resolution", "task.factor=5"], "task.factor"),
        (["task=deblurring", "task/kernel=box", "task.kernel.width=4"], "must be odd"),
    ],
)
def test_a_wrong_part_is_refused_in_a_line(
    words: list[str], wanted: str, dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip(*WORDS, as_file(tmp_path, NOISY), *words) == 2
    told = capfd.readouterr().err
    assert wanted in told
    assert len(told.strip().splitlines()) <= 3


def test_a_part_is_built_again_from_what_is_stored() -> None:
    loss = make_part(dipx.Loss, {"_target_": "my_parts.Charbonnier", "epsilon": 0.5})
    stored = loss.model_dump(mode="json", by_alias=True)
    assert stored == {"name": "Charbonnier", "_target_": "my_parts.Charbonnier", "epsilon": 0.5}
    assert make_part(dipx.Loss, stored) == loss
