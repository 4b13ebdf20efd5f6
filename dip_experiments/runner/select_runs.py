"""Select the runs of an experiment by their configuration, whatever was requested last."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cache
from itertools import product
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dip_experiments.architectures import find_network, hashed_arguments
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.overrides import to_hydra_overrides
from dip_experiments.config.run_id import by_content, identity
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data import datasets
from dip_experiments.data.limits import check_file
from dip_experiments.data.pictures import Source, sources
from dip_experiments.data.reading import read_picture
from dip_experiments.schema import NO_EXPERIMENT
from dip_experiments.stopping import outdated
from dip_experiments.store import Job, Origin, Run, Selection, Store, file_digest, signature

log = logging.getLogger(__name__)

DEVICES = ("cuda", "cpu")
"""Kinds of device that a run may have been made on, the preferred one first: their numbers differ by rounding."""
PRECISIONS = ("float32", "bf16")
"""Precisions of a row at scale paper, the preferred one first: tables/precision has what they differ by."""
SEEDS = (3, 2, 1)
"""How many seeds a row at scale paper may have where its experiment asks for one, the preferred number first."""


def select(
    experiment: str, scale: str, results: Path, overrides: Sequence[str] = (), origin: Origin = "runs"
) -> Selection:
    """Compose the complete grid of an experiment and find the finished run of each job, if any.

    At scale paper that is its own with the most seeds where one is requested, and one in bf16 without one in float32,
    unless the grid asks for both or the overrides set seeds or precision themselves.

    Args:
        overrides: Further ones, as on the command line of dip.
        origin: The user's own runs, the records, or either.

    Raises:
        ValueError: For wrong overrides.
    """
    try:
        chosen = [] if experiment == NO_EXPERIMENT else [f"experiment={experiment}"]
        requested = [*chosen, f"scale={scale}", *to_hydra_overrides(overrides, multirun=True)]
        configs = compose_jobs(requested, multirun=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(
            f"experiment={experiment} {' '.join(overrides)}: {' '.join(str(error).split())[:300]}"
        ) from None
    settings = list(map(read_settings, configs))
    jobs = {names_of(job)[-1]: job for job in settings}
    store, fixed = Store(results), {override.split("=")[0] for override in overrides}
    found = [Job(job.to_dict(), _finished(store, origin, job, equivalent_runs(job, jobs, fixed))) for job in settings]
    older = [
        rule
        for job, one in zip(settings, found, strict=True)
        for rule in (outdated(one.run.observer_epochs) & job.rules.keys() if one.run else ())
    ]
    for rule, count in Counter(older).items():
        log.warning("%s: %d of %d runs were watched by an older %s", experiment, count, len(found), rule)
    return Selection(experiment, scale, results, tuple(overrides), tuple(found), origin)


def names_of(settings: Settings) -> list[str]:
    """Return the ids of a run of these settings on the kinds of devices, or on the one that they ask for."""
    requested = settings.device.partition(":")[0]
    return [run_id(settings, kind) for kind in DEVICES if requested in (kind, "auto")]


def equivalent_runs(settings: Settings, jobs: Mapping[str, Settings], fixed: Set[str]) -> Iterator[tuple[str, bool]]:
    """Yield ids of runs that may be taken for that of these settings, the preferred one first; True for more seeds.

    Replica r of a run of several seeds is the fit with seed r. What is another one of `jobs` stands in for none, and
    where these differ in their seeds none has more. `fixed`: keys that the overrides set.
    """
    paper = settings.scale.name == "paper"
    more = paper and settings.replicas == 1 and len({job.seed for job in jobs.values()}) == 1
    seeds = SEEDS if more and not fixed & {"seed", "replicas"} else (settings.replicas,)
    lower = paper and settings.precision == PRECISIONS[0] and "precision" not in fixed
    precisions = PRECISIONS if lower else (settings.precision,)
    for several, precision in product(seeds, precisions):
        names = names_of(settings.model_copy(update={"replicas": several, "precision": precision}))
        if (several, precision) == (settings.replicas, settings.precision) or names[-1] not in jobs:
            yield from ((name, several > settings.replicas) for name in names)


def run_id(settings: Settings, device: str) -> str:
    """Return the id of a run on a kind of device, cpu or cuda.

    Nothing is built, and no picture of the paper has to be on the disk.

    Raises:
        ValueError: For an unknown architecture, and for a file of the user's that is missing.
    """
    chosen = settings.architecture
    network = find_network(chosen.constructor, chosen.name)
    architecture = hashed_arguments(network, chosen.constructor, dict(chosen.model_extra or {}))
    return signature(identity(settings, architecture, digests(settings), device))


def digests(settings: Settings) -> dict[str, str]:
    """Return the SHA-256 of what the run reads, by role: `image`, and the task's `noisy`, `mask` or `flash`.

    A file whose path counts by content and which no task reads has the name of its setting for a role.
    """
    image = settings.image
    extra_inputs = settings.task.extra_inputs(image.name)
    keys = {"image": "image.path", **{role: extra.key for role, extra in extra_inputs.items()}}
    read = sources(image.name, image.path, extra_inputs)
    found = {role: _content(source, keys[role]) for role, source in read.items()}
    known = {"image.name", *keys.values()}
    found |= {key: _content(Path(path), key) for key, path in by_content(settings) if key not in known}
    return found if "image" in found else {**found, "image": _pixels(image.name)}


def _finished(store: Store, origin: Origin, settings: Settings, names: Iterable[tuple[str, bool]]) -> Run | None:
    """Return the first run with a result; one of more seeds must be the experiment's own, which has its pictures."""
    experiment = settings.experiment.name
    runs = ((store.find(name, origin), more) for name, more in names)
    complete = ((run, more) for run, more in runs if run and run.finished and run.replicas)
    return next((run for run, more in complete if not more or run.settings["experiment"]["name"] == experiment), None)


def _content(source: Source, key: str) -> str:
    """Return the SHA-256 of a picture; the paper's are known without their files. Raises ValueError for no file."""
    if not isinstance(source, Path):
        return datasets.entry(*source).sha256
    check_file(source, key)
    found = source.stat()
    return _digest(source.resolve(), found.st_mtime_ns, found.st_size)


@cache
def _pixels(name: str) -> str:
    """Return the SHA-256 of a picture inside scikit-image, which may change with its version."""
    return hashlib.sha256(read_picture(name, None).tobytes()).hexdigest()


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    """Return the SHA-256 of a file, computed once for each of its states."""
    return file_digest(path)
