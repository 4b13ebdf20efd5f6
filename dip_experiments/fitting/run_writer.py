"""Write a running fit into its run's folder: images, checkpoints, curves, summary."""

import io
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.data.display import displayed
from dip_experiments.fitting.ensemble import denoiser_ensembles, means_at_stop
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.observed import observed
from dip_experiments.fitting.summary import measurement, shown_measurement, summary
from dip_experiments.fitting.tile import tile_result
from dip_experiments.stopping import RuleMonitor
from dip_experiments.store import (
    OBSERVED,
    TILE,
    Run,
    atomic,
    average_at,
    output_at,
    stop_image,
    write_arrays,
    write_curves,
    write_image,
)


class Recorder(pl.Callback):
    """Write the requested images of a fit, the averages of `averages`, and checkpoints.

    These are made every `checkpoint_every` iterations and when interrupted. A checkpoint is the state at the end of a
    block, also when the interruption comes within one. What the fit ends with, the average and the output for the
    latent as it is, is stored in `bits` per channel, 8 or 16. A replica that failed leaves no images. `tile_rule`: the
    rule that stops the fit of a tile, whose result is stored in float too; None for a fit of a picture.
    """

    def __init__(
        self,
        fit: DIPModule,
        run: Run,
        checkpoint_every: int,
        averages: Iterable[int] = (),
        bits: int = 8,
        tile_rule: str | None = None,
    ) -> None:
        self.fit, self.run, self.checkpoint_every, self.bits = fit, run, checkpoint_every, bits
        self.tile_rule = tile_rule
        self.averages = set(averages)
        self.seconds_before = 0.0
        self.summary: dict[str, Any] = {}

    def resume(self, saved: dict[str, Any]) -> None:
        """Continue from what `read_checkpoint` returned."""
        self.fit.resume_from = saved["fit"]
        self.fit.done = saved["fit"]["done"]
        self.seconds_before = saved["seconds"]

    def on_fit_start(self, *_: Any) -> None:
        self.started, self.saved_at = time.monotonic(), self.fit.done
        task = self.fit.problem.original_task
        self.write_images("target", shown_measurement(task))
        if task.reference is not None:
            self.write_images("reference", task.reference)
        seen = measurement(task)
        write_arrays(self.run.folder / "measurement.npz", **seen)
        if "known" in seen:
            self.write_images("mask", torch.from_numpy(seen["known"]).double())

    def on_train_batch_end(self, *_: Any) -> None:
        done = self.fit.done
        for iteration, (output, average) in self.fit.images.items():
            self.write_images(output_at(iteration), output)
            if iteration in self.averages:
                self.write_images(average_at(iteration), average)
        if done - self.saved_at >= self.checkpoint_every:
            self.save()

    def on_train_end(self, *_: Any) -> None:
        unperturbed = self.fit.unperturbed()
        self.mixtures = denoiser_ensembles(self.fit.monitors)
        self.write_images("average", self.fit.average, self.bits)
        self.write_images("unperturbed", unperturbed, self.bits)
        if self.fit.done not in self.fit.images:  # a rule ended the fit
            self.write_images(output_at(self.fit.done), self.fit.output)
        for name, monitor in self.fit.rule_monitors().items():
            self.write_stop(name, monitor)
        if self.tile_rule:
            write_arrays(self.run.folder / TILE, **tile_result(self.fit, self.tile_rule, self.mixtures).arrays())
        numbers = self.write_observed()
        self.write_curves(self.fit.done)
        self.summary = summary(self.fit, self.seconds_so_far(), unperturbed.cpu().numpy(), self.mixtures, numbers)

    def write_observed(self) -> dict[str, dict[str, Any]]:
        """Write images and arrays of the observers; return their numbers.

        An image that is not like the reference, such as a spread, is shown with its largest value as white.
        """
        for monitor in self.fit.monitors.values():
            for name, image in monitor.images().items():
                largest = image.flatten(1).amax(1)[:, None, None, None]
                shown = image if name in monitor.rule.scored else image / largest
                self.write_images(name, shown, self.bits)
        numbers, arrays = observed(self.fit)
        if arrays:
            write_arrays(self.run.folder / OBSERVED, **arrays)
        return numbers

    def write_stop(self, name: str, monitor: RuleMonitor) -> None:
        """Write what a rule would give: output and average of each replica at its stop, the mean at the ensemble's."""
        available = [stop.iteration is not None for stop in monitor.stops()[0]]
        for what, images in monitor.per_replica.items():
            self.write_images(stop_image(name, what), images, self.bits, available)
        for what, image in means_at_stop(monitor, self.mixtures.get(name)).items():
            shown = displayed(image.cpu().double().numpy())
            write_image(self.run.image(stop_image(name, what), 0), shown, self.bits)

    def write_images(
        self, name: str, images: Float[Tensor, "r c h w"], bits: int = 8, available: Sequence[bool] | None = None
    ) -> None:
        """Write one PNG per replica that has not failed and whose image is `available`: see `displayed`."""
        for replica, image in enumerate(images.cpu().double().numpy()):
            if replica not in self.fit.guard.failed and (available is None or available[replica]):
                write_image(self.run.image(name, replica), displayed(image), bits)

    def on_exception(self, *_: Any) -> None:
        """Save what was done, at Ctrl-C, a failure or a signal."""
        if self.fit.last_accepted:
            self.save()
            self.write_curves(self.fit.done)

    def save(self) -> None:
        """Write the checkpoint."""
        state = io.BytesIO()  # PyTorch itself would hide why a file cannot be written
        torch.save({"fit": self.fit.state_to_save(), "seconds": self.seconds_so_far()}, state)
        with atomic(self.run.checkpoint) as file:
            file.write(state.getbuffer())
        self.saved_at = self.fit.last_accepted["done"]
        self.run.write_progress(self.saved_at, self.seconds_so_far())

    def seconds_so_far(self) -> float:
        """Return the wall time of the fit, all its sessions together."""
        return self.seconds_before + time.monotonic() - self.started

    def write_curves(self, iterations: int) -> None:
        """Write curves.csv, one row per replica and iteration."""
        write_curves(self.run.folder / "curves.csv", curve_columns(self.fit, iterations))


def curve_columns(fit: DIPModule, iterations: int) -> dict[str, NDArray[Any]]:
    """Return replica, seed, iteration and the fit's columns: replica after replica, iteration after iteration."""
    rows, seeds = fit.curves[:iterations].permute(1, 2, 0).flatten(1).cpu().numpy(), fit.problem.seeds
    return {
        "replica": np.repeat(np.arange(len(seeds)), iterations),
        "seed": np.repeat(np.asarray(seeds), iterations),
        "iteration": np.tile(np.arange(1, iterations + 1), len(seeds)),
        **dict(zip(fit.columns, rows, strict=True)),
    }


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return state and seconds of an unfinished fit. Raises ValueError for a file that is damaged."""
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes of the zip, pickle and tensor readers
        raise ValueError(f"{path.name} is damaged ({type(error).__name__})") from None
    if not {"fit", "seconds"} <= saved.keys() or not {"done", "large_state"} <= saved["fit"].keys():
        raise ValueError(f"{path.name} is of another version: it has not all that a fit goes on from")
    return saved
