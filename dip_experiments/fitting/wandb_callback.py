"""Weights & Biases listens to a fit. Whatever happens to it, the fit goes on."""

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import wandb
from jaxtyping import Float
from torch import Tensor

from dip_experiments.data.display import displayed
from dip_experiments.data.folders import check_writable
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.schedule import logged_iterations
from dip_experiments.fitting.summary import shown_measurement
from dip_experiments.metrics import estimate_in, psnr_of_estimate
from dip_experiments.store import Run, stop_image

log = logging.getLogger(__name__)

GROUP = "WANDB_RUN_GROUP"
"""W&B's variable: the group of a run, if it is not the experiment's name."""
Values = dict[str, list[Any]]
"""By name, one value per replica; None is not sent."""


class Dashboard(pl.Callback):
    """One W&B run per fit: curves over `iteration` at log-spaced points, peak and final values, and images.

    These are the measurement (`target`) and the reference at the start, then output and average where the fit stores
    them; a replica that failed sends nothing more. At the end each rule's stop is marked: its statistic, the PSNR of
    the image at that stop, and of the replicas' mean (`/mean`) also as the rule estimates it. A run that goes on sends
    what it has not sent, under the same id. `settings` are the run's configuration. The first error of W&B is reported
    in one line, and W&B is left alone from then on.
    """

    def __init__(self, fit: DIPModule, run: Run, settings: dict[str, Any], folder: Path) -> None:
        self.fit, self.run, self.settings, self.folder = fit, run, settings, folder
        self.points = logged_iterations(settings["fit"]["iterations"])
        self.board: wandb.Run | None = None
        self.working = True
        self.sent = 0
        self.defined: set[str] = set()

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
        config = self.settings
        signal = config["target"] if config["task"]["name"] == "reconstruction" else config["task"]
        check_writable(self.folder / "wandb")  # W&B would write elsewhere
        self.folder.mkdir(parents=True, exist_ok=True)
        with cached_in(self.folder / "wandb" / "cache"):
            self.board = wandb.init(
                mode=config["logger"]["mode"],
                project=config["logger"]["project"],
                dir=str(self.folder),
                id=self.run.name,
                resume="allow",
                name=f"{signal['name']}-{config['architecture']['name']}-{self.run.name[:8]}",
                group=os.environ.get(GROUP) or config["experiment"]["name"],
                job_type="fit",
                tags=[config["scale"]["name"], config["image"]["name"], *config["logger"]["tags"]],
                config=config,
                reinit="finish_previous",
                settings=wandb.Settings(
                    console="off",
                    silent=True,
                    init_timeout=60,
                    x_disable_stats=True,  # what measures the machine logs into the user's home, whatever is said
                ),
            )
        self.board.define_metric("iteration")
        if self.sent == 0:
            task = self.fit.problem.original_task
            self._log_images(0, target=shown_measurement(task), reference=task.reference)

    def _send(self) -> None:
        for point in (point for point in self.points if self.sent < point <= self.fit.done):
            rows: Values = dict(zip(self.fit.columns, self.fit.curves[point - 1].tolist(), strict=True))
            if "split_mse" in rows:
                rows[self._estimated] = [-10 * math.log10(mse) if mse > 0 else None for mse in rows["split_mse"]]
            self._log(point, rows)
        for iteration, (output, average) in self.fit.images.items():
            self._log_images(iteration, output=output, average=average)
        self.sent = self.fit.done

    def _log_images(self, iteration: int, **images: Float[Tensor, "r c h w"] | None) -> None:
        self._log(iteration, {name: pictures(given) for name, given in images.items() if given is not None})

    def _log(self, iteration: int, values: Values) -> None:
        """Log the values of the replicas that have not failed."""
        alive = [pair for pair in enumerate(self.fit.problem.seeds) if pair[0] not in self.fit.guard.failed]
        self._send_values(
            iteration, {f"{name}/seed{seed}": row[r] for name, row in values.items() for r, seed in alive}
        )

    def _send_values(self, iteration: int, named: dict[str, Any]) -> None:
        if self.board is None:
            return
        named_values = {name: value for name, value in named.items() if value is not None}
        for name in named_values.keys() - self.defined:
            self.board.define_metric(name, step_metric="iteration")
        self.defined |= named_values.keys()
        self.board.log({"iteration": iteration, **named_values})

    def _mark_stops(self, summary: dict[str, Any]) -> None:
        for rule, stop in summary.get("stopping", {}).items():
            for replica, at in enumerate(stop["iteration"]):
                if at is not None:
                    self._send_values(at, self._at_stop(rule, at, replica, summary["scores"]))
            if stop["joint"] is not None:
                (psnr,) = _psnr(summary["scores"], stop_image(rule, "mean"), 1)
                estimate = estimate_in(stop)
                estimated = psnr_of_estimate(**estimate[1]) if estimate else None
                marks = {f"psnr_stopped_{rule}/mean": psnr, f"{self._estimated}_{rule}/mean": estimated}
                self._send_values(stop["joint"], marks)

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
        if self.board is not None:
            self.board.summary.update({name: summary[name] for name in summary if name != "guard"})
            self.board.finish()


def _psnr(scores: dict[str, Any], image: str, count: int) -> list[float | None]:
    """Return the PSNR of each image that was scored; None for each without a reference."""
    return list(scores[image]["psnr"]) if image in scores else [None] * count


def pictures(images: Float[Tensor, "r c h w"]) -> list[wandb.Image]:
    """Return images in [0, 1] as W&B takes them, one per replica: see `displayed`."""
    levels = images.detach().clamp(0, 1).mul(255).round().byte().cpu().numpy()
    shown = [np.moveaxis(displayed(image), 0, 2) for image in levels]
    return [wandb.Image(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in shown]


@contextmanager
def cached_in(folder: Path) -> Iterator[None]:
    """Set a folder of ours in the environment for what W&B would write to that of the user."""
    given = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder.absolute())
    try:
        yield
    finally:
        os.environ.pop("XDG_CACHE_HOME")
        os.environ.update({} if given is None else {"XDG_CACHE_HOME": given})
