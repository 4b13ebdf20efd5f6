"""Results of a run as text: scores, stops, and actions of the guard."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from dip_experiments.metrics import TINY, estimate_in, estimated_psnr
from dip_experiments.report.pictures import NAMES, STOP
from dip_experiments.store import FACT_ORIGIN, Run, stop_image

METRICS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "psnr_missing": ("PSNR in the holes, dB", 2),
    "psnr_y_authors": ("PSNR of Y, dB", 2),
}
"""Title and decimals."""
IMAGES = {
    **NAMES,
    "output": "last output",
    "measurement": "what it saw",
    "mean_of_2": "mean of two seeds' averages",
    "mean": "mean of all seeds' averages",
}

Number = int | float
LARGEST, IDENTICAL = -10 * math.log10(TINY), "identical"
"""PSNR in dB of images that are the same in every pixel, and how it is shown."""


def known(values: Sequence[Number | None] | None) -> list[Number]:
    """Return those that are numbers: a replica that failed has none."""
    return [value for value in values or () if value is not None]


def score(value: float, decimals: int = 2) -> str:
    """Format a score; images of the largest PSNR are `identical`."""
    return (
        IDENTICAL if round(value, decimals) >= LARGEST else f"{round(value, decimals) + 0.0:.{decimals}f}"
    )  # no -0.00


def spread(values: Sequence[Number], decimals: int) -> str:
    """Format mean and range, `28.69 (28.41 to 28.90)`; one number where all are the same; nothing for none."""
    if not values:
        return ""
    mean, least, most = (score(value, decimals) for value in (fmean(values), min(values), max(values)))
    return mean if least == most else f"{mean} ({least} to {most})"


def integer_spread(values: Sequence[Number]) -> str:
    """Format median and range of iterations."""
    if not values:
        return ""
    middle, least, most = f"{median(values):.0f}", f"{min(values):.0f}", f"{max(values):.0f}"
    return middle if least == most else f"{middle} ({least} to {most})"


def score_table(run: Run) -> tuple[list[str], list[list[str]]]:
    """Return head and rows: images that the fit ended with, against the clean picture; `stop_table` has the stops."""
    scores = {name: metrics for name, metrics in run.summary["scores"].items() if not STOP.fullmatch(name)}
    used = [metric for metric in METRICS if any(metric in metrics for metrics in scores.values())]
    rows = [
        [IMAGES.get(name, name.replace("_", " "))]
        + [spread(known(metrics.get(metric)), METRICS[metric][1]) for metric in used]
        for name, metrics in scores.items()
    ]
    return ["picture", *(METRICS[metric][0] for metric in used)], rows


def stop_table(run: Run) -> tuple[list[str], list[list[str]]]:
    """Return head and rows: the stop of each rule and its scores."""
    head = ["rule", "stops at", "made sure", "of the mean", "PSNR of the average, dB", "below the oracle", "it says"]
    rules = run.summary.get("stopping", {})
    return head, [[name.replace("_", " "), *_stop(run, name, rule)] for name, rule in rules.items()]


def _stop(run: Run, name: str, rule: Mapping[str, Any]) -> list[str]:
    stops = known(rule["iteration"])
    scores = known(run.summary["scores"].get(stop_image(name, "average"), {}).get("psnr"))
    best = known(run.summary["oracle_peak"].get("psnr_average"))
    gaps = [peak - score for peak, score in zip(best, scores, strict=True)] if len(best) == len(scores) else []
    ensemble = "" if rule["joint"] is None else f"{rule['joint']}{'' if rule['joint_final'] else ', not sure'}"
    return [
        integer_spread(stops) or "nowhere",
        f"{sum(map(bool, rule['final']))} of {len(rule['final'])}",
        ensemble,
        spread(scores, 2),
        spread(gaps, 2),
        "; ".join(_used(rule)),
    ]


def _used(rule: Mapping[str, Any]) -> list[str]:
    """Return the quantities that the rule estimated from the image, and its estimate for the mean image."""
    origins = {key: f" ({value})" for key, value in rule["facts"].items() if key.endswith(FACT_ORIGIN)}
    facts = [
        f"{key.replace('_', ' ')} {fact(value)}{origins.get(key + FACT_ORIGIN, '')}"
        for key, value in rule["facts"].items()
        if key not in origins and value is not None
    ]
    if found := estimate_in(rule):
        of, estimate = found
        facts.append(f"estimated {of} {estimated_psnr(**estimate)}")
    return facts


def fact(value: Any) -> str:
    """Format a fact in a line."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def guard_lines(run: Run) -> list[str]:
    """Return the actions of the guard, and the failures, a line each."""
    lost = sum(run.summary["lost_iterations"])
    lines = [f"{lost} iterations lost to the guard"] if lost else []
    for event in run.summary["guard"]:
        compared = event.get("loss") and event.get("usual")
        losses = f" (loss {event['loss']:.3g}, usual {event['usual']:.3g})" if compared else ""
        lines.append(f"iteration {event['iteration']}, replica {event['replica']}: {event['event']}{losses}")
    failed = run.summary["failed"]
    return lines + [f"replica {f['replica']} (seed {f['seed']}) failed at iteration {f['iteration']}" for f in failed]
