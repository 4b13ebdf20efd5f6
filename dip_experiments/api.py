"""The Python API: reconstruct an image from a measurement, without files, Hydra or a store."""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from dip_experiments.architectures import ModuleNetwork, Network, adapted
from dip_experiments.config.defaults import default_settings
from dip_experiments.config.settings import Settings
from dip_experiments.data.arrays import Layout, to_channels_first
from dip_experiments.devices import check_precision, find_device
from dip_experiments.fitting.ensemble import Mixture, means_at_stop, mixture
from dip_experiments.fitting.fit import Builder, make_module, run_fit
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.progress import ProgressBar
from dip_experiments.fitting.summary import summary
from dip_experiments.latents import Latent
from dip_experiments.losses import Loss
from dip_experiments.metrics import estimate_in, psnr_of_estimate
from dip_experiments.operators import Operator, as_operator, check_operator
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.runner.build import fit_options
from dip_experiments.runner.validate import check_fit
from dip_experiments.schema import make_part
from dip_experiments.stopping import Stopping, StoppingRule
from dip_experiments.tasks import Task
from dip_experiments.tasks.inverse import OperatorSettings
from dip_experiments.threads import fit_threads

Picture = NDArray[Any] | torch.Tensor
NetworkLike = str | nn.Module | Callable[..., nn.Module]
NOISES = {"gaussian": "restore_noisy", "poisson": "restore_poisson", "speckle": "restore_speckle"}
"""Noise -> the experiment whose settings restore a picture with it."""


@dataclass(frozen=True)
class Reconstruction:
    """The result of a fit.

    Attributes:
        image: The reconstruction, in the layout of the measurement: the mean of the replicas' averages where the
            stopping rule stops it, with the other denoisers that the rule mixes in; without a stop the average of the
            first replica that did not fail.
        average: The running mean of the outputs of each replica at the end of the fit, replica first.
        output: The last output of each replica, replica first.
        history: One row for each replica and iteration: replica, seed, iteration, loss, psnr_measurement, and where a
            reference is given psnr_reference and psnr_average; then the columns of the stopping rules.
        summary: All numbers that a stored run has in its `summary.json`.
        network: The network at the end of the fit.
    """

    image: NDArray[np.float64]
    average: NDArray[np.float64]
    output: NDArray[np.float64]
    history: pd.DataFrame
    summary: dict[str, Any]
    network: Network
    rule: str = field(repr=False)

    @property
    def stopped_at(self) -> int | None:
        """Iteration at which the stopping rule stops the mean of the replicas, None without a stop."""
        return self.summary.get("stopping", {}).get(self.rule, {}).get("joint")

    @property
    def estimated_psnr(self) -> float | None:
        """PSNR of the image in dB as the stopping rule estimates it, None where it estimates none.

        Where the operator is not the identity, `summary` has an estimate of the measurement's.
        """
        of, estimate = estimate_in(self.summary.get("stopping", {}).get(self.rule, {})) or ("", None)
        return psnr_of_estimate(**estimate) if estimate is not None and of == "PSNR" else None


def reconstruct(
    measurement: Picture,
    operator: Any = None,
    *,
    network: NetworkLike = "skip",
    loss: str | Loss = "mse",
    regularizer: str | Regularizer = "none",
    latent: str | Latent = "noise",
    optimizer: str | Optimizer = "adam",
    stopping: str | Stopping = "none",
    observe: Sequence[str | StoppingRule] = (),
    iterations: int | None = None,
    replicas: int = 1,
    seed: int = 0,
    scale: str = "laptop",
    device: str = "auto",
    precision: str = "float32",
    image_shape: tuple[int, int, int] | None = None,
    reference: Picture | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Reconstruction:
    """Reconstruct an image from one measurement with an untrained network (Ulyanov et al. 2018).

    Nothing is written. The numbers are those of the command `dip` with the same settings.

    Args:
        measurement: y: an array (h, w) or (h, w, c), uint8, uint16 or float in [0, 1]; or a tensor (c, h, w).
        operator: A: an `Operator`, a function of images (n, c, h, w), or a deepinv physics; None: the identity.
        network: Name of an architecture, a function that makes a module (it is given those of `input_channels`,
            `output_channels` and `size` that it names), or, for one replica, a module, of which a copy is fitted.
        loss, regularizer, latent, optimizer: A name, as on the command line, or an instance.
        stopping: The rule that may end the fit; `observe`: rules that monitor it and never end it.
        iterations: How many; None: as many as the scale has.
        replicas: Independent fits at once; replica r has the seed `seed + r`.
        scale: The defaults of width and iterations: smoke, demo, laptop or paper.
        device: auto, cpu, cuda or cuda:1; `precision`: float64, float32, tf32 or bf16.
        image_shape: Channels, rows and columns of the image, where the operator is a function that changes the shape.
        reference: The clean image, if it is known: only for PSNR curves, never for the fit.
        settings: Further settings by their full names, such as {"latent.perturbation": 0.0, "fit.block": 20}.
        progress: Show iterations, time left and loss on standard error.

    Raises:
        ValueError: For arguments that do not fit together, with what to do.
    """
    y, layout = to_channels_first(measurement, in_unit_range=operator is None)
    task = _task(y, operator, image_shape, reference, replicas)
    parts = {
        "loss": loss, "regularizer": regularizer, "latent": latent, "optimizer": optimizer, "stopping": stopping,
    }  # fmt: skip
    others = {"replicas": replicas, "seed": seed, "device": device, "precision": precision, **(settings or {})}
    if iterations is not None:
        others["fit.iterations"] = iterations
    chosen = _settings(task, network, parts, observe, others, scale)
    return _fit(chosen, task, network, layout, progress)


def restore(
    noisy: Picture,
    *,
    noise: str = "gaussian",
    replicas: int = 4,
    seed: int = 0,
    scale: str = "laptop",
    device: str = "auto",
    reference: Picture | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Reconstruction:
    """Restore a noisy picture from itself; the noise level, the stop and the error are estimated.

    The numbers are those of `dip experiment=restore_noisy image.path=...`, or restore_poisson, restore_speckle.

    Args:
        noisy: An array (h, w) or (h, w, c), uint8, uint16 or float in [0, 1]; or a tensor (c, h, w).
        noise: gaussian, poisson (counted photons) or speckle.
        replicas, seed, scale, device, reference, settings, progress: See `reconstruct`.

    Raises:
        ValueError: For a picture without noise, and as `reconstruct`.
    """
    if noise not in NOISES:
        raise ValueError(f"noise={noise}: unknown; choose from {', '.join(NOISES)}")
    y, layout = to_channels_first(noisy)
    task = _task(y, None, None, reference, replicas)
    others = {"replicas": replicas, "seed": seed, "device": device, **(settings or {})}
    return _fit(_settings(task, "skip", {}, (), others, scale, NOISES[noise]), task, "skip", layout, progress)


class GivenOperator(OperatorSettings):
    """An operator that is given as an object."""

    name: Literal["given"]

    def make(self, shape: tuple[int, int, int] | None) -> Operator:
        raise ValueError("an operator that was given as an object cannot be made from settings")


def _task(
    y: NDArray[np.float64],
    operator: Any,
    image_shape: tuple[int, int, int] | None,
    reference: Picture | None,
    replicas: int,
) -> Task:
    """Return the task of all replicas. Raises ValueError where operator, measurement and reference do not fit."""
    given = as_operator(operator, image_shape)
    # Of a user's module the fit moves and converts a copy.
    given = given if operator is None else copy.deepcopy(given).double()
    measurement = torch.from_numpy(y).expand(max(replicas, 1), *y.shape)
    check_operator(given, measurement)
    if reference is None:
        return Task(measurement, given)
    clean = torch.from_numpy(to_channels_first(reference)[0])
    task = Task(measurement, given, clean.expand(max(replicas, 1), *clean.shape))
    if clean.shape != task.shape[1:]:
        raise ValueError(f"a reference of shape {tuple(clean.shape)}; the image has {task.shape[1:]}")
    return task


def _settings(
    task: Task,
    network: NetworkLike,
    parts: Mapping[str, Any],
    observe: Sequence[str | StoppingRule],
    others: Mapping[str, Any],
    scale: str,
    experiment: str | None = None,
) -> Settings:
    """Return the settings that the command line would compose. Raises ValueError for wrong ones."""
    names = {group: part for group, part in parts.items() if isinstance(part, str)}
    defaults = {"latent": "noise", "loss": "mse", "optimizer": "adam", "regularizer": "none", "stopping": "none"}
    choices = {
        "scale": scale, "image": "file", "target": "natural", "task": "denoising", "task/noise": "none",
        "logger": "none", "architecture": network if isinstance(network, str) else "skip",
    }  # fmt: skip
    if experiment is None:
        choices |= defaults | names
    else:
        choices = {"latent": "noise", "loss": "mse", "regularizer": "none", **choices}
    values = default_settings(choices, {"image.path": "array", **others}, experiment)
    values |= {group: part for group, part in parts.items() if not isinstance(part, str)}
    rules = [rule if isinstance(rule, StoppingRule) else read_rule(rule) for rule in observe]
    values["observe"] = {rule.name: rule for rule in rules}
    if not task.operator.is_identity:
        none = {"name": "none"}
        values["task"] = {"name": "inverse", "operator": GivenOperator(name="given"), "noise": none}
        values["task"]["source"] = "measurement"
    return Settings.model_validate(values)


def read_rule(name: str) -> StoppingRule:
    """Return a stopping rule with its default settings. Raises ValueError for an unknown one."""
    values = default_settings({"stopping": name}, {})["stopping"]
    return cast(StoppingRule, make_part(StoppingRule, values))


def _builder(network: NetworkLike, channels: int, task: Task) -> Builder | None:
    """Return what builds a network that is given as an object, None for one that the settings name.

    Raises:
        ValueError: For a module with several replicas, and for what is neither module nor function.
    """
    if isinstance(network, str):
        return None
    replicas, colours, rows, columns = task.shape
    if isinstance(network, nn.Module):
        if replicas > 1:
            raise ValueError(
                f"replicas={replicas} with one module: its weights are those of one replica; give a function that "
                "makes a module"
            )
        return lambda _: ModuleNetwork(
            lambda: copy.deepcopy(network), (channels, rows, columns), (colours, rows, columns)
        )
    if not callable(network):
        raise ValueError(f"network={network!r}; give a name, a module, or a function that makes a module")
    made_by = network if isinstance(network, type) and issubclass(network, Network) else adapted(network)
    return lambda count: made_by(channels, colours, (rows, columns), replicas=count)


def _fit(settings: Settings, task: Task, network: NetworkLike, layout: Layout, progress: bool) -> Reconstruction:
    """Fit and collect the result."""
    device = find_device(settings.device)
    check_precision(settings.precision, device)
    one = Task(task.measurement[:1], task.operator, None if task.reference is None else task.reference[:1])
    build = check_fit(settings, one, None, _builder(network, settings.latent.channels, task))
    options = fit_options(settings)
    began = time.monotonic()
    with fit_threads(device):
        module = make_module(task, build, options, device)
        name = network if isinstance(network, str) else getattr(network, "__name__", type(network).__name__)
        bar = [ProgressBar(name, module, settings.fit.iterations)] if progress else []
        run_fit(module, options, device, bar)
        unperturbed = module.unperturbed().cpu().numpy()
        mixtures = {rule: mix for rule, monitor in module.monitors.items() if (mix := mixture(monitor))}
        numbers = summary(module, time.monotonic() - began, unperturbed, mixtures)
    return Reconstruction(
        image=layout(_image(module, settings.stopping.name, mixtures)),
        average=layout(module.average.cpu().double().numpy()),
        output=layout(module.output.cpu().double().numpy()),
        history=_history(module),
        summary=numbers,
        network=module.network,
        rule=settings.stopping.name,
    )


def _image(module: DIPModule, rule: str, mixtures: Mapping[str, Mixture]) -> NDArray[np.float64]:
    """Return the image "c h w" that a run exports: see `Reconstruction.image`."""
    means = means_at_stop(module.monitors[rule], mixtures.get(rule)) if rule in module.monitors else {}
    sound = next(r for r in range(len(module.average)) if r not in module.guard.failed)
    chosen = means.get("mixed", means.get("mean", module.average[sound]))
    image: NDArray[np.float64] = chosen.detach().cpu().double().numpy()
    return image


def _history(module: DIPModule) -> pd.DataFrame:
    """Return the curves: replica after replica, iteration after iteration."""
    curves = module.curves[: module.done].permute(2, 0, 1).cpu().numpy()
    replicas, iterations, columns = curves.shape
    counted = {
        "replica": np.repeat(np.arange(replicas), iterations),
        "seed": np.repeat(np.asarray(module.problem.seeds), iterations),
        "iteration": np.tile(np.arange(1, iterations + 1), replicas),
    }
    logged = pd.DataFrame(curves.reshape(-1, columns), columns=module.columns)
    return pd.concat([pd.DataFrame(counted), logged], axis=1)
