"""Classifiers trained on ImageNet whose weights torchvision publishes, layer by layer: AlexNet, VGG-16 and VGG-19.

The layers go by their names in the literature (conv1, relu3_2, pool5, fc6), the weights by the keys of torchvision's
files (features.0.weight, classifier.1.bias).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

CLASSES, CONNECTED = 1000, 4096
"""Of ImageNet; channels of the first two fully connected layers."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures in [0, 1], channel by channel (torchvision)."""
WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five blocks of a VGG network (Simonyan & Zisserman 2015)."""
Layers = dict[str, nn.Module]
Weights = Mapping[str, Tensor]


class Normalised(nn.Module):
    """(x - mean) / spread of ImageNet, channel by channel; a grey image counts as one of three equal channels."""

    mean: Float[Tensor, "3 1 1"]
    spread: Float[Tensor, "3 1 1"]

    def __init__(self) -> None:
        super().__init__()
        for name, values in (("mean", MEAN), ("spread", SPREAD)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64)[:, None, None])

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h w"]:
        return (x - self.mean.to(x.dtype)) / self.spread.to(x.dtype)


class Dense(nn.Linear):
    """A fully connected layer of all values of a map: features (n, k)."""

    def forward(self, input: Tensor) -> Float[Tensor, "n k"]:
        return super().forward(input.flatten(1))


@dataclass(frozen=True)
class Published:
    """A classifier of torchvision.

    Attributes:
        title: What torchvision calls its weights.
        file: Name of their file, which ends with the first digits of its SHA-256.
        megabytes: Size of the file.
        convolutional: Makes the layers before the fully connected ones.
        side: Rows and columns of the map that these are given.
        connected: Positions of fc6, fc7 and fc8 among torchvision's, which count dropout.
    """

    title: str
    file: str
    megabytes: int
    convolutional: Callable[[], Layers]
    side: int
    connected: tuple[int, int, int]

    def layers(self) -> Layers:
        """Return all layers by name, with shapes and without numbers."""
        with torch.device("meta"):
            convolutional = self.convolutional()
            channels = [layer.out_channels for layer in convolutional.values() if isinstance(layer, nn.Conv2d)][-1]
            return {
                **convolutional,
                "avgpool": nn.AdaptiveAvgPool2d(self.side),
                "fc6": Dense(channels * self.side**2, CONNECTED),
                "relu6": nn.ReLU(),
                "fc7": Dense(CONNECTED, CONNECTED),
                "relu7": nn.ReLU(),
                "fc8": Dense(CONNECTED, CLASSES),
            }

    def keys(self) -> dict[str, str]:
        """Return the layers that have weights, each with the beginning of their keys in torchvision's file."""
        places = {name: f"features.{index}" for index, name in enumerate(self.convolutional_names)}
        connected = zip(("fc6", "fc7", "fc8"), self.connected, strict=True)
        places |= {name: f"classifier.{index}" for name, index in connected}
        return {name: key for name, key in places.items() if name.startswith(("conv", "fc"))}

    @property
    def convolutional_names(self) -> list[str]:
        """The layers before the fully connected ones, in the order of torchvision's `features`."""
        with torch.device("meta"):
            return list(self.convolutional())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each of the weights, by its key in torchvision's file."""
        layers = self.layers()
        return {
            f"{key}.{kind}": tuple(weights.shape)
            for name, key in self.keys().items()
            for kind, weights in layers[name].named_parameters()
        }

    def up_to(self, last: str, weights: Weights) -> nn.Sequential:
        """Return the layers up to one, its own included, from images in [0, 1] on.

        Args:
            last: Name of the layer.
            weights: Those of all layers, by their keys in torchvision's file.

        Raises:
            ValueError: With what was found, unless these are the weights of this classifier.
        """
        self._check(weights)
        layers, keys = self.layers(), self.keys()
        chosen = list(layers)[: list(layers).index(last) + 1]
        for name in (name for name in chosen if name in keys):
            own = {kind: weights[f"{keys[name]}.{kind}"] for kind, _ in layers[name].named_parameters()}
            layers[name].load_state_dict(own, assign=True)
        return named({"input": Normalised(), **{name: layers[name] for name in chosen}})

    def _check(self, weights: Weights) -> None:
        wanted = self.shapes()
        for key, shape in wanted.items():
            if key not in weights:
                first = ", ".join(list(weights)[:3]) or "nothing"
                raise ValueError(f"{key} is missing; it has {len(weights)} entries: {first}, ...")
            if (found := tuple(weights[key].shape)) != shape:
                raise ValueError(f"{key} has the shape {found}, {shape} is wanted")
        if further := [key for key in weights if key not in wanted]:
            raise ValueError(f"{len(further)} entries too many: {', '.join(further[:3])}")


def named(layers: Layers) -> nn.Sequential:
    """Return layers one after the other, under their names."""
    sequence = nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    return sequence


def alexnet() -> Layers:
    """Return the convolutional layers of AlexNet without local response normalisation (Krizhevsky 2014)."""
    return {
        "conv1": nn.Conv2d(3, 64, 11, stride=4, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, stride=2),
        "conv2": nn.Conv2d(64, 192, 5, padding=2),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(3, stride=2),
        "conv3": nn.Conv2d(192, 384, 3, padding=1),
        "relu3": nn.ReLU(),
        "conv4": nn.Conv2d(384, 256, 3, padding=1),
        "relu4": nn.ReLU(),
        "conv5": nn.Conv2d(256, 256, 3, padding=1),
        "relu5": nn.ReLU(),
        "pool5": nn.MaxPool2d(3, stride=2),
    }


def vgg(depths: tuple[int, ...]) -> Layers:
    """Return the convolutional layers of a VGG network. `depths`: convolutions of each block."""
    layers: Layers = {}
    channels = 3
    for block, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 1):
        for number in range(1, depth + 1):
            layers[f"conv{block}_{number}"] = nn.Conv2d(channels, width, 3, padding=1)
            layers[f"relu{block}_{number}"] = nn.ReLU()
            channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    return layers


PUBLISHED = {
    "alexnet": Published("AlexNet_Weights.IMAGENET1K_V1", "alexnet-owt-7be5be79.pth", 244, alexnet, 6, (1, 4, 6)),
    "vgg16": Published(
        "VGG16_Weights.IMAGENET1K_V1", "vgg16-397923af.pth", 554, partial(vgg, (2, 2, 3, 3, 3)), 7, (0, 3, 6)
    ),
    "vgg19": Published(
        "VGG19_Weights.IMAGENET1K_V1", "vgg19-dcbb9e9d.pth", 575, partial(vgg, (2, 2, 4, 4, 4)), 7, (0, 3, 6)
    ),
}
"""By name."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a file of weights by name. Raises ValueError for anything else."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes of the zip, pickle and tensor readers
        raise ValueError(f"no weights that PyTorch reads ({type(error).__name__})") from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"tensors by name are wanted, as of model.state_dict(); it holds {type(found).__name__}")
    return dict(found)
