"""The runs of an experiment: found by what they are, whatever was asked last."""

import hashlib
from functools import lru_cache
from pathlib import Path

from dip_experiments import datasets
from dip_experiments.architectures import counted, find_network
from dip_experiments.images import check_file, whole_image
from dip_experiments.settings import Settings, identity
from dip_experiments.store import file_digest, signature


def run_name(settings: Settings, device: str) -> str:
    """The signature of a run on a kind of device, cpu or cuda.

    Nothing is built and no picture of the paper need be there. Raises ValueError for an architecture that is none and
    for a file of the user's that is not there.
    """
    words = settings.architecture
    network = find_network(words.constructor, words.name)
    architecture = counted(network, words.constructor, dict(words.model_extra or {}))
    return signature(identity(settings, architecture, digests(settings), device))


def digests(settings: Settings) -> dict[str, str]:
    """SHA-256 of what the run reads, by what it is to the run: `image`, and the task's `noisy`, `mask` or `flash`."""
    name, path = settings.image.name, settings.image.path
    return {"image": _picture(name) if path is None else _content(path, "image.path")}


def _picture(name: str, part: str = "image") -> str:
    """Of a picture that has a name: the paper's are known without the file, scikit-image's by their pixels."""
    if name in datasets.PICTURES:
        return next(file.sha256 for file in datasets.files() if (file.picture, file.part) == (name, part))
    return hashlib.sha256(whole_image(name, None).tobytes()).hexdigest()


def _content(path: str, key: str) -> str:
    file = Path(path)
    check_file(file, key)
    found = file.stat()
    return _digest(file.resolve(), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=None)
def _digest(path: Path, changed: int, size: int) -> str:
    """Once for every state of a file."""
    return file_digest(path)
