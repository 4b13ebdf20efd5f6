"""Before a picture is restored in tiles: find its noise, and say what memory and time the tiles take."""

import logging
import math
import time
from dataclasses import replace

import torch

from dip_experiments.config.settings import Settings
from dip_experiments.data.tiling import Tiling
from dip_experiments.devices import find_device, fit_threads
from dip_experiments.fitting.fit import Builder, make_module, run_fit
from dip_experiments.jobs.times import format_duration
from dip_experiments.operators import Identity
from dip_experiments.runner.build import fit_options, network_builder
from dip_experiments.runner.validate import bytes_needed, check_memory, log_noise_estimates
from dip_experiments.stopping import Split
from dip_experiments.tasks import Task

PILOT = 4
"""Iterations by which the speed is measured before the first tile (ours)."""
HELD = 12 * 8
"""Bytes for each value of the picture: copies of it in float64 while its noise is estimated and tiles are blended."""
log = logging.getLogger(__name__)


def fix_noise(settings: Settings, task: Task) -> Settings:
    """Return settings with the noise of the picture, also for its tiles, and log it.

    Args:
        settings: Those of the picture.
        task: Its task, of one replica.

    Raises:
        ValueError: Where no noise is found.
    """
    loss, rule = settings.loss.fixed(task.measurement), settings.stopping
    if isinstance(rule, Split):  # as in all that `tiling_for` gives tiles
        rule = rule.fixed(task.measurement)
        log_noise_estimates(settings, task, {rule.name: rule.law.noise_of(task.measurement).facts})
    return settings.model_copy(update={"stopping": rule, "loss": loss})


def log_tiles(settings: Settings, tiling: Tiling, channels: int) -> None:
    """Log number, size and memory of the tiles.

    Args:
        settings: Those of a tile.
        tiling: The tiles.
        channels: Of the picture.

    Raises:
        ValueError: Where memory or network have no room for a tile.
    """
    shape = (settings.replicas, channels, *tiling.size)
    _, values, fewer_scales = network_builder(settings, shape)
    if fewer_scales and min(tiling.size) < min(tiling.picture_size):
        raise ValueError(f"tile: too small for the network, {fewer_scales}; give a larger tile, or tile=null")
    check_memory(settings, values, Task(torch.empty(shape, device="meta"), Identity()))
    needed = bytes_needed(settings, values, shape) + HELD * channels * math.prod(tiling.picture_size)
    log.info(
        "%d x %d pixels in %d tiles of %d x %d that overlap, one after another: about %.1f GB of memory",
        *tiling.picture_size, len(tiling), *tiling.size, needed / 1e9,
    )  # fmt: skip


def log_time(settings: Settings, task: Task, left: int) -> None:
    """Log an estimate of the time from some iterations of a tile.

    Args:
        settings: Those of a tile.
        task: The task of that tile.
        left: How many tiles are not restored yet.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    build, _, _ = network_builder(settings, task.shape)
    seconds, iterations = seconds_per_iteration(settings, task, build), settings.fit.iterations
    log.info(
        "%.2g iterations/s: about %s for %d tiles, if each takes all %d iterations, and the time of the filters that "
        "are mixed in; most stop earlier",
        1 / seconds, format_duration(left * iterations * seconds), left, iterations,
    )  # fmt: skip


def log_time_left(number: int, tiles: int, seconds: list[float], left: int) -> None:
    """Log how long a tile took, the last of `seconds`, and how long the others may take, by the mean."""
    mean = sum(seconds) / len(seconds)
    after = f"; about {format_duration(left * mean)} left" if left else ""
    log.info("tile %d of %d took %s%s", number, tiles, format_duration(seconds[-1]), after)


def seconds_per_iteration(settings: Settings, task: Task, build: Builder) -> float:
    """Measure how long an iteration takes. No state of PyTorch's generators is changed."""
    device, options = find_device(settings.device), fit_options(settings)
    options = replace(options, iterations=PILOT, block=PILOT)
    with torch.random.fork_rng(devices=[]), fit_threads(device):
        module = make_module(task, build, options, device)
        began = time.monotonic()
        run_fit(module, options, device, [])
    return (time.monotonic() - began) / PILOT
