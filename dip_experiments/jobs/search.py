"""A search by another sweeper than Hydra's own, such as Optuna: what it goes by, and the best that it found."""

from collections.abc import Sequence
from typing import Any

from dip_experiments.jobs.job_status import Outcome, shared_words


def check_search(settings: Any) -> None:
    """Raises ValueError where no rule would estimate the PSNR that a search goes by."""
    if "split" not in settings.rules:
        raise ValueError(
            "hydra/sweeper: a search goes by the estimated PSNR at the stop, and no rule that estimates it watches; "
            "add stopping=split or observe=[split]"
        )


def describe_best(outcomes: Sequence[Outcome]) -> str:
    """The run with the largest estimated PSNR, by the words that are not the same in all, in a line.

    Where some estimate the PSNR of the image and others that of the measurement, a line for each.
    """
    shared = shared_words(outcomes)
    found: dict[str, list[tuple[float, int]]] = {}
    for place, outcome in enumerate(outcomes):
        for of, psnr in (outcome.summary or {}).get("estimated", {}).items():
            found.setdefault(of, []).append((psnr, place))
    lines = []
    for of, known in found.items():
        psnr, place = max(known)
        words = " ".join(word for word in outcomes[place].overrides if word not in shared) or "all alike"
        lines.append(
            f"best of {len(known)}: {words}, estimated {of} {psnr:.2f} dB at the stop, run {outcomes[place].run}"
        )
    return "\n".join(lines) or "nothing found: no run has an estimated PSNR"
