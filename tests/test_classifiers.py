"""AlexNet and VGG have torchvision's layers and keys; their weights are read from files, which are checked."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import Dip
from small_classifier import classifier
from torch import Tensor, nn

from dip_experiments.operators import Features, Mask, check_operator
from dip_experiments.operators.classifiers import MEAN, PUBLISHED, SPREAD, Published, Weights
from dip_experiments.schema import make_part
from dip_experiments.tasks.classifiers import Classifier, PublishedClassifier

DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
SHAPE = (3, 64, 64)
IMAGE = torch.rand(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def published_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of torchvision's files: a convolution takes an index, an activation and a pooling one each."""
    if name == "alexnet":
        convolutions = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
        inputs, places = 256 * 6 * 6, (1, 4, 6)
    else:
        convolutions, index, before = {}, 0, 3
        for depth, width in zip(DEPTHS[name], (64, 128, 256, 512, 512), strict=True):
            for _ in range(depth):
                convolutions[index] = (width, before, 3)
                index, before = index + 2, width
            index += 1
        inputs, places = 512 * 7 * 7, (0, 3, 6)
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (outputs, before, side) in convolutions.items():
        shapes |= {f"features.{index}.weight": (outputs, before, side, side), f"features.{index}.bias": (outputs,)}
    for index, (outputs, before) in zip(places, ((4096, inputs), (4096, 4096), (1000, 4096)), strict=True):
        shapes |= {f"classifier.{index}.weight": (outputs, before), f"classifier.{index}.bias": (outputs,)}
    return shapes


@pytest.mark.parametrize(("name", "parameters"), [("alexnet", 61100840), ("vgg16", 138357544), ("vgg19", 143667240)])
def test_keys_and_shapes_are_those_of_torchvisions_files(name: str, parameters: int) -> None:
    found = PUBLISHED[name].shapes()
    assert found == published_shapes(name)
    assert sum(torch.Size(shape).numel() for shape in found.values()) == parameters  # torchvision's documentation


def random_weights(published: Published, last: str) -> dict[str, Tensor]:
    """Weights of the layers up to one; those of the others have their shapes and no memory of their own."""
    draw = torch.Generator().manual_seed(1)
    reached = [key for name, key in published.keys().items() if before(published, name, last)]
    weights = {}
    for key, shape in published.shapes().items():
        if key.rpartition(".")[0] in reached:
            size = torch.Size(shape[1:]).numel() if len(shape) > 1 else 100
            weights[key] = torch.randn(shape, generator=draw) * (2 / size) ** 0.5
        else:
            weights[key] = torch.zeros(1).expand(shape)
    return weights


def before(published: Published, name: str, last: str) -> bool:
    names = list(published.layers())
    return names.index(name) <= names.index(last)


def convolved(x: Tensor, weights: Weights, index: int, **options: int) -> Tensor:
    weight, bias = (weights[f"features.{index}.{kind}"].double() for kind in ("weight", "bias"))
    return F.conv2d(x, weight, bias, **options)


def normalised(x: Tensor) -> Tensor:
    mean, spread = (torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in (MEAN, SPREAD))
    return (x - mean) / spread


def alexnet_by_hand(x: Tensor, weights: Weights) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {"conv1": convolved(normalised(x), weights, 0, stride=4, padding=2)}
    found["relu1"] = found["conv1"].clamp_min(0)
    found["pool1"] = F.max_pool2d(found["relu1"], 3, 2)
    found["conv2"] = convolved(found["pool1"], weights, 3, padding=2)
    found["pool2"] = F.max_pool2d(found["conv2"].clamp_min(0), 3, 2)
    found["conv3"] = convolved(found["pool2"], weights, 6, padding=1)
    found["conv4"] = convolved(found["conv3"].clamp_min(0), weights, 8, padding=1)
    found["conv5"] = convolved(found["conv4"].clamp_min(0), weights, 10, padding=1)
    found["pool5"] = F.max_pool2d(found["conv5"].clamp_min(0), 3, 2)
    found["avgpool"] = F.adaptive_avg_pool2d(found["pool5"], 6)
    return found


@pytest.mark.parametrize("layer", ["conv1", "relu1", "conv3", "conv5", "pool5", "avgpool"])
def test_a_layer_of_alexnet_is_what_its_definition_says(layer: str) -> None:
    published = PUBLISHED["alexnet"]
    weights = random_weights(published, layer)
    operator = Features(published.up_to(layer, weights), SHAPE).double()
    torch.testing.assert_close(operator(IMAGE), alexnet_by_hand(IMAGE, weights)[layer])


def test_the_fully_connected_layers_of_alexnet_see_channels_rows_and_columns_in_this_order() -> None:
    published = PUBLISHED["alexnet"]
    weights = random_weights(published, "relu6")
    found = Features(published.up_to("relu6", weights), SHAPE).double()(IMAGE)
    pooled = alexnet_by_hand(IMAGE, weights)["avgpool"].flatten(1)
    weight, bias = (weights[f"classifier.1.{kind}"].double() for kind in ("weight", "bias"))
    wanted = F.linear(pooled, weight, bias).clamp_min(0)
    assert found.shape == (2, 4096, 1, 1)
    torch.testing.assert_close(found.flatten(1), wanted)


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_a_layer_of_vgg_is_what_its_definition_says(name: str) -> None:
    published = PUBLISHED[name]
    weights = random_weights(published, "conv3_2")
    x = normalised(IMAGE)
    for index in (0, 2):
        x = convolved(x, weights, index, padding=1).clamp_min(0)
    x = F.max_pool2d(x, 2, 2)
    for index in (5, 7):
        x = convolved(x, weights, index, padding=1).clamp_min(0)
    x = convolved(F.max_pool2d(x, 2, 2), weights, 10, padding=1).clamp_min(0)
    found = Features(published.up_to("conv3_2", weights), SHAPE).double()(IMAGE)
    torch.testing.assert_close(found, convolved(x, weights, 12, padding=1))


def test_a_grey_image_counts_as_one_of_equal_channels() -> None:
    published = PUBLISHED["alexnet"]
    operator = Features(published.up_to("conv2", random_weights(published, "conv2")), (1, 64, 64)).double()
    grey = IMAGE[:, :1]
    torch.testing.assert_close(operator(grey), operator(grey.expand(-1, 3, -1, -1)))


def test_features_hold_buffers_stay_in_evaluation_pass_gradients_and_have_no_adjoint() -> None:
    layers = classifier()
    layers.get_submodule("norm2").running_mean.fill_(0.1)  # type: ignore[operator]
    wanted = classifier().eval()
    wanted.load_state_dict(layers.state_dict())
    operator = Features(layers, SHAPE, scale=2.0).double()
    operator.train()
    assert not list(operator.parameters())
    assert not any(module.training for module in layers.modules())
    x = IMAGE.clone().requires_grad_()
    y = operator(x)
    torch.testing.assert_close(y.flatten(1), wanted.double()(IMAGE) / 2)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    assert gradient.flatten(1).norm(dim=1).min() > 0
    assert operator.image_shape((10, 1, 1)) == SHAPE
    check_operator(operator, y.detach())
    with pytest.raises(ValueError, match="no adjoint"):
        operator.adjoint(y)
    hidden = torch.ones(2, 10, 1, 1, dtype=torch.bool)
    hidden[:, 3] = False
    assert torch.equal((Mask(hidden) @ operator).measured(y), hidden)


def test_one_unit_is_a_channel_of_all() -> None:
    layers = nn.Sequential(*list(classifier())[:2])
    every, one = Features(layers, SHAPE), Features(layers, SHAPE, 3.0, unit=4)
    x = IMAGE.float()
    torch.testing.assert_close(one(x), every(x)[:, 4:5] / 3)


def written(folder: Path, **changed: Any) -> Path:
    """A file with weights of AlexNet, small on the disk: those beyond conv1 are a single number each, repeated."""
    path = folder / "weights.pth"
    weights = {**random_weights(PUBLISHED["alexnet"], "conv1"), **changed}
    torch.save({key: value for key, value in weights.items() if value is not None}, path)
    return path


def named_classifier(**settings: Any) -> Classifier:
    part = make_part(Classifier, {"name": "alexnet", "weights": None, **settings})
    assert isinstance(part, PublishedClassifier)
    return part


def test_weights_of_a_file_are_those_of_the_layers(tmp_path: Path) -> None:
    layers = named_classifier(weights=str(written(tmp_path))).up_to("relu1")
    assert [name for name, _ in layers.named_children()] == ["input", "conv1", "relu1"]
    weights = random_weights(PUBLISHED["alexnet"], "conv1")["features.0.weight"]
    assert torch.equal(layers.get_submodule("conv1").weight, weights)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, r"features\.0\.weight has the shape \(64, 3, 3, 3\), \(64, "),
        ({"classifier.6.bias": None}, r"classifier\.6\.bias is missing; it has 15 entries: features\.0\.weight"),
        ({"features.12.weight": torch.zeros(1)}, r"1 entries too many: features\.12\.weight"),
        ({"features.0.weight": "text"}, r"tensors by name are wanted, as of model\.state_dict\(\); it holds dict"),
    ],
)
def test_a_file_with_other_weights_is_refused_with_what_it_has(
    changed: dict[str, Any], wanted: str, tmp_path: Path
) -> None:
    path = written(tmp_path, **changed)
    with pytest.raises(ValueError, match=wanted) as found:
        named_classifier(weights=str(path)).up_to("conv1")
    assert str(found.value).startswith(f"task.classifier.weights={path}: not the weights of alexnet: ")


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"not the weights of alexnet: no weights that PyTorch reads \("):
        named_classifier(weights=str(path)).up_to("conv1")


def test_without_its_weights_a_classifier_says_what_to_bring_where_and_how(
    dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    request = ["scale=smoke", "logger=none", "task=feature_inversion"]
    assert dip(*request) == 2
    first, second = capfd.readouterr().err.strip().splitlines()
    assert f"(looked for alexnet-owt-7be5be79.pth in {tmp_path / 'hub' / 'checkpoints'})" in first
    assert 'torchvision.models.alexnet(weights="IMAGENET1K_V1")' in second
    assert "AlexNet_Weights.IMAGENET1K_V1, 244 MB" in second
    assert "task.classifier.weights=FILE" in second
    place = tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"half of it")
    assert dip(*request) == 2
    assert f"{place}: its SHA-256 begins with" in capfd.readouterr().err
    assert dip(*request, "task.classifier.weights=none.pth") == 2
    assert "task.classifier.weights=none.pth: no such file" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "layer", "wanted"),
    [
        (
            "alexnet",
            "conv6",
            r"alexnet has no such layer \(did you mean conv5 or conv4 or conv3\?\); choose from conv1,",
        ),
        ("alexnet", "norm1", r"alexnet has no such layer.*; choose from conv1, relu1, pool1, conv2"),
        ("vgg16", "conv3_4", r"vgg16 has no such layer \(did you mean "),
    ],
)
def test_a_layer_that_a_classifier_does_not_have_is_refused_before_its_weights_are_looked_for(
    name: str, layer: str, wanted: str
) -> None:
    with pytest.raises(ValueError, match=rf"task\.layer={layer}: {wanted}"):
        named_classifier(name=name).up_to(layer)
    assert "conv3_4" in PUBLISHED["vgg19"].layers()
