"""Weights & Biases listens to a fit. Whatever happens to it, the fit goes on."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import wandb

from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.schedule import logged_iterations
from dip_experiments.store import Run

log = logging.getLogger(__name__)


class Dashboard(pl.Callback):
    """One W&B run per fit: curves over `iteration` at log-spaced points, images on the grid, peak and final values.

    `settings` are the run's words. The first error of W&B is reported in one line, and W&B is left alone from then on.
    """

    def __init__(self, fit: Fit, run: Run, settings: dict[str, Any], folder: Path) -> None:
        self.fit, self.run, self.settings, self.folder = fit, run, settings, folder
        iterations = settings["fit"]["iterations"]
        self.points = logged_iterations(iterations)
        self.board: wandb.Run | None = None
        self.working = True
        self.sent = 0

    def on_fit_start(self, *_: Any) -> None:
        self.sent = self.fit.done
        self._try(self._open)

    def on_train_batch_end(self, *_: Any) -> None:
        self._try(self._send)

    def close(self, summary: dict[str, Any]) -> None:
        """Ends the W&B run, with the summary of a finished fit or an empty one."""
        self._try(lambda: self._finish(summary))

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
        words = self.settings
        signal = words["target"] if words["task"]["name"] == "reconstruction" else words["task"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.board = wandb.init(
            mode=words["logger"]["mode"],
            project=words["logger"]["project"],
            dir=str(self.folder),
            id=self.run.name,
            resume="allow",
            name=f"{signal['name']}-{words['architecture']['name']}-{self.run.name[:8]}",
            group=words["experiment"]["name"],
            job_type="fit",
            tags=[words["scale"]["name"], words["image"]["name"], *words["logger"]["tags"]],
            config=words,
            reinit="finish_previous",
            settings=wandb.Settings(console="off", silent=True, init_timeout=60),
        )
        self.board.define_metric("iteration")
        for name in self._names():
            self.board.define_metric(name, step_metric="iteration")

    def _names(self) -> list[str]:
        return [f"{column}/seed{seed}" for column in self.fit.columns for seed in self.fit.problem.seeds]

    def _send(self) -> None:
        board, done = self.board, self.fit.done
        if board is None:
            return
        for point in (point for point in self.points if self.sent < point <= done):
            values = self.fit.curves[point - 1].flatten().tolist()
            board.log({"iteration": point, **dict(zip(self._names(), values, strict=True))})
        for iteration, (output, _) in self.fit.kept.items():
            images = output.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            pictures = {
                f"output/seed{seed}": wandb.Image(image.squeeze(-1) if image.shape[-1] == 1 else image)
                for seed, image in zip(self.fit.problem.seeds, images, strict=True)
            }
            board.log({"iteration": iteration, **pictures})
        self.sent = done

    def _finish(self, summary: dict[str, Any]) -> None:
        if self.board is not None:
            self.board.summary.update({name: summary[name] for name in summary if name != "guard"})
            self.board.finish()
