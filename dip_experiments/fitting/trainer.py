"""Runs a fit with Lightning's Trainer."""

import logging
import signal
import warnings
from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from torch.utils.data import DataLoader

from dip_experiments.fitting.memory import keep_freed_memory
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.schedule import Blocks


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM during a fit, whose state is saved. Not an Exception, so that a sweep ends as well."""


def train(fit: DIPModule, ends: list[int], device: torch.device, callbacks: Sequence[pl.Callback]) -> None:
    """Run the iterations still to be done, in blocks with these `ends`.

    Raises Interrupted at Ctrl-C and at SIGTERM, and whatever the fit raises.
    """
    keep_freed_memory()
    set_precision(fit.problem.precision, device)
    for name in ("pytorch_lightning", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trainer = pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[device.index or 0] if device.type == "cuda" else 1,
        plugins=[LightningEnvironment()],  # in a job of Slurm's it would put the job back into the queue by itself
        max_epochs=1,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    # With a generator of its own, or it would draw a seed from the global one.
    blocks = DataLoader(Blocks(ends, fit.done), batch_size=None, collate_fn=tuple, generator=torch.Generator())
    with warnings.catch_warnings():
        # The data are pairs of integers: loading them in parallel would only cost.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning 2.6 calls what PyTorch 2.13 deprecates
        warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
        if all(module.training for module in fit.network.modules()):  # the operator may be a classifier
            warnings.filterwarnings("ignore", message=".*in eval mode.*")
        at_ctrl_c = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(fit, blocks)
        except SystemExit:  # Lightning turns both into an exit of the process, deaf to the next Ctrl-C
            signal.signal(signal.SIGINT, at_ctrl_c)
            raise Interrupted from None


def set_precision(precision: str, device: torch.device) -> None:
    """Let a GPU multiply in TF32 only if the precision says so: PyTorch's own convolutions do it by themselves."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True  # one size for the whole fit: the fastest kernels are looked for once
