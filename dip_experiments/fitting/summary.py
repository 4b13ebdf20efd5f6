"""The numbers that a fit ends with, in float: all that tables need, replica by replica."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.data.display import stretched
from dip_experiments.fitting.ensemble import DenoiserEnsemble, means_at_stop
from dip_experiments.fitting.module import DIPModule
from dip_experiments.metrics import (
    AUTHORS_SMALLEST_SIDE,
    EXPLAINED,
    SSIM_SMALLEST_SIDE,
    channel_variance,
    iterations_to_explain,
    psnr,
    psnr_missing,
    psnr_y_authors,
    ssim,
)
from dip_experiments.operators import Downsampler, Mask
from dip_experiments.store import stop_image
from dip_experiments.tasks import Task

ORACLES = ("psnr_reference", "psnr_average", "psnr_mean")
"""Curves whose best value looks at the reference."""
Array = NDArray[np.floating[Any]]
Images = Mapping[str, Array]
"""Name -> "r c h w" in [0, 1], not clipped."""


def summary(
    fit: DIPModule,
    seconds: float,
    unperturbed: Array,
    mixtures: Mapping[str, DenoiserEnsemble],
    observed: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return final and peak values, scores and what the guard did; the peak is the oracle's: it looks at the reference.

    `seconds`: wall time; `unperturbed`: the output for the latent as it is; `observed`: numbers of observers. A replica
    that failed has null in place of its numbers.
    """
    guard, seeds = fit.guard, fit.problem.seeds
    measured = measurement(fit.problem.original_task)
    curves = dict(zip(fit.columns, fit.curves[: fit.done].permute(1, 2, 0).cpu().double().numpy(), strict=True))
    curves = {name: _without(values, guard.failed) for name, values in curves.items()}
    oracles = {name: values for name, values in curves.items() if name in ORACLES}
    fitted = fit.problem.task.measurement.cpu().double().numpy()
    variances = [channel_variance(image) for image in fitted]
    explained = [
        iterations_to_explain(loss, variance, EXPLAINED)
        for loss, variance in zip(curves["loss"], variances, strict=True)
    ]
    return {
        "iterations": fit.done,
        "wall_seconds": round(seconds, 3),
        "parameters": sum(weights.numel() for weights in fit.network.parameters()) // fit.network.replicas,
        "target_variance": variances,
        "iterations_explained": explained,
        "final": {name: values[:, -1].tolist() for name, values in curves.items()},
        "oracle_peak": {name: values.max(1).tolist() for name, values in oracles.items()},
        "oracle_iteration": {name: [_peak(curve) for curve in values] for name, values in oracles.items()},
        "scores": scores(fit, {"unperturbed": unperturbed, "measurement": measured["measurement"]}, mixtures),
        "measurement_sha256": [measurement_digest(measured, replica) for replica in range(len(seeds))],
        "guard": guard.events,
        "lost_iterations": guard.lost,
        "failed": [{"replica": r, "seed": seeds[r], "iteration": n} for r, n in guard.failed.items()],
        **stopping(fit, mixtures),
        **({"loss": dict(fit.problem.loss_facts)} if fit.problem.loss_facts else {}),
        **({"observed": observed} if observed else {}),
    }


def measurement(task: Task) -> dict[str, NDArray[Any]]:
    """Return the arrays that were given: `measurement` "r c hy wy", and where pixels are missing `known` "r c h w"."""
    known = {"known": task.operator.known.cpu().numpy()} if isinstance(task.operator, Mask) else {}
    return {"measurement": task.measurement.cpu().numpy(), **known}


def shown_measurement(task: Task) -> Float[Tensor, "r c hy wy"]:
    """Return the measurement in [0, 1], stretched where that of the operator may have any values: see `stretched`."""
    y = task.measurement
    return y if task.operator.preserves_range else torch.from_numpy(stretched(y.cpu().double().numpy()))


def scores(
    fit: DIPModule, further: Images, mixtures: Mapping[str, DenoiserEnsemble]
) -> dict[str, dict[str, list[float | None]]]:
    """Return image -> metric -> value of each replica, for the images that the fit ends with. Empty without reference.

    `mean_of_2` and `mean` are the mean of the first two and of all replicas' averages, one value each; so is
    `stop-<rule>-mean` of those at the stop of the rule's ensemble, and `stop-<rule>-mixed`.
    """
    task = fit.problem.original_task
    if task.reference is None:
        return {}
    reference = task.reference.cpu().double().numpy()
    images = {"output": fit.output.cpu().numpy(), "average": fit.average.cpu().numpy(), **further}
    without = {name: set(fit.guard.failed) for name in images}
    for name, monitor in fit.rule_monitors().items():
        missing = {r for r, stop in enumerate(monitor.stops()[0]) if stop.iteration is None}
        for what, stopped in monitor.per_replica.items():
            images[stop_image(name, what)] = stopped.cpu().numpy()
            without[stop_image(name, what)] = missing | set(fit.guard.failed)
    for monitor in fit.monitors.values():
        images |= {name: image.cpu().numpy() for name, image in monitor.scored().items()}
    without |= {name: set(fit.guard.failed) for name in images if name not in without}
    metrics: dict[str, Callable[[Any, Any], float]] = {"psnr": psnr}
    if min(reference.shape[2:]) >= SSIM_SMALLEST_SIDE:
        metrics["ssim"] = ssim
    if isinstance(task.operator, Downsampler) and min(reference.shape[2:]) >= AUTHORS_SMALLEST_SIDE:
        metrics["psnr_y_authors"] = psnr_y_authors
    failed, replicas = fit.guard.failed, range(len(reference))
    known = task.operator.known.cpu().numpy() if isinstance(task.operator, Mask) else None

    def each(name: str, of: Callable[..., float], *further: NDArray[Any]) -> list[float | None]:
        """Return a metric of one of the images, replica by replica."""
        image = images[name].astype(np.float64)
        return [None if r in without[name] else of(image[r], reference[r], *(x[r] for x in further)) for r in replicas]

    alike = [name for name, values in images.items() if values.shape == reference.shape]
    scored = {name: {metric: each(name, of) for metric, of in metrics.items()} for name in alike}
    if known is not None and not known.all():
        for name in alike:
            scored[name]["psnr_missing"] = each(name, psnr_missing, known)
    sound = [images["average"][r].astype(np.float64) for r in replicas if r not in failed]
    means = {
        name: np.mean(sound[:count], axis=0) for name, count in (("mean_of_2", 2), ("mean", None)) if len(sound) > 1
    }
    means |= {
        stop_image(name, what): image.cpu().numpy().astype(np.float64)
        for name, monitor in fit.rule_monitors().items()
        for what, image in means_at_stop(monitor, mixtures.get(name)).items()
    }
    return scored | {
        name: {metric: [of(mean, reference[0])] for metric, of in metrics.items()} for name, mean in means.items()
    }


def stopping(fit: DIPModule, mixtures: Mapping[str, DenoiserEnsemble]) -> dict[str, Any]:
    """Return the stops of each rule, by name, and which one ended the fit; empty without rules.

    `iteration` and `final` of each replica, and both of the ensemble, their mean: `final` means that the rule had
    made sure. `estimate`: the rule's estimate for the mean image at that stop, if it has one, `measurement_estimate`
    where A is not the identity. `mix`: what was mixed in, by which weights, and the estimate of the mixture.
    """
    rules: dict[str, dict[str, Any]] = {}
    for name, monitor in fit.rule_monitors().items():
        stops, together = monitor.stops()
        rules[name] = {
            "iteration": [None if r in fit.guard.failed else stop.iteration for r, stop in enumerate(stops)],
            "final": [stop.final for stop in stops],
            "joint": together.iteration,
            "joint_final": together.final,
            "facts": dict(monitor.facts),
        }
        if together.iteration is not None:
            operator = fit.problem.original_task.operator
            estimate = monitor.rule.estimate(operator(monitor.ensemble_average), monitor.held_out)
            of = "estimate" if operator.is_identity else "measurement_estimate"
            rules[name] |= {of: estimate} if estimate else {}
        if mix := mixtures.get(name):
            rules[name]["mix"] = {"weights": mix.weights, "estimate": mix.estimate}
    ended = next((name for name, monitor in fit.monitors.items() if monitor.over), None)
    return {"stopping": rules, "ended_by": ended} if rules else {}


def _without(values: Array, failed: Mapping[int, int]) -> Array:
    """Return the curves "r n" with those of failed replicas blotted out."""
    values = values.copy()
    values[list(failed)] = np.nan
    return values


def _peak(curve: Array) -> int | None:
    return None if np.isnan(curve).any() else int(curve.argmax()) + 1


def measurement_digest(measured: Mapping[str, NDArray[Any]], replica: int) -> str:
    """Return the SHA-256 of what one replica sees, in float32, with its mask."""
    seen = measured["measurement"][replica].astype(np.float32)
    digest = hashlib.sha256(str(seen.shape).encode() + seen.tobytes())
    if "known" in measured:
        digest.update(measured["known"][replica].tobytes())
    return digest.hexdigest()
