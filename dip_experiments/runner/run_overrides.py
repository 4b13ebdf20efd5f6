"""Run overrides of the command line from Python."""

import itertools
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dip_experiments.config.compose import read_requests
from dip_experiments.config.errors import WRONG_REQUEST, format_error
from dip_experiments.config.overrides import to_hydra_overrides
from dip_experiments.config.request import Request
from dip_experiments.config.settings import read_settings
from dip_experiments.runner.run_job import run_settings
from dip_experiments.runner.tiles import tiling_of
from dip_experiments.store import Run


def run(*overrides: str) -> Run:
    """Fit one configuration, stored and resumable, as the command `dip` with the same overrides does.

    A finished run is returned as it is. Works in any thread; an exception such as KeyboardInterrupt saves the state,
    from which the same call continues.

    Args:
        overrides: As on the command line: "experiment=fig2", "target=noise", "scale=demo".

    Returns:
        The finished run: `summary`, `curves`, `image(name, replica)`, `settings`.

    Raises:
        ValueError: For wrong overrides, several jobs, a run that another process is fitting, and a fit that failed.
    """
    try:
        (request,) = read_requests(to_hydra_overrides(overrides, multirun=False), multirun=False)
        settings = [read_settings(job) for job in request.jobs]
    except WRONG_REQUEST as error:
        raise ValueError(format_error(error)) from None
    if len(settings) > 1:
        raise ValueError(
            f"{' '.join(overrides)}: {len(settings)} runs; choose one of {_choices(request)}, or use `dip -m` for the "
            "sweep"
        )
    if tiling := tiling_of(settings[0]):
        raise ValueError(
            f"{' '.join(overrides)}: {len(tiling)} runs, one for each tile; use dip.restore(array), the command `dip "
            "restore`, or tile=null"
        )
    result = run_settings(settings[0], overrides=list(overrides))
    if result.folder is None or result.status not in ("finished", "resumed", "skipped"):
        raise ValueError(f"{' '.join(overrides)}: {result.message or result.status}")
    return Run(Path(result.folder))


def _choices(request: Request) -> str:
    """Return what the jobs of a request differ in, with its values: `architecture=skip,pixels`."""
    values: dict[str, dict[str, None]] = {key: {} for key in request.swept}
    for job, (key, found) in itertools.product(request.jobs, values.items()):
        node = OmegaConf.select(job, key.replace("/", "."))
        found[str(node.get("name") if isinstance(node, DictConfig) else node)] = None
    return " ".join(f"{key}={','.join(found)}" for key, found in values.items())
