"""An architecture is what it says that it is, suits the picture, and tells its memory before it is built."""

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from pydantic import ValidationError
from test_identity import name_of

from dip_experiments.architectures import (
    DeepDecoder,
    FastSkip,
    Network,
    ResNet,
    Skip,
    UNet,
    complete_arguments,
    drop_deepest_scales,
    find_network,
    hashed_arguments,
    values_needed,
)
from dip_experiments.config.groups import conf_folder, options
from dip_experiments.schema import source_digests

OURS = "dip_experiments.architectures"
SKIP: dict[str, Any] = {"down": [8, 8, 8], "up": [8, 8, 8], "skip": [4, 4, 4]}


def arguments(network: type[Network], size: tuple[int, int], **words: Any) -> dict[str, Any]:
    return {"input_channels": 8, "output_channels": 3, "size": size, **complete_arguments(network, words)}


@pytest.mark.parametrize("option", [option for option in options("architecture") if option != "custom"])
def test_every_option_goes_by_its_name(option: str) -> None:
    words = OmegaConf.load(conf_folder() / "architecture" / f"{option}.yaml")
    assert words.name == option
    assert option in find_network(words["_target_"], option).names


def test_a_default_is_filled_in_and_a_wrong_argument_is_refused() -> None:
    assert complete_arguments(FastSkip, SKIP) == complete_arguments(
        FastSkip, {**SKIP, "padding": "reflection", "kernel_up": 3}
    )
    for wrong in ({"padding": "mirror"}, {"down": "8"}, {"dwn": [8]}, {"up_1x1": 1}):
        with pytest.raises(ValidationError):
            complete_arguments(FastSkip, {**SKIP, **wrong})


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of somebody else's: one network of its own, one that inherits ours, and one module that breaks."""
    (tmp_path / "somebody.py").write_text(
        f"from {OURS} import Network, Skip\n"
        "class Inherits(Skip):\n    pass\n"
        "class Own(Network):\n"
        "    def __init__(self, input_channels, output_channels, size, depth=3, replicas=1):\n"
        "        super().__init__((input_channels, *size), replicas)\n"
        "    def forward_replicas(self, z):\n        return z\n"
    )
    (tmp_path / "broken.py").write_text("raise RuntimeError('half written')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("somebody", "broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "somebody"


def test_a_class_of_another_package_counts_by_its_path_though_it_inherits_ours(foreign: str) -> None:
    network = find_network(f"{foreign}.Inherits", "mine")
    assert hashed_arguments(network, f"{foreign}.Inherits", SKIP)["name"] == f"{foreign}.Inherits"
    assert hashed_arguments(FastSkip, f"{OURS}.FastSkip", SKIP) == hashed_arguments(Skip, f"{OURS}.Skip", SKIP)
    assert hashed_arguments(FastSkip, f"{OURS}.FastSkip", SKIP)["name"] == "skip"


def test_a_class_whose_constructor_has_no_types_takes_what_it_names(foreign: str) -> None:
    network = find_network(f"{foreign}.Own", "own")
    found = hashed_arguments(network, f"{foreign}.Own", {})
    assert {name: found[name] for name in ("name", "depth")} == {"name": f"{foreign}.Own", "depth": 3}
    with pytest.raises(ValidationError):
        complete_arguments(network, {"width": 3})


def test_a_class_of_another_package_counts_by_the_source_of_its_module_and_ours_do_not(
    foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest() -> Any:
        monkeypatch.delitem(sys.modules, foreign, raising=False)
        return hashed_arguments(find_network(f"{foreign}.Own", "own"), f"{foreign}.Own", {})

    before, source = digest(), tmp_path / f"{foreign}.py"
    assert digest() == before
    source.write_text(source.read_text().replace("return z", "return 2 * z  # edited"))
    after = digest()
    assert {name for name in before if before[name] != after[name]} == {"source of the class"}
    assert set(hashed_arguments(FastSkip, f"{OURS}.FastSkip", SKIP)) == {
        "name",
        *complete_arguments(FastSkip, SKIP),
    } - set(FastSkip.neutral)


def test_all_modules_that_a_network_is_made_of_count_and_no_library_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs" / "sub").mkdir(parents=True)
    for name, text in (
        ("theirs/__init__", ""),
        ("theirs/base", f"from {OURS} import Skip\nclass Base(Skip):\n    pass\n"),
        ("theirs/net", "import json, torch, helpers\nfrom theirs.base import Base\nclass Net(Base):\n    pass\n"),
        ("theirs/unused", ""),
        ("theirs/late", "SLOPE = 1\n"),
        ("theirs/sub/__init__", "from ..late import SLOPE\n"),
        (
            "helpers",
            "from numpy import zeros\nfrom deeper import layer\nfrom numbers_only import ONE\nimport helpers\n",
        ),
        ("deeper", "def layer():\n    from theirs import sub\n    return 1\n"),
        ("numbers_only", "ONE = 1\n"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    mine = {"theirs", "helpers", "deeper", "numbers_only"}

    def digests() -> dict[str, str]:
        for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
            monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return source_digests(find_network("theirs.net.Net", "mine"))

    before = digests()
    late = {"theirs", "theirs.sub", "theirs.late"}  # imported when a function is called
    assert set(before) == {"theirs.net", "theirs.base", *late, *mine}
    for name, text in (("deeper", "def layer():\n    from theirs import sub\n"), ("numbers_only", "ONE = 2\n")):
        (tmp_path / f"{name}.py").write_text(text)
        after = digests()
        assert {other for other in before if before[other] != after[other]} == {name}
        before = after


def test_a_class_without_a_file_is_refused_as_nobody_could_tell_its_runs_apart() -> None:
    made = type("Made", (Skip,), {"__module__": "typed_in"})
    with pytest.raises(ValueError, match=r"typed_in\.Made: the source of typed_in is not found.*into a file"):
        hashed_arguments(made, "typed_in.Made", SKIP)


@pytest.mark.parametrize("target", ["broken.Net", ".relative.Net", "Net", "os.nothing", "", "os..path"])
def test_a_class_that_cannot_be_had_is_refused_in_a_line(target: str, foreign: str) -> None:
    with pytest.raises(ValueError, match="cannot be imported") as refused:
        find_network(target, "skip")
    assert str(refused.value).startswith(f"architecture._target_={target}: ")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("target", ["os.system", "pathlib.Path", "torch.nn.functional"])
def test_what_is_no_network_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="no network"):
        find_network(target, "skip")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("architecture.name=unet", "FastSkip goes by skip or encoder_decoder; to fit another network say"),
        ("architecture._target_=os.system", "no network; give a torch.nn.Module"),
        ("architecture._target_=pathlib.Path", "no network; give a torch.nn.Module"),
        ("architecture._target_=dip_experiments.architectures.Network", "is abstract; give a class that defines"),
        ("architecture._target_=os.nothing", "cannot be imported"),
    ],
)
def test_what_is_no_network_or_another_than_it_says_is_refused(words: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        name_of(words)


@pytest.mark.parametrize(("side", "scales"), [(64, 5), (63, 4), (40, 4), (20, 3), (8, 2), (4, 1)])
def test_a_small_picture_gets_as_many_scales_as_it_has_room_for(side: int, scales: int) -> None:
    five = {"down": [1, 2, 3, 4, 5], "up": [1, 2, 3, 4, 5], "skip": [0, 0, 0, 4, 4], "kernel_up": [3, 3, 3, 3, 3]}
    asked = arguments(FastSkip, (side, 100), **five)
    fewer, said = drop_deepest_scales(FastSkip, asked)
    assert fewer == {**asked, **{name: values[:scales] for name, values in five.items()}}
    FastSkip(**fewer)
    assert said == ("" if scales == 5 else said)
    assert (f"room for {scales} of the 5 scales" in said) == (scales < 5)


def test_scales_that_fit_are_left_as_they_are_and_none_at_all_is_refused() -> None:
    asked = arguments(UNet, (20, 24), widths=[4, 5, 6, 7, 8])
    assert drop_deepest_scales(UNet, asked)[0]["widths"] == [4, 5, 6, 7]
    with pytest.raises(ValueError, match=r"3 x 9 pixels: .* at least"):
        drop_deepest_scales(FastSkip, arguments(FastSkip, (3, 9), **SKIP))
    with pytest.raises(ValueError, match="one width per scale"):
        drop_deepest_scales(FastSkip, arguments(FastSkip, (64, 64), **{**SKIP, "skip": [4, 4]}))


NETS: list[tuple[type[Network], dict[str, Any]]] = [
    (FastSkip, {**SKIP, "down": [16] * 3, "up": [16] * 3}),
    (FastSkip, {"down": [32] * 5, "up": [32] * 5, "skip": [4] * 5}),
    (Skip, SKIP),
    (UNet, {"widths": [8, 16, 32]}),
    (ResNet, {"widths": [16] * 4}),
    (DeepDecoder, {"widths": [32] * 5}),
]


def saved_bytes(network: Network) -> int:
    """What is held for the gradient of a forward pass with numbers, and the weights with gradients and two moments."""
    kept: dict[int, int] = {}

    def seen(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(seen, lambda x: x):
        image = network(torch.rand(network.replicas, *network.latent_shape))
        loss = image.square().mean()
    assert loss.requires_grad
    return sum(kept.values()) + 16 * sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("network", "words"), NETS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_memory_of_a_fit_is_estimated_within_a_factor_of_two_of_what_a_gradient_holds(
    network: type[Network], words: dict[str, Any]
) -> None:
    asked = arguments(network, (64, 80), **words)
    measured = saved_bytes(network(**asked, replicas=2))
    assert 0.5 < 8 * values_needed(network, asked) / measured < 2


def test_memory_grows_with_replicas_and_pixels_and_is_told_of_networks_that_fit_nowhere() -> None:
    small, large = (arguments(FastSkip, size, **SKIP) for size in ((64, 64), (128, 128)))
    assert 3 < values_needed(FastSkip, large) / values_needed(FastSkip, small) < 4.1
    wide = {name: [100_000] * 5 for name in ("down", "up")} | {"skip": [4] * 5}
    begun = time.monotonic()
    assert 4 * values_needed(FastSkip, arguments(FastSkip, (128, 128), **wide)) > 10**12
    assert time.monotonic() - begun < 5


def test_the_deepest_scales_are_left_out_whichever_way_the_widths_go() -> None:
    given = {"input_channels": 8, "output_channels": 3, "size": (16, 16), "widths": [1, 2, 3, 4, 5, 6]}
    assert drop_deepest_scales(DeepDecoder, given)[0]["widths"] == [2, 3, 4, 5, 6]
    assert drop_deepest_scales(UNet, given)[0]["widths"] == [1, 2, 3, 4]
