"""Fit a task from memory: what the Python API and the tests call, without a store."""

import copy
import inspect
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from dip_experiments.architectures import ModuleNetwork, Network, adapted
from dip_experiments.config.settings import Settings
from dip_experiments.data.arrays import Layout
from dip_experiments.devices import check_precision, find_device, fit_threads
from dip_experiments.fitting.ensemble import DenoiserEnsemble, denoiser_ensembles
from dip_experiments.fitting.fit import Builder, make_module, run_fit
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.observed import observed
from dip_experiments.fitting.progress import ProgressBar
from dip_experiments.fitting.run_writer import curve_columns
from dip_experiments.fitting.summary import summary
from dip_experiments.fitting.tile import image_at_stop
from dip_experiments.metrics import estimated_psnr, image_estimate_in, psnr_of_estimate, psnr_range
from dip_experiments.runner.build import fit_options
from dip_experiments.runner.validate import check_fit, warn_of_young_average
from dip_experiments.tasks import Task

log = logging.getLogger(__name__)
NetworkLike = str | nn.Module | Callable[..., nn.Module]
PROVIDED = frozenset({"input_channels", "output_channels", "size"})
"""Arguments that a function which makes a module may name."""


class Estimated(ABC):
    """A result whose quality its stopping rule may have estimated."""

    @property
    def estimated_psnr(self) -> float | None:
        """PSNR of `image` in dB as the stopping rule estimates it, None where it estimates none or found no stop.

        A bound that it is above where the estimated error is within its standard error: see `estimated_psnr_range`.
        Where the operator is not the identity, `summary` has an estimate of the measurement's.
        """
        estimate = image_estimate_in(self._stop)
        return None if estimate is None else psnr_of_estimate(**estimate)

    @property
    def estimated_psnr_range(self) -> tuple[float, float] | None:
        """The PSNR of `image` in dB one standard error of its estimated error below and above; inf without a bound."""
        estimate = image_estimate_in(self._stop)
        return None if estimate is None else psnr_range(**estimate)

    @property
    def _quality(self) -> str:
        estimate = image_estimate_in(self._stop)
        return "" if estimate is None else f", estimated PSNR {estimated_psnr(**estimate)}"

    @property
    @abstractmethod
    def _stop(self) -> dict[str, Any]:
        """The stopping rule's part of the summary."""


@dataclass(frozen=True, repr=False)
class Reconstruction(Estimated):
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
        observed: Arrays that observers have measured, by `<observer>.<name>`, as channels, rows and columns; their
            numbers are `summary["observed"]`.
        posterior_mean, spread: Mean and standard deviation of the samples of all replicas, in the layout of the
            measurement; None without `observe="posterior"`, which goes with `optimizer="sgld"`.
    """

    image: NDArray[np.float64]
    average: NDArray[np.float64]
    output: NDArray[np.float64]
    history: pd.DataFrame
    summary: dict[str, Any]
    network: Network
    observed: dict[str, NDArray[Any]]
    posterior_mean: NDArray[np.float64] | None
    spread: NDArray[np.float64] | None
    rule: str = field(repr=False)

    def __repr__(self) -> str:
        stop = "not stopped" if self.stopped_at is None else f"stopped at {self.stopped_at}"
        size, iterations = " x ".join(map(str, self.image.shape)), self.summary["iterations"]
        return (
            f"<Reconstruction of {size}: {iterations} iterations, {stop}{self._quality}; replicas: {len(self.output)}>"
        )

    @property
    def stopped_at(self) -> int | None:
        """Iteration at which the stopping rule stops the mean of the replicas, None without a stop.

        Where the iterations ended before the rule was sure, the best one so far: see `stop_is_final`.
        """
        return self._stop.get("joint")

    @property
    def stop_is_final(self) -> bool:
        """False if more iterations might move `stopped_at`."""
        return bool(self._stop.get("joint_final", False))

    @property
    def _stop(self) -> dict[str, Any]:
        found: dict[str, Any] = self.summary.get("stopping", {}).get(self.rule, {})
        return found


def needed_arguments(function: Any) -> set[str]:
    """Return the names of a function's arguments without a default."""
    found = inspect.signature(function).parameters.items()
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return {name for name, one in found if one.default is one.empty and one.kind not in several}


def builder_of(network: NetworkLike, channels: int, task: Task) -> Builder | None:
    """Return what builds a network that is given as an object, None for one that the settings name.

    Raises:
        ValueError: For a module with several replicas, and for what is neither module nor function.
    """
    if isinstance(network, str):
        return None
    replicas, colours, rows, columns = task.shape
    if isinstance(network, nn.Module):
        if isinstance(network, Network) and network.replicas > 1:
            raise ValueError(f"network: holds {network.replicas} replicas; a module that is given is that of one")
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
    given: Any = network
    own = isinstance(given, type) and issubclass(given, Network)
    if not own and (unknown := needed_arguments(given) - PROVIDED):
        raise ValueError(
            f"network: the function needs {', '.join(sorted(unknown))}; it is given {', '.join(sorted(PROVIDED))}, "
            "those of them that it names"
        )
    made_by: Any = given if own else adapted(given)
    return lambda count: made_by(channels, colours, (rows, columns), replicas=count)


@dataclass(frozen=True)
class Fitted:
    """A finished fit. `mixtures`: see `denoiser_ensembles`; `summary`, `observed`: see `Reconstruction`."""

    module: DIPModule
    mixtures: Mapping[str, DenoiserEnsemble]
    summary: dict[str, Any]
    observed: dict[str, NDArray[Any]]

    @property
    def history(self) -> pd.DataFrame:
        """One row for each replica and iteration: see `Reconstruction`."""
        return pd.DataFrame(curve_columns(self.module, self.module.done))


def fit(settings: Settings, task: Task, network: NetworkLike, title: str | None) -> Fitted:
    """Fit a task; nothing is written.

    Args:
        settings: Those of the fit; of the network only if `network` is a name.
        task: Measurement, operator and reference of all replicas, on the CPU in float64.
        network: See `builder_of`.
        title: Of the progress on standard error; None shows none.
    """
    device = find_device(settings.device)
    check_precision(settings.precision, device)
    build = check_fit(settings, task, None, builder_of(network, settings.latent.channels, task))
    options = fit_options(settings)
    began = time.monotonic()
    with fit_threads(device):
        module = make_module(task, build, options, device)
        bar = [ProgressBar(title, module, settings.fit.iterations)] if title else []
        run_fit(module, options, device, bar)
        unperturbed = module.unperturbed().cpu().numpy()
        mixtures = denoiser_ensembles(module.monitors)
        measures, arrays = observed(module)
        numbers = summary(module, time.monotonic() - began, unperturbed, mixtures, measures)
    return Fitted(module, mixtures, numbers, arrays)


def fit_task(settings: Settings, task: Task, network: NetworkLike, layout: Layout, progress: bool) -> Reconstruction:
    """Fit a task and collect the result; nothing is written.

    Args:
        settings, task, network: See `fit`.
        layout: Brings the images into the layout of the user's measurement.
        progress: Show iterations, time left and loss on standard error.
    """
    warn_of_young_average(settings)
    name = network if isinstance(network, str) else getattr(network, "__name__", type(network).__name__)
    fitted = fit(settings, task, network, name if progress else None)
    module, arrays = fitted.module, fitted.observed
    image = image_at_stop(module, settings.stopping.name, fitted.mixtures)
    result = Reconstruction(
        image=layout(image.detach().cpu().double().numpy()),
        average=layout(module.average.cpu().double().numpy()),
        output=layout(module.output.cpu().double().numpy()),
        history=fitted.history,
        summary=fitted.summary,
        network=module.network,
        observed=arrays,
        posterior_mean=_laid_out(arrays.get("posterior.pooled_mean"), layout),
        spread=_laid_out(arrays.get("posterior.pooled_spread"), layout),
        rule=settings.stopping.name,
    )
    if result.stopped_at is not None and not result.stop_is_final:
        log.warning(
            "stopping=%s: not sure of its stop after %d iterations; give more of them", result.rule, module.done
        )
    return result


def _laid_out(image: NDArray[Any] | None, layout: Layout) -> NDArray[np.float64] | None:
    """Return an image "c h w" in the layout of the measurement."""
    return None if image is None else layout(image.astype(np.float64))
