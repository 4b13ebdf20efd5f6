"""Restore a large picture from memory in tiles: what `dip.restore` does with one."""

import gc
import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dip_experiments.config.settings import Settings
from dip_experiments.data.arrays import Layout
from dip_experiments.data.tiling import Tiling, windowed
from dip_experiments.fitting.tile import tile_result
from dip_experiments.runner.prepare_tiles import fix_noise, log_tiles, log_time, log_time_left
from dip_experiments.runner.reconstruct import Estimated, fit
from dip_experiments.runner.tiles import combined_summary, tile_settings
from dip_experiments.tasks import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class TiledReconstruction(Estimated):
    """The result of a large picture that was restored in tiles.

    Attributes:
        image: The restored picture, in the layout of the given one.
        history: That of each tile, as of `Reconstruction`, with a first column `tile`.
        summary: `tiles`, a dictionary for each with `iterations`, `stop` and `final`; `stopping`, the noise and the
            estimates of the picture, as of `Reconstruction`; `wall_seconds`, `lost_iterations`, `failed`.
    """

    image: NDArray[np.float64]
    history: pd.DataFrame
    summary: dict[str, Any]

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.image.shape))
        return f"<TiledReconstruction of {size}: {len(self.summary['tiles'])} tiles{self._quality}>"

    @property
    def stop_is_final(self) -> bool:
        """False if more iterations might move the stop of a tile."""
        return all(tile["final"] for tile in self.summary["tiles"])

    @property
    def _stop(self) -> dict[str, Any]:
        (rule,) = self.summary["stopping"].values()
        found: dict[str, Any] = rule
        return found


def fit_tiles(settings: Settings, task: Task, tiling: Tiling, layout: Layout, progress: bool) -> TiledReconstruction:
    """Restore a picture in tiles; nothing is written.

    Args:
        settings: Those of the picture.
        task: Its task, on the CPU in float64; the operator is the identity.
        tiling: Its tiles.
        layout: Brings the image into the layout of the user's picture.
        progress: Show the iterations of each tile on standard error.
    """
    log_tiles(tile_settings(settings, tiling)[0], tiling, task.shape[1])
    fixed = fix_noise(settings, Task(task.measurement[:1], task.operator))
    jobs, parts = tile_settings(fixed, tiling), [_part(task, window) for window in tiling.windows]
    log_time(jobs[0], parts[0], len(jobs))
    results, summaries, histories, seconds = [], [], [], list[float]()
    for number, (job, part) in enumerate(zip(jobs, parts, strict=True), 1):
        began = time.monotonic()
        fitted = fit(job, part, "skip", f"tile {number} of {len(jobs)}" if progress else None)
        results.append(tile_result(fitted.module, job.stopping.name, fitted.mixtures).arrays())
        summaries.append(fitted.summary)
        histories.append(fitted.history.assign(tile=number))
        del fitted
        gc.collect()
        seconds.append(time.monotonic() - began)
        log_time_left(number, len(jobs), seconds, len(jobs) - number)
    image = tiling.blend(result["image"] for result in results)
    history = pd.concat(histories, ignore_index=True)
    history.insert(0, "tile", history.pop("tile"))
    rule = settings.stopping.name
    result = TiledReconstruction(layout(image), history, combined_summary(rule, tiling, summaries, results))
    if unsure := sum(tile["stop"] is not None and not tile["final"] for tile in result.summary["tiles"]):
        log.warning(
            "stopping=%s: not sure of its stop in %d of %d tiles; give more iterations", rule, unsure, len(jobs)
        )
    return result


def _part(task: Task, window: list[int]) -> Task:
    """Return the task of one tile."""
    reference = None if task.reference is None else windowed(task.reference, window)
    return Task(windowed(task.measurement, window), task.operator, reference)
