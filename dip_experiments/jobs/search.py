"""A search by another sweeper than Hydra's own, such as Optuna: its objective, and the best run that it found."""

from collections.abc import Sequence
from typing import Any

from dip_experiments.jobs.job_status import JobResult, shared_overrides


def check_search(settings: Any) -> None:
    """Raise ValueError where no rule would estimate the PSNR that a search maximises."""
    if "split" not in settings.rules:
        raise ValueError(
            "hydra/sweeper: a search goes by the estimated PSNR at the stop, and no rule that estimates it watches; "
            "add stopping=split or observe=[split]"
        )


def describe_best(results: Sequence[JobResult]) -> str:
    """Return a line on the run with the largest estimated PSNR, by the overrides that not all runs have.

    Where some estimate the PSNR of the image and others that of the measurement, a line for each.
    """
    shared = shared_overrides(results)
    found: dict[str, list[tuple[float, int]]] = {}
    for index, result in enumerate(results):
        for of, psnr in (result.summary or {}).get("estimated", {}).items():
            found.setdefault(of, []).append((psnr, index))
    lines = []
    for of, known in found.items():
        psnr, index = max(known)
        own = " ".join(override for override in results[index].overrides if override not in shared) or "all alike"
        lines.append(f"best of {len(known)}: {own}, estimated {of} {psnr:.2f} dB at the stop, run {results[index].run}")
    return "\n".join(lines) or "nothing found: no run has an estimated PSNR"
