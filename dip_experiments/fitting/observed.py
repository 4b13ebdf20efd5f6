"""Numbers and arrays that observers have measured, at the end of a fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.fitting.module import DIPModule
from dip_experiments.stopping import Observer, RuleMonitor
from dip_experiments.theory.posterior import coverage


def observed(fit: DIPModule) -> tuple[dict[str, dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return the numbers of each observer by name, and all arrays as `<observer>.<name>`, its images among them."""
    numbers: dict[str, dict[str, Any]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, monitor in fit.monitors.items():
        if not isinstance(monitor.rule, Observer):
            continue
        found = monitor.rule.results(fit.network, monitor.state, monitor.held_out)
        images = {image: values.cpu().numpy() for image, values in monitor.images().items()}
        arrays |= {
            f"{name}.{key}": value for key, value in {**found, **images}.items() if isinstance(value, np.ndarray)
        }
        numbers[name] = {key: value for key, value in found.items() if not isinstance(value, np.ndarray)}
        numbers[name] |= _coverages(fit, monitor, monitor.rule.spreads)
    return numbers, arrays


def _coverages(fit: DIPModule, monitor: RuleMonitor, spreads: Mapping[str, str]) -> dict[str, Any]:
    """Return how many values of the reference lie within k standard deviations of an image, as `<image>_coverage`."""
    reference, images = fit.problem.original_task.reference, monitor.images()
    if reference is None:
        return {}
    return {
        f"{image}_coverage": [
            {str(k): share for k, share in coverage(*each).items()}
            for each in zip(images[image], images[spread], reference.to(images[image]), strict=True)
        ]
        for image, spread in spreads.items()
    }
