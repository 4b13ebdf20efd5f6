"""Restore a large picture of the command line in tiles: each is a stored run, so that what is missing is fitted."""

import gc
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from dip_experiments.config.errors import format_error
from dip_experiments.config.settings import Settings
from dip_experiments.data.tiling import Tiling
from dip_experiments.jobs.job_status import JobResult
from dip_experiments.runner.build import load, original_task
from dip_experiments.runner.describe_stops import describe_tiles
from dip_experiments.runner.export import blended, check_export, write_restored
from dip_experiments.runner.finished_run import skip_finished
from dip_experiments.runner.prepare_tiles import fix_noise, log_tiles, log_time, log_time_left
from dip_experiments.runner.run_job import fit_run
from dip_experiments.runner.tiles import combined_summary, estimate_of, tile_settings
from dip_experiments.store import Run, Store

log = logging.getLogger(__name__)


def run_tiles(
    settings: Settings, tiling: Tiling, overrides: Sequence[str] = (), hydra: DictConfig | None = None
) -> JobResult:
    """Restore a picture in tiles: fit those that are not finished, blend all and write the picture.

    The same request again continues an interrupted one with the tile at which it was.

    Args:
        settings: The configuration of the picture.
        tiling: Its tiles, see `tiling_of`.
        overrides, hydra: See `run_job.run_settings`.

    Returns:
        Result of all tiles; that of a tile which failed, is locked or refused ends the others.

    Raises:
        KeyboardInterrupt: As `run_settings`.
    """
    started = JobResult(list(overrides))
    try:
        check_export(settings)
        results = [skip_finished(job, overrides) for job in tile_settings(settings, tiling)]
        if any(result.is_running for result in results):
            results = _fit(settings, tiling, results, hydra)
        if stopped := next((result for result in results if not result.succeeded), None):
            return stopped
        return _finished(settings, tiling, results)
    except ValueError as error:
        return replace(started, status="refused", message=format_error(error))


def _fit(settings: Settings, tiling: Tiling, results: Sequence[JobResult], hydra: DictConfig | None) -> list[JobResult]:
    """Fit the tiles whose results say that they are running; return the results up to one without success."""
    task = original_task(settings, load(settings), 1)
    if task.reference is not None:
        raise ValueError(
            f"tile={settings.tile}: tiles are for a picture that is noisy already, and this one is degraded first; use "
            "task.noise=none, or tile=null"
        )
    log_tiles(tile_settings(settings, tiling)[0], tiling, task.shape[1])
    settings = fix_noise(settings, task)
    jobs = tile_settings(settings, tiling)
    first = next(job for job, result in zip(jobs, results, strict=True) if result.is_running)
    left = sum(result.is_running for result in results)
    log_time(first, original_task(first, load(first), first.replicas), left)
    done, seconds = list[JobResult](), list[float]()
    for job, result in zip(jobs, results, strict=True):
        if result.is_running:
            log.info("tile %d of %d, at row %d, column %d", len(done) + 1, len(jobs), *(job.image.window or ())[:2])
            began = time.monotonic()
            result = fit_run(job, result, hydra)
            gc.collect()  # a fit refers to itself, and its memory is needed for the next one
            seconds.append(time.monotonic() - began)
            log_time_left(len(done) + 1, len(jobs), seconds, left - len(seconds))
        done.append(result)
        if not result.succeeded:
            break
    return done


def _finished(settings: Settings, tiling: Tiling, results: Sequence[JobResult]) -> JobResult:
    """Blend the tiles, write the picture, and return the result of all."""
    store = Store(Path(settings.paths.results))
    runs = [store.place(str(result.run)) for result in results]
    rule = settings.stopping.name
    summary = combined_summary(rule, tiling, [run.summary for run in runs], [run.tile() for run in runs])
    lines, estimate = describe_tiles(rule, summary), estimate_of(summary["stopping"][rule])
    estimated = {} if estimate is None else {"PSNR": estimate}
    reported = {"stops": lines, "stop": "; ".join(lines[-2:]), "estimated": estimated}
    statuses = {result.status for result in results}
    status = next(iter(statuses)) if len(statuses) == 1 else "resumed"
    folder = str(runs[0].folder.parent)
    result = replace(results[0], status=status, tiles=len(runs), folder=folder, summary=summary | reported)
    if not settings.output:
        return result
    try:
        return replace(result, output=export(runs, settings, tiling))
    except ValueError as error:
        return replace(result, status="failed", message=str(error))


def export(runs: Sequence[Run], settings: Settings, tiling: Tiling) -> str:
    """Blend the tiles of finished runs, write the picture, and return its path. Raises ValueError if it cannot be."""
    image = np.clip(tiling.blend(run.tile()["image"] for run in runs), 0, 1)
    if settings.blend:
        image = blended(image, load(settings).image, settings)
    return write_restored(image, settings)
