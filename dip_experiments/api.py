"""The Python API: reconstruct an image from a measurement, without files, Hydra or a store."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from dip_experiments.config.defaults import default_settings, option_settings
from dip_experiments.config.errors import format_error
from dip_experiments.config.settings import Settings
from dip_experiments.data.arrays import Layout, known_values, to_channels_first
from dip_experiments.latents import Latent
from dip_experiments.losses import Loss
from dip_experiments.metrics import psnr_of_estimate
from dip_experiments.operators import Mask, Operator, as_operator, check_operator
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.runner.reconstruct import NetworkLike, Reconstruction, fit_task
from dip_experiments.schema import make_part
from dip_experiments.stopping import FitInput, Observation, RuleMonitor, Stopping, StoppingRule
from dip_experiments.tasks import Task
from dip_experiments.tasks.inverse import OperatorSettings
from dip_experiments.tensors import mean_squared_error

Picture = NDArray[Any] | torch.Tensor
NOISES = {"gaussian": "restore_noisy", "poisson": "restore_poisson", "speckle": "restore_speckle"}
"""Noise -> the experiment whose settings restore a picture with it."""


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
    observe: str | Sequence[str | StoppingRule] = (),
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
        operator: A: an `Operator`, a function of images (n, c, h, w), a deepinv physics, or a mask: an array of bools
            (h, w), True where y is known (hidden values may be NaN); None: the identity.
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
    y, layout = _read(measurement, operator)
    task = _task(y, operator, image_shape, reference, replicas)
    parts = {
        "loss": loss, "regularizer": regularizer, "latent": latent, "optimizer": optimizer, "stopping": stopping,
    }  # fmt: skip
    arguments = {"replicas": replicas, "seed": seed, "device": device, "precision": precision}
    if iterations is not None:
        arguments["fit.iterations"] = iterations
    rules = [observe] if isinstance(observe, str) else observe
    chosen = _settings(task, network, parts, rules, _joined(arguments, settings), scale)
    return fit_task(chosen, task, network, layout, progress)


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
    others = _joined({"replicas": replicas, "seed": seed, "device": device}, settings)
    return fit_task(_settings(task, "skip", {}, (), others, scale, NOISES[noise]), task, "skip", layout, progress)


def _joined(arguments: Mapping[str, Any], settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return arguments and further settings. Raises ValueError for what is in both."""
    if twice := sorted(arguments.keys() & (settings or {}).keys()):
        name = twice[0].rpartition(".")[2]
        raise ValueError(f"settings: {twice[0]} is an argument of its own; give {name}={(settings or {})[twice[0]]!r}")
    return {**arguments, **(settings or {})}


def _is_mask(operator: Any) -> bool:
    return getattr(operator, "dtype", None) in (np.bool_, torch.bool)


def _read(measurement: Picture, operator: Any) -> tuple[NDArray[np.float64], Layout]:
    """Return a measurement "c h w", and the function that brings images into its layout."""
    known = operator if _is_mask(operator) else None
    return to_channels_first(measurement, in_unit_range=operator is None or known is not None, known=known)


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
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise ValueError(f"replicas: got {replicas!r}; input should be a valid integer")
    measurement = torch.from_numpy(y).expand(max(replicas, 1), *y.shape)
    given = (
        Mask(torch.from_numpy(known_values(operator, measurement.shape)))
        if _is_mask(operator)
        else as_operator(operator, image_shape)
    )
    given.image_shape((y.shape[0], y.shape[1], y.shape[2]))  # of a physics where it is, maybe on a GPU
    # Of a user's module the fit moves and converts a copy.
    given = given if operator is None else copy.deepcopy(given).to("cpu", torch.float64).requires_grad_(False)
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
    names = {group: part for group, part in {**parts, "architecture": network}.items() if isinstance(part, str)}
    choices = {
        "scale": scale, "image": "file", "target": "natural", "task": "denoising", "task/noise": "none",
        "logger": "none", **names,
    }  # fmt: skip
    values = default_settings(choices, {"image.path": "array", **others}, experiment)
    values |= {group: part for group, part in parts.items() if not isinstance(part, str)}
    rules = [rule if isinstance(rule, StoppingRule) else read_rule(rule) for rule in observe]
    values["observe"] = {rule.name: rule for rule in rules}
    if not task.operator.is_identity:
        none = {"name": "none"}
        values["task"] = {"name": "inverse", "operator": GivenOperator(name="given"), "noise": none}
        values["task"]["source"] = "measurement"
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ValueError(format_error(error)) from None


def read_rule(name: str, settings: Mapping[str, Any] | None = None) -> StoppingRule:
    """Return a stopping rule, with its default settings but for those given. Raises ValueError for an unknown one."""
    values = option_settings("stopping", name, settings or {})
    return cast(StoppingRule, make_part(StoppingRule, values))


class StoppingMonitor:
    """Early stopping for an optimisation loop of one's own.

        monitor = StoppingMonitor("split", y)
        for iteration in range(5000):
            output = ...          # one step of fitting monitor.measurement
            if monitor.step(output):
                break

    Attributes:
        measurement: What is to be fitted, a tensor (c, h, w), or (replicas, c, h, w) for several replicas: y with a
            little more noise for `split`, with hidden values for `held_out_pixels`, else y itself.
        operator: What it is to be fitted through, on tensors (n, c, h, w).

    Args:
        rule: Name of a stopping rule, or an instance.
        measurement: y, as of `reconstruct`; `operator`, `image_shape`: likewise.
        replicas, seed: How many images are fitted side by side, and the seed of what is held out.
        settings: Settings of the rule by name, such as {"patience": 100, "law.sigma": 25.0}.
        average_decay: x_bar <- decay x_bar + (1 - decay) x_hat (PAPER detail 5).
    """

    def __init__(
        self,
        rule: str | StoppingRule,
        measurement: Picture,
        operator: Any = None,
        *,
        replicas: int = 1,
        seed: int = 0,
        image_shape: tuple[int, int, int] | None = None,
        settings: Mapping[str, Any] | None = None,
        average_decay: float = 0.99,
    ) -> None:
        y, self._layout = _read(measurement, operator)
        self._task = _task(y, operator, image_shape, None, replicas)
        chosen = read_rule(rule, settings) if isinstance(rule, str) else rule
        if chosen.needs_divergence:
            raise ValueError(f"rule={chosen.name}: needs the divergence of a network, which a loop does not have")
        given = FitInput(self._task.measurement, self._task.operator)
        fit_input = chosen.hold_out(given, [seed + replica for replica in range(replicas)])
        self._monitor = RuleMonitor(chosen, torch.zeros(self._task.shape), fit_input, ends=True)
        self._fitted = Task(fit_input.measurement, fit_input.operator).to(torch.device("cpu"), torch.float32)
        self._original = self._task.to(torch.device("cpu"), torch.float32).operator
        self._share = fit_input.share().float()
        self._decay, self._average, self._iteration = average_decay, torch.zeros(self._task.shape), 0
        self.operator = self._fitted.operator
        self.measurement = self._fitted.measurement if replicas > 1 else self._fitted.measurement[0]

    @torch.no_grad()
    def step(self, output: torch.Tensor) -> bool:
        """Take the output of one iteration, (c, h, w) or (replicas, c, h, w); return True if the loop is to end.

        Raises:
            ValueError: For an output of another shape.
        """
        image = output.detach().float().cpu()
        image = image if image.ndim == 4 else image.unsqueeze(0)
        if image.shape != self._average.shape:
            raise ValueError(f"an output of shape {tuple(output.shape)}; the image has {tuple(self._average.shape)}")
        self._average.lerp_(image, 1 - self._decay * (self._iteration > 0))
        self._iteration += 1
        error = mean_squared_error(self.operator(image), self._fitted.measurement) / self._share
        iteration = torch.tensor([self._iteration])
        self._monitor.observe(Observation(iteration, image, self._average, self._original, error))
        return self._monitor.over

    @property
    def stopped_at(self) -> int | None:
        """The best iteration so far, from 1 on, which is the stop once `step` returned True; None without one."""
        return self._monitor.stops()[1].iteration

    @property
    def image(self) -> NDArray[np.float64] | None:
        """The mean of the replicas' running averages at `stopped_at`, in the layout of the measurement."""
        return None if self.stopped_at is None else self._layout(self._monitor.mean.double().numpy())

    @property
    def estimated_psnr(self) -> float | None:
        """PSNR of `image` in dB as the rule estimates it; None where it estimates none, or A is not the identity."""
        if self.stopped_at is None or not self._original.is_identity:
            return None
        estimate = self._monitor.rule.estimate(self._monitor.ensemble_average, self._monitor.held_out)
        return None if estimate is None else psnr_of_estimate(**estimate)
