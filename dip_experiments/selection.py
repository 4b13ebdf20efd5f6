"""The runs of an experiment: found by what they are, whatever was asked last."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dip_experiments import datasets
from dip_experiments.architectures import counted, find_network
from dip_experiments.compose import compose_jobs
from dip_experiments.drawing.script import Job, Selection
from dip_experiments.images import check_file, whole_image
from dip_experiments.settings import Settings, identity, read_settings
from dip_experiments.store import Run, Store, file_digest, signature

DEVICES = ("cuda", "cpu")
"""Kinds of device that a run may have been made on, the preferred one first: their numbers differ by rounding."""


def select(experiment: str, scale: str, results: Path, words: Sequence[str] = ()) -> Selection:
    """The whole grid of an experiment, each job with its finished run if there is one.

    `words`: further ones, as on the command line of dip. Raises ValueError for wrong ones.
    """
    try:
        configs = compose_jobs([f"experiment={experiment}", f"scale={scale}", *words], multirun=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(f"experiment={experiment} {' '.join(words)}: {' '.join(str(error).split())[:300]}") from None
    jobs = {}
    for settings in map(read_settings, configs):
        names = [run_name(settings, kind) for kind in DEVICES]
        jobs[names[-1]] = Job(settings.words(), _finished(Store(results), names))
    return Selection(experiment, scale, results, tuple(words), tuple(jobs.values()))


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


def _finished(store: Store, names: Sequence[str]) -> Run | None:
    runs = (store.run(name) for name in names)
    return next((run for run in runs if run.finished and run.replicas), None)


@cache
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


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    """Once for every state of a file."""
    return file_digest(path)
