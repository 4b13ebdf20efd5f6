"""Progress of one fit: a bar in a terminal, a line now and then elsewhere."""

import multiprocessing
import sys
import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dip_experiments.fitting.module import DIPModule
from dip_experiments.jobs.times import format_duration
from dip_experiments.metrics import estimated_psnr

SECONDS_BETWEEN_LINES = 10.0


class ProgressBar(pl.Callback):
    """Show iterations, iterations/s, time left, loss and PSNR (mean over replicas) of a fit, on standard error.

    A bar in a terminal, a line that is overwritten in a notebook, a line now and then elsewhere.
    """

    def __init__(self, title: str, fit: DIPModule, iterations: int) -> None:
        self.title, self.fit, self.iterations = title, fit, iterations
        self.console = Console(stderr=True)
        # Two bars of jobs that run side by side would overwrite each other: there, the sweep has a line of its own.
        alone = multiprocessing.current_process().name == "MainProcess"
        terminal, self.notebook = self.console.is_terminal and not self.console.is_jupyter, self.console.is_jupyter
        self.drawn, self.silent = terminal and alone, terminal and not alone
        self.seconds_between_lines = 1.0 if self.notebook else SECONDS_BETWEEN_LINES
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=self.console,
            disable=not self.drawn,
        )

    def on_train_start(self, *_: Any) -> None:
        self.started_at, self.started_with, self.last_line = time.monotonic(), self.fit.done, time.monotonic()
        if self.fit.device.type == "cpu":  # a GPU has not done yet what it was asked for
            self.fit.on_iteration_end = self.show
        self.task = self.progress.add_task(self.title, total=self.iterations, completed=self.fit.done, text="")
        self.progress.start()

    def on_train_batch_end(self, *_: Any) -> None:
        self.show(self.fit.done, last=self.fit.over or self.fit.done == self.iterations)

    def show(self, done: int, last: bool = False) -> None:
        """Move the bar, or print a line if the last one was long ago: also within a block, which may take minutes."""
        now = time.monotonic()
        rate = max(done - self.started_with, 1) / max(now - self.started_at, 1e-9)
        if self.drawn:
            self.progress.update(self.task, completed=done, text=f"{rate:.3g} it/s  {latest(self.fit)}")
        elif not self.silent and (last or now - self.last_line > self.seconds_between_lines):
            self.last_line = now
            text = f"{rate:.3g} it/s  {latest(self.fit)}  {format_duration((self.iterations - done) / rate)} left"
            before, after = ("\r", "\n" if last else "") if self.notebook else ("", "\n")
            print(f"{before}{self.title}: {done}/{self.iterations}  {text}", end=after, file=sys.stderr, flush=True)

    def on_train_end(self, *_: Any) -> None:
        self.progress.stop()

    def on_exception(self, *_: Any) -> None:
        self.progress.stop()


def latest(fit: DIPModule) -> str:
    """Return loss and PSNR of the last accepted iteration, mean over the replicas; nothing before a block's end."""
    if not fit.done:
        return ""
    named = dict(zip(fit.columns, fit.curves[fit.done - 1].nanmean(1).tolist(), strict=True))
    quality = named.get("psnr_reference")
    against = "" if quality is None else f"  PSNR {quality:.2f} dB to the reference"
    identity = fit.problem.original_task.operator.is_identity
    if "split_mean_mse" in named and (identity or quality is None):
        estimated = estimated_psnr(named["split_mean_mse"], named["split_mean_mse_se"])
        of = "mean image: estimated" if identity else "estimated PSNR of the measurement"
        against += f"  {of} {estimated}"
    return f"loss {named['loss']:.5f}  PSNR {named['psnr_measurement']:.2f} dB to the target{against}"
