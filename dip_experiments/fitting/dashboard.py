"""Weights & Biases listens to a fit. Whatever happens to it, the fit goes on."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import wandb
from jaxtyping import Float
from torch import Tensor

from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.schedule import logged_iterations
from dip_experiments.folders import check_writable
from dip_experiments.store import Run

log = logging.getLogger(__name__)


IMAGES = ("target", "reference", "output", "average")


class Dashboard(pl.Callback):
    """One W&B run per fit: curves over `iteration` at log-spaced points, peak and final values, and images.

    These are the measurement (`target`) and the reference at the start, then output and average where the fit keeps
    them; a replica that failed sends nothing more. `settings` are the run's words. The first error of W&B is reported
    in one line, and W&B is left alone from then on.
    """

    def __init__(self, fit: Fit, run: Run, settings: dict[str, Any], folder: Path) -> None:
        self.fit, self.run, self.settings, self.folder = fit, run, settings, folder
        self.points = logged_iterations(settings["fit"]["iterations"])
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
        words = self.settings
        signal = words["target"] if words["task"]["name"] == "reconstruction" else words["task"]
        check_writable(self.folder / "wandb")  # W&B would write elsewhere
        self.folder.mkdir(parents=True, exist_ok=True)
        with cache_folder(self.folder / "wandb" / "cache"):
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
        for column in (*self.fit.columns, *IMAGES):
            for seed in self.fit.problem.seeds:
                self.board.define_metric(f"{column}/seed{seed}", step_metric="iteration")
        if self.sent == 0:
            task = self.fit.problem.given
            self._log_images(0, target=task.measurement, reference=task.reference)

    def _send(self) -> None:
        for point in (point for point in self.points if self.sent < point <= self.fit.done):
            rows = zip(self.fit.columns, self.fit.curves[point - 1].tolist(), strict=True)
            self._log(point, dict(rows))
        for iteration, (output, average) in self.fit.kept.items():
            self._log_images(iteration, output=output, average=average)
        self.sent = self.fit.done

    def _log_images(self, iteration: int, **images: Float[Tensor, "r c h w"] | None) -> None:
        self._log(iteration, {name: pictures(given) for name, given in images.items() if given is not None})

    def _log(self, iteration: int, values: dict[str, list[Any]]) -> None:
        """Values by name, one per replica, of those that have not failed."""
        alive = [pair for pair in enumerate(self.fit.problem.seeds) if pair[0] not in self.fit.guard.failed]
        named = {f"{name}/seed{seed}": row[replica] for name, row in values.items() for replica, seed in alive}
        if self.board is not None:
            self.board.log({"iteration": iteration, **named})

    def _finish(self, summary: dict[str, Any]) -> None:
        if self.board is not None:
            self.board.summary.update({name: summary[name] for name in summary if name != "guard"})
            self.board.finish()


def pictures(images: Float[Tensor, "r c h w"]) -> list[wandb.Image]:
    """Images in [0, 1] as W&B takes them, one per replica."""
    levels = images.detach().clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [wandb.Image(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in levels]


@contextmanager
def cache_folder(instead: Path) -> Iterator[None]:
    """Within it the environment names a cache folder that can be written: without one, W&B logs on the terminal."""
    given, home = os.environ.get("XDG_CACHE_HOME"), os.environ.get("HOME")
    try:
        check_writable(Path(given or Path(home or os.devnull, ".cache"), "wandb"))
    except ValueError:
        os.environ["XDG_CACHE_HOME"] = str(instead.absolute())
    try:
        yield
    finally:
        os.environ.pop("XDG_CACHE_HOME", None)
        os.environ.update({} if given is None else {"XDG_CACHE_HOME": given})
