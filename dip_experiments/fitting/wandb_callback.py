"""W&B callback. Logging errors never stop a fit."""

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import wandb
from jaxtyping import Float
from torch import Tensor

from dip_experiments.data.display import displayed
from dip_experiments.data.folders import check_writable
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.schedule import logged_iterations
from dip_experiments.fitting.summary import shown_measurement
from dip_experiments.fitting.wandb_options import run_options
from dip_experiments.fitting.wandb_summary import summary_scalars
from dip_experiments.metrics import estimate_in, psnr_of_estimate
from dip_experiments.store import Run, stop_image
from dip_experiments.tasks import Task
from dip_experiments.tensors import mean_squared_error, psnr_from_mse

log = logging.getLogger(__name__)

Values = dict[str, list[Any]]
"""By name, one value per replica."""
ENSEMBLE = {
    "psnr_mean": "psnr_average/ensemble",
    "split_mean_mse": "split_mse/ensemble",
    "split_mean_mse_se": "split_mse_se/ensemble",
}
"""Columns of the mean image of the replicas, which are alike for all of them, and the names of their curves."""


class Dashboard(pl.Callback):
    """One W&B run per fit: curves over `iteration` at log-spaced points, images, and the summary as flat numbers.

    Each curve has a line for every seed, `psnr_average/seed0`, and one for their mean, `psnr_average/mean`, over the
    replicas that have not failed: one that failed sends nothing more. `/ensemble` is of the mean of the replicas'
    images. Measurement (`target`) and reference are sent at the start, output and average where the fit stores them,
    in the step of their iteration: W&B's steps are iterations. At the end each rule's stop is marked: its statistic,
    the PSNR of the image at that stop, and for the ensemble also the PSNR that the rule estimates. A run that is
    resumed sends what it has not sent, under the same id. The first error of W&B is logged in one line, and W&B is not
    used from then on.

    Args:
        fit: What is logged.
        run: Its folder, whose name is the id of the W&B run.
        settings: The run's configuration.
        folder: W&B writes into its folder `wandb`.
        name: Of the W&B run, unless the environment gives one.
        tags: Of the W&B run, besides those of the request or the environment.
    """

    def __init__(
        self, fit: DIPModule, run: Run, settings: dict[str, Any], folder: Path, name: str, tags: Sequence[str]
    ) -> None:
        self.fit, self.run, self.settings, self.folder = fit, run, settings, folder
        self.name, self.tags = name, tags
        self.points = logged_iterations(settings["fit"]["iterations"])
        self.board: wandb.Run | None = None
        self.working = True
        self.sent = 0
        self.step = -1
        self.defined: set[str] = set()
        self.place: str | None = None
        """Folder of the offline runs, or address of the project, once the W&B run is complete."""

    def on_fit_start(self, *_: Any) -> None:
        self.sent = self.fit.done
        self._try(self._open)

    def on_train_batch_end(self, *_: Any) -> None:
        self._try(self._send)

    def close(self, summary: dict[str, Any]) -> None:
        """End the W&B run, with the summary of a finished fit or an empty one."""
        self._try(lambda: self._finish(summary))
        if not self.working:
            with suppress(Exception):  # a dead service would tell of itself at the exit of Python, in 25 lines
                wandb.teardown()

    def _try(self, act: Callable[[], None]) -> None:
        if not self.working:
            return
        try:
            act()
        except (Exception, SystemExit) as error:  # W&B raises its own, the operating system's and the network's errors
            self.working = False
            log.warning("W&B stopped listening (%s: %s); the fit goes on, its curves are in %s", type(error).__name__,
                        str(error).splitlines()[0] if str(error) else "no message", self.run.folder)  # fmt: skip

    def _open(self) -> None:
        check_writable(self.folder / "wandb")  # W&B would write elsewhere
        self.folder.mkdir(parents=True, exist_ok=True)
        options = run_options(self.settings, self.name, self.tags)
        cache = str((self.folder / "wandb" / "cache").absolute())  # else it would be in the user's home
        with environment(XDG_CACHE_HOME=cache, WANDB_TAGS=None):  # W&B would refuse tags that were cut to fit
            self.board = wandb.init(
                **options,
                dir=str(self.folder.absolute()),  # W&B's service stays in the folder in which it was started
                id=self.run.name,
                resume="allow",
                config=self.settings,
                reinit="finish_previous",
                settings=wandb.Settings(
                    console="off",
                    silent=True,
                    init_timeout=60,
                    x_disable_stats=True,  # what measures the machine logs into the user's home, whatever is said
                ),
            )
        self.step = self.board.starting_step - 1  # a resumed run that is online continues after its last step
        self.board.define_metric("iteration")
        if not self.board.offline:
            log.info("W&B: %s", self.board.url)
        if self.sent == 0:
            self._log_data()

    def _log_data(self) -> None:
        """Log the measurement and the reference."""
        task = self.fit.problem.original_task
        data = self._images("target", 0, shown_measurement(task), psnr_of_measurement(task))
        if task.reference is not None:
            data |= self._images("reference", 0, task.reference)
        self._log(0, data)

    def _send(self) -> None:
        """Log curves and images of the iterations since the last call, in their order."""
        images = dict(self.fit.images)
        if self.fit.over:  # a rule has ended the fit, seldom at an iteration whose image is stored
            images.setdefault(self.fit.done, (self.fit.output, self.fit.average))
        for iteration in sorted({*self.points, *images}):
            if self.sent < iteration <= self.fit.done:
                self._log_iteration(iteration, images.get(iteration))
        self.sent = self.fit.done

    def _log_iteration(self, iteration: int, images: tuple[Tensor, Tensor] | None) -> None:
        rows: Values = dict(zip(self.fit.columns, self.fit.curves[iteration - 1].tolist(), strict=True))
        if "split_mse" in rows:
            rows[self._estimated] = [-10 * math.log10(mse) if mse > 0 else math.nan for mse in rows["split_mse"]]
        named: dict[str, Any] = {}
        for name, row in rows.items():
            alive = [(seed, row[replica]) for replica, seed in self._alive()]
            if name in ENSEMBLE:
                named[ENSEMBLE[name]] = alive[0][1]
                continue
            named |= {f"{name}/seed{seed}": value for seed, value in alive}
            named[f"{name}/mean"] = fmean(value for _, value in alive)
        if images is not None:
            output, average = images
            named |= self._images("output", iteration, output, rows.get("psnr_reference"))
            named |= self._images("average", iteration, average, rows.get("psnr_average"))
        self._log(iteration, named)

    def _alive(self) -> list[tuple[int, int]]:
        """Return replica and seed of those that have not failed."""
        return [pair for pair in enumerate(self.fit.problem.seeds) if pair[0] not in self.fit.guard.failed]

    def _images(
        self, kind: str, iteration: int, images: Float[Tensor, "r c h w"], psnr: Sequence[float] | None = None
    ) -> dict[str, wandb.Image]:
        """Return the images in [0, 1] of one kind as W&B takes them, by name, with captions: see `displayed`."""
        levels, named = images.detach().clamp(0, 1).mul(255).round().byte().cpu().numpy(), {}
        for replica, seed in self._alive():
            shown = np.moveaxis(displayed(levels[replica]), 0, 2)
            quality = f", {psnr[replica]:.2f} dB" if psnr else ""
            caption = f"{kind}, seed {seed}, iteration {iteration}{quality}"
            named[f"{kind}/seed{seed}"] = wandb.Image(
                shown.squeeze(-1) if shown.shape[-1] == 1 else shown, caption=caption
            )
        return named

    def _log(self, iteration: int, named: Mapping[str, Any]) -> None:
        """Log values in the next step, or in that of the iteration if it comes later; NaN and None are not sent."""
        if self.board is None:
            return
        known = {name: value for name, value in named.items() if not is_missing(value)}
        for name in sorted(known.keys() - self.defined):
            self.board.define_metric(name, step_metric="iteration")
        self.defined |= known.keys()
        self.step = max(self.step + 1, iteration)
        self.board.log({"iteration": iteration, **known}, step=self.step, commit=True)

    def _mark_stops(self, summary: dict[str, Any]) -> None:
        for rule, stop in summary.get("stopping", {}).items():
            for replica, at in enumerate(stop["iteration"]):
                if at is not None:
                    self._log(at, self._at_stop(rule, at, replica, summary["scores"]))
            if stop["joint"] is not None:
                (psnr,) = _psnr(summary["scores"], stop_image(rule, "mean"), 1)
                estimate = estimate_in(stop)
                estimated = psnr_of_estimate(**estimate[1]) if estimate else None
                marks = {f"psnr_stopped_{rule}/ensemble": psnr, f"{self._estimated}_{rule}/ensemble": estimated}
                self._log(stop["joint"], marks)

    @property
    def _estimated(self) -> str:
        """Name of what a split estimates: the image's PSNR only where the image itself is measured."""
        return "psnr_estimated" if self.fit.problem.original_task.operator.is_identity else "psnr_measurement_estimated"

    def _at_stop(self, rule: str, at: int, replica: int, scores: dict[str, Any]) -> dict[str, Any]:
        """Log the rule's statistic at a replica's stop, and the PSNR of the average at it."""
        seeds, columns = self.fit.problem.seeds, self.fit.monitors[rule].rule.columns[:1]
        psnr = _psnr(scores, stop_image(rule, "average"), len(seeds))[replica]
        statistic = {name: float(self.fit.curves[at - 1, self.fit.columns.index(name), replica]) for name in columns}
        named = {f"psnr_stopped_{rule}": psnr} | {f"{name}_stopped": value for name, value in statistic.items()}
        return {f"{name}/seed{seeds[replica]}": value for name, value in named.items()}

    def _finish(self, summary: dict[str, Any]) -> None:
        self._mark_stops(summary)
        if self.board is None:
            return
        if summary:
            self.board.summary.update(summary_scalars(summary))
        place = str(self.folder / "wandb") if self.board.offline else self.board.project_url
        self.board.finish()
        self.place = place


def _psnr(scores: dict[str, Any], image: str, count: int) -> list[float | None]:
    """Return the PSNR of each image that was scored; None for each without a reference."""
    return list(scores[image]["psnr"]) if image in scores else [None] * count


def psnr_of_measurement(task: Task) -> list[float] | None:
    """Return the PSNR in dB of each measurement; None if it is no image like the reference, or the reference itself."""
    y, x = task.measurement, task.reference
    if x is None or x.shape != y.shape or torch.equal(x, y):
        return None
    return psnr_from_mse(mean_squared_error(y, x)).tolist()


def is_missing(value: Any) -> bool:
    """Return True for None, NaN and infinity."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


@contextmanager
def environment(**variables: str | None) -> Iterator[None]:
    """Set variables of the environment, or unset those that are None; afterwards they are as before."""
    before = {name: os.environ.pop(name, None) for name in variables}
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
