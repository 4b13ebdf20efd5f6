"""What a running fit leaves in its run's folder: images, checkpoints, curves, summary."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.fitting.fit import Fit
from dip_experiments.metrics import channel_variance
from dip_experiments.store import Run, atomic, write_columns, write_image


class Recorder(pl.Callback):
    """Keeps the images of the iterations `images`, the averages of `averages`, and checkpoints.

    These are made every `checkpoint_every` iterations and when interrupted.

    A checkpoint is the state at the end of a block, also when the interruption comes within one. What the fit ends
    with, the average and the output for the latent as it is, is kept in `bits` per channel, 8 or 16.
    """

    def __init__(
        self,
        fit: Fit,
        run: Run,
        images: Iterable[int],
        checkpoint_every: int,
        averages: Iterable[int] = (),
        bits: int = 8,
    ) -> None:
        self.fit, self.run, self.checkpoint_every, self.bits = fit, run, checkpoint_every, bits
        self.images, self.averages = set(images), set(averages)
        self.seconds_before = 0.0

    def resume(self) -> None:
        """Takes up the run's checkpoint, if it has one."""
        if self.run.checkpoint.exists():
            saved = torch.load(self.run.checkpoint, map_location="cpu", weights_only=True)
            self.fit.resume_from = saved["fit"]
            self.fit.done = saved["fit"]["done"]
            self.seconds_before = saved["seconds"]

    def on_fit_start(self, *_: Any) -> None:
        self.started, self.saved_at = time.monotonic(), self.fit.done
        task = self.fit.problem.task
        write_images(self.run, "target", task.measurement)
        if task.reference is not None:
            write_images(self.run, "reference", task.reference)

    def on_train_batch_end(self, *_: Any) -> None:
        done = self.fit.done
        if done in self.images:
            write_images(self.run, f"iteration-{done:06d}", self.fit.output)
        if done in self.averages:
            write_images(self.run, f"average-{done:06d}", self.fit.average)
        if done - self.saved_at >= self.checkpoint_every:
            self.save()

    def on_train_end(self, *_: Any) -> None:
        self.seconds = self.seconds_so_far()
        write_images(self.run, "average", self.fit.average, self.bits)
        write_images(self.run, "unperturbed", self.fit.unperturbed(), self.bits)

    def on_exception(self, *_: Any) -> None:
        """Ctrl-C, a failure or a signal: what was done is kept."""
        if self.fit.good:
            self.save()
            self.write_curves(self.fit.done)

    def save(self) -> None:
        """Writes the checkpoint."""
        with atomic(self.run.checkpoint) as file:
            torch.save({"fit": self.fit.good, "seconds": self.seconds_so_far()}, file)
        self.saved_at = self.fit.good["done"]

    def seconds_so_far(self) -> float:
        """Wall time of the fit, all its sittings together."""
        return self.seconds_before + time.monotonic() - self.started

    def write_curves(self, iterations: int) -> None:
        """curves.csv: replica, seed, iteration and the fit's columns, one row per replica and iteration."""
        rows = self.fit.curves[:iterations].permute(1, 2, 0).flatten(1).cpu().double().numpy()
        seeds = self.fit.problem.seeds
        columns: dict[str, Any] = {
            "replica": np.repeat(np.arange(len(seeds)), iterations),
            "seed": np.repeat(np.asarray(seeds), iterations),
            "iteration": np.tile(np.arange(1, iterations + 1), len(seeds)),
            **dict(zip(self.fit.columns, rows, strict=True)),
        }
        write_columns(self.run.folder / "curves.csv", columns)

    def summary(self) -> dict[str, Any]:
        """Final and peak values per replica; the peak is the oracle's: it looks at the reference."""
        curves = dict(zip(self.fit.columns, self.fit.curves.permute(1, 2, 0).cpu().double().numpy(), strict=True))
        measurement = self.fit.problem.task.measurement.cpu().double().numpy()
        return {
            "iterations": self.fit.done,
            "wall_seconds": round(self.seconds, 3),
            "target_variance": [channel_variance(image) for image in measurement],
            "final": {name: values[:, -1].tolist() for name, values in curves.items()},
            "oracle_peak": {name: values.max(1).tolist() for name, values in curves.items() if name in ORACLES},
            "oracle_iteration": {
                name: (values.argmax(1) + 1).tolist() for name, values in curves.items() if name in ORACLES
            },
            "guard": self.fit.guard.events,
        }


ORACLES = ("psnr_reference", "psnr_average")


def write_images(run: Run, name: str, images: Float[Tensor, "r c h w"], bits: int = 8) -> None:
    """One PNG per replica."""
    for replica, image in enumerate(images.cpu().double().numpy()):
        write_image(run.image(name, replica), image, bits)
