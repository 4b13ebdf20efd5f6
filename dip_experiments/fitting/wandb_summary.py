"""The summary of a run as flat numbers, which W&B can sort, filter and draw in parallel coordinates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from dip_experiments.store import stop_image

FINAL = ("loss", "psnr_measurement", "psnr_reference", "psnr_average")
"""Curves whose last value is sent."""
Values = Sequence[float | None] | None
"""One value per replica; None for a replica without one, or if no replica has one."""


def summary_scalars(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of what a run ends with, and a few numbers of the run.

    `<name>_mean` and `<name>_sd` (of the sample, over at least two seeds) for the names of `values_by_name`, over the
    replicas that have not failed, and only if each of them has a number: a mean over those seeds that reach 90 %, say,
    would favour the settings that seldom do.

    Args:
        summary: Of a finished run, as `fitting.summary` makes it or as it is stored.
    """
    failed = {failure["replica"] for failure in summary["failed"]}
    scalars: dict[str, Any] = {
        "iteration": summary["iterations"],
        "wall_seconds": summary["wall_seconds"],
        "parameters": summary["parameters"],
        "lost_iterations": sum(summary["lost_iterations"]),
        "failed_replicas": len(failed),
    }
    if summary.get("ended_by"):
        scalars["ended_by"] = summary["ended_by"]
    if ensemble := summary["scores"].get("mean"):
        scalars["final/psnr_ensemble"] = ensemble["psnr"][0]
    for name, values in values_by_name(summary):
        present = [value for replica, value in enumerate(values or ()) if replica not in failed]
        known = [value for value in present if value is not None and math.isfinite(value)]
        if known and len(known) == len(present):
            scalars[f"{name}_mean"] = fmean(known)
            if len(known) > 1:
                scalars[f"{name}_sd"] = stdev(known)
    return scalars


def values_by_name(summary: Mapping[str, Any]) -> Iterator[tuple[str, Values]]:
    """Yield name and values per replica of what a run ends with.

    `final/<curve>`; `oracle/psnr_average` and `oracle/iteration`: the best average, chosen by the reference;
    `stop/<rule>/psnr_average` and `stop/<rule>/iteration`: what a rule stops at; `iterations_to_90_percent` of the
    target's variance.
    """
    yield from ((f"final/{name}", summary["final"].get(name)) for name in FINAL)
    yield "oracle/psnr_average", summary["oracle_peak"].get("psnr_average")
    yield "oracle/iteration", summary["oracle_iteration"].get("psnr_average")
    for rule, stop in summary.get("stopping", {}).items():
        yield f"stop/{rule}/psnr_average", summary["scores"].get(stop_image(rule, "average"), {}).get("psnr")
        yield f"stop/{rule}/iteration", stop["iteration"]
    yield "iterations_to_90_percent", summary["iterations_explained"]
