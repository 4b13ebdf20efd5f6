"""Run overrides of the command line from Python."""

from pathlib import Path

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.errors import WRONG_REQUEST, format_error
from dip_experiments.config.overrides import to_hydra_overrides
from dip_experiments.config.settings import read_settings
from dip_experiments.runner.run_job import run_settings
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
        jobs = compose_jobs(to_hydra_overrides(overrides, multirun=False), multirun=False)
        settings = [read_settings(job) for job in jobs]
    except WRONG_REQUEST as error:
        raise ValueError(format_error(error)) from None
    if len(jobs) > 1:
        raise ValueError(
            f"{' '.join(overrides)}: {len(jobs)} runs; add overrides that choose one, or use `dip -m` for the sweep"
        )
    result = run_settings(settings[0], overrides=list(overrides))
    if result.folder is None or result.status not in ("finished", "resumed", "skipped"):
        raise ValueError(f"{' '.join(overrides)}: {result.message or result.status}")
    return Run(Path(result.folder))
