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
from dip_experiments.metrics import EXPLAINED, channel_variance, iterations_to_explain
from dip_experiments.store import Run, atomic, write_columns, write_image

ORACLES = ("psnr_reference", "psnr_average")
"""Curves whose best value looks at the reference."""


class Recorder(pl.Callback):
    """Keeps the images that the fit was asked for, the averages of `averages`, and checkpoints.

    These are made every `checkpoint_every` iterations and when interrupted. A checkpoint is the state at the end of a
    block, also when the interruption comes within one. What the fit ends with, the average and the output for the
    latent as it is, is kept in `bits` per channel, 8 or 16. A replica that failed leaves no images.
    """

    def __init__(self, fit: Fit, run: Run, checkpoint_every: int, averages: Iterable[int] = (), bits: int = 8) -> None:
        self.fit, self.run, self.checkpoint_every, self.bits = fit, run, checkpoint_every, bits
        self.averages = set(averages)
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
        self.write_images("target", task.measurement)
        if task.reference is not None:
            self.write_images("reference", task.reference)

    def on_train_batch_end(self, *_: Any) -> None:
        done = self.fit.done
        for iteration, (output, average) in self.fit.kept.items():
            self.write_images(f"iteration-{iteration:06d}", output)
            if iteration in self.averages:
                self.write_images(f"average-{iteration:06d}", average)
        if done - self.saved_at >= self.checkpoint_every:
            self.save()

    def on_train_end(self, *_: Any) -> None:
        self.seconds = self.seconds_so_far()
        self.write_images("average", self.fit.average, self.bits)
        self.write_images("unperturbed", self.fit.unperturbed(), self.bits)

    def write_images(self, name: str, images: Float[Tensor, "r c h w"], bits: int = 8) -> None:
        """One PNG per replica that has not failed."""
        for replica, image in enumerate(images.cpu().double().numpy()):
            if replica not in self.fit.guard.failed:
                write_image(self.run.image(name, replica), image, bits)

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
        """Final and peak values per replica; the peak is the oracle's: it looks at the reference.

        A replica that failed has null in place of its numbers.
        """
        guard, seeds = self.fit.guard, self.fit.problem.seeds
        curves = dict(zip(self.fit.columns, self.fit.curves.permute(1, 2, 0).cpu().double().numpy(), strict=True))
        measurement = self.fit.problem.task.measurement.cpu().double().numpy()
        variances = [channel_variance(image) for image in measurement]
        explained = [
            iterations_to_explain(loss, variance, EXPLAINED)
            for loss, variance in zip(curves["loss"], variances, strict=True)
        ]
        ordered = {name: np.nan_to_num(values, nan=-np.inf) for name, values in curves.items() if name in ORACLES}
        for replica in guard.failed:
            for values in (*curves.values(), *ordered.values()):
                values[replica] = np.nan
        return {
            "iterations": self.fit.done,
            "wall_seconds": round(self.seconds, 3),
            "target_variance": variances,
            "iterations_explained": explained,
            "final": {name: values[:, -1].tolist() for name, values in curves.items()},
            "oracle_peak": {name: values.max(1).tolist() for name, values in ordered.items()},
            "oracle_iteration": {
                name: [None if r in guard.failed else n + 1 for r, n in enumerate(values.argmax(1).tolist())]
                for name, values in ordered.items()
            },
            "guard": guard.events,
            "lost_iterations": guard.lost,
            "failed": [{"replica": r, "seed": seeds[r], "iteration": n} for r, n in guard.failed.items()],
        }
