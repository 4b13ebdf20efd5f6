"""Runs by what they are: an experiment is composed, and the store is asked for the runs of those names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dip_experiments.compose import compose_jobs
from dip_experiments.drawing.script import Job, Selection
from dip_experiments.images.pictures import files
from dip_experiments.settings import Settings, identity
from dip_experiments.store import Run, Store, file_digest, signature

__all__ = ["Job", "Selection", "read_settings", "run_name", "select"]
DEVICES = ("cuda", "cpu")
"""Kinds of device that a run may have been made on, the preferred one first: their numbers differ by rounding."""


def select(experiment: str, scale: str, results: Path, words: Sequence[str] = ()) -> Selection:
    """The whole grid of an experiment, each job with its finished run if there is one; asked by name, not by history.

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


def _finished(store: Store, names: Sequence[str]) -> Run | None:
    runs = (store.run(name) for name in names)
    return next((run for run in runs if run.finished and run.replicas), None)


def read_settings(config: DictConfig) -> Settings:
    """The composed configuration as checked settings. Raises pydantic's ValidationError or OmegaConf's errors."""
    words = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    return Settings.model_validate({name: value for name, value in words.items() if name != "hydra"})


def run_name(settings: Settings, device_kind: str) -> str:
    """The run's name: a hash of all that can change its numbers, with the image by content and the device by kind."""
    digests = {role: file_digest(path) for role, path in files(settings).items()}
    return signature({**identity(settings.words(), digests), "device": device_kind})
