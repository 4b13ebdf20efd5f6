"""Classifiers whose features are measured: torchvision's, with their published weights, and the user's own."""

import difflib
from abc import abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict
from torch import Tensor, nn

from dip_experiments.data.limits import check_file
from dip_experiments.operators import Features
from dip_experiments.operators.classifiers import PUBLISHED, Published, named, read_weights
from dip_experiments.schema import TARGET, HashContent, Part, imported_object
from dip_experiments.store import file_digest
from dip_experiments.tasks.sampling import Image
from dip_experiments.tensors import derive_seed

WEIGHTS = "task.classifier.weights"


class Classifier(Part):
    """A network of fixed weights, layer by layer."""

    kind: ClassVar[str] = "task.classifier"

    @abstractmethod
    def up_to(self, layer: str) -> nn.Sequential:
        """Return its layers from images in [0, 1] up to one, that one included.

        Raises:
            ValueError: If it has no such layer, or its weights are not on this machine.
        """


class PublishedClassifier(Classifier):
    """A classifier of torchvision; `weights`: its file, None for torchvision's in PyTorch's folder of checkpoints."""

    name: Literal["alexnet", "vgg16", "vgg19"]
    weights: Annotated[str | None, HashContent()]

    def up_to(self, layer: str) -> nn.Sequential:
        published = PUBLISHED[self.name]
        check_layer(layer, list(published.layers()), self.name)
        path = _published_file(self.name, published) if self.weights is None else Path(self.weights)
        check_file(path, WEIGHTS)
        try:
            return published.up_to(layer, read_weights(path))
        except ValueError as error:
            raise ValueError(f"{WEIGHTS}={path}: not the weights of {self.name}: {error}") from None


class CustomClassifier(Classifier):
    """A class or function of the user's by its dotted path; all other settings are its keyword arguments.

    It returns an `nn.Sequential` that takes images (n, c, h, w) in [0, 1]; the names of its children are those of the
    layers. What it draws at random is the same each time.
    """

    model_config = ConfigDict(extra="allow")
    adapts: ClassVar[bool] = True

    @classmethod
    def accepts(cls, found: Any) -> bool:
        return callable(found) and not (isinstance(found, type) and issubclass(found, Classifier))

    def up_to(self, layer: str) -> nn.Sequential:
        setting = f"{self.kind}.{TARGET}"
        function = imported_object(str(self.target), setting)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(0, "classifier"))
                made = function(**(self.model_extra or {}))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{setting}={self.target}: {error}") from None
        if not isinstance(made, nn.Sequential):
            raise ValueError(
                f"{setting}={self.target}: returns {type(made).__name__}; give an nn.Sequential, whose children are "
                "the layers"
            )
        layers = dict(made.named_children())
        check_layer(layer, list(layers), self.name)
        return named({name: layers[name] for name in list(layers)[: list(layers).index(layer) + 1]})


def check_layer(layer: str, known: Sequence[str], classifier: str) -> None:
    """Raise ValueError, with the nearest names and all others, for a layer that a classifier does not have."""
    if layer not in known:
        close = difflib.get_close_matches(layer, known)
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise ValueError(f"task.layer={layer}: {classifier} has no such layer{hint}; choose from {', '.join(known)}")


def features_of(classifier: Classifier, layer: str, image: Image) -> tuple[Features, Float[Tensor, "k hy wy"]]:
    """Return the operator of a layer's features, in float64, and the features of one image.

    Raises:
        ValueError: For a layer that the classifier does not have, and for an image that it does not take.
    """
    channels, rows, columns = image.shape
    operator = Features(classifier.up_to(layer), (channels, rows, columns)).double()
    try:
        with torch.no_grad():
            return operator, operator(image.unsqueeze(0)).squeeze(0)
    except Exception as error:  # whatever the user's layers raise
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise ValueError(
            f"task.layer={layer}: {classifier.name} takes no image of {channels} channels, {rows} x {columns} pixels "
            f"({reason}); give a colour picture, or a larger one: image.size=224"
        ) from error


def _published_file(name: str, published: Published) -> Path:
    """Return the file of torchvision's weights. Raises ValueError if it is missing or damaged."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / published.file
    if not path.is_file():
        raise ValueError(
            f"task/classifier={name}: its weights are not on this machine (looked for {published.file} in {folder})\n"
            f'With torchvision, torchvision.models.{name}(weights="IMAGENET1K_V1") fetches them ({published.title}, '
            f"{published.megabytes} MB); without it, bring the file into that folder or give it by {WEIGHTS}=FILE"
        )
    state = path.stat()
    begins = path.stem.rpartition("-")[2]
    if not (digest := _digest(path, state.st_mtime_ns, state.st_size)).startswith(begins):
        raise ValueError(
            f"{path}: its SHA-256 begins with {digest[:8]}, that of {published.title} with {begins}: it is damaged or "
            f"another file; fetch it again, or give yours by {WEIGHTS}=FILE"
        )
    return path


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    """Return the SHA-256 of a file, computed once for each of its states."""
    return file_digest(path)
