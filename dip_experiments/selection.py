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
from dip_experiments.images.pictures import Source, sources
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
    image = settings.image
    companions = settings.task.companions(image.name)
    keys = {"image": "image.path", **{role: companion.key for role, companion in companions.items()}}
    read = sources(image.name, image.path, companions)
    found = {role: _content(source, keys[role]) for role, source in read.items()}
    return found if "image" in found else {**found, "image": _pixels(image.name)}


def _finished(store: Store, names: Sequence[str]) -> Run | None:
    runs = (store.run(name) for name in names)
    return next((run for run in runs if run.finished and run.replicas), None)


def _content(source: Source, key: str) -> str:
    """The paper's pictures are known without their files. Raises ValueError, naming `key`, for what is no file."""
    if not isinstance(source, Path):
        return datasets.entry(*source).sha256
    check_file(source, key)
    found = source.stat()
    return _digest(source.resolve(), found.st_mtime_ns, found.st_size)


@cache
def _pixels(name: str) -> str:
    """Of a picture inside scikit-image, which may change with its version."""
    return hashlib.sha256(whole_image(name, None).tobytes()).hexdigest()


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    """Once for every state of a file."""
    return file_digest(path)
