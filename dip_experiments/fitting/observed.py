"""Numbers and arrays that observers have measured, at the end of a fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.fitting.module import DIPModule
from dip_experiments.stopping import Observer, RuleMonitor
from dip_experiments.theory.posterior import calibrating_factor, coverage


def observed(fit: DIPModule) -> tuple[dict[str, dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return the numbers of each observer by name, and all arrays as `<observer>.<name>`, its images among them."""
    numbers: dict[str, dict[str, Any]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    measurement = fit.problem.original_task.measurement
    same_measurement = bool((measurement == measurement[:1]).all())
    for name, monitor in fit.monitors.items():
        if not isinstance(monitor.rule, Observer):
            continue
        found = monitor.rule.results(fit.network, monitor.state, monitor.held_out)
        if not same_measurement:
            found = {key: value for key, value in found.items() if key not in monitor.rule.of_one_measurement}
        both = {**found, **{image: values.cpu().numpy() for image, values in monitor.images().items()}}
        arrays |= {f"{name}.{key}": value for key, value in both.items() if isinstance(value, np.ndarray)}
        plain = {key: value for key, value in found.items() if not isinstance(value, np.ndarray)}
        numbers[name] = {**plain, **_coverages(fit, monitor, monitor.rule.spreads), **_pooled(fit, found)}
    return {name: found for name, found in numbers.items() if found}, arrays


def _coverages(fit: DIPModule, monitor: RuleMonitor, spreads: Mapping[str, str]) -> dict[str, Any]:
    """Return how many values of the reference lie within k standard deviations of an image, as `<image>_coverage`."""
    reference, images = fit.problem.original_task.reference, monitor.images()
    if reference is None:
        return {}
    return {
        f"{image}_coverage": [_coverage(*each) for each in zip(images[image], images[spread], reference, strict=True)]
        for image, spread in spreads.items()
    }


def _pooled(fit: DIPModule, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for mean and spread of all replicas' samples, and the factor that would calibrate the spread."""
    reference = fit.problem.original_task.reference
    if reference is None or "pooled_spread" not in found:
        return {}
    mean, spread = (torch.from_numpy(found[name]) for name in ("pooled_mean", "pooled_spread"))
    clean = reference[0].to(mean)
    return {"pooled_coverage": _coverage(mean, spread, clean), "pooled_factor": calibrating_factor(mean, spread, clean)}


def _coverage(mean: Tensor, spread: Tensor, reference: Tensor) -> dict[str, float] | None:
    """Return shares by number of spreads, None without samples or for a replica that failed."""
    if not (mean.isfinite().all() and spread.any()):
        return None
    return {str(k): share for k, share in coverage(mean, spread, reference.to(mean)).items()}
