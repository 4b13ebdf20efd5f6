"""A search by another sweeper than Hydra's own, such as Optuna: what it goes by, and the best that it found."""

from collections.abc import Sequence
from typing import Any

from dip_experiments.reporting import Outcome, shared_words


def check_search(settings: Any) -> None:
    """Raises ValueError where no rule would estimate the PSNR that a search goes by."""
    if "split" not in settings.rules:
        raise ValueError(
            "hydra/sweeper: a search goes by the estimated PSNR at the stop, and no rule that estimates it watches; "
            "add stopping=split or observe=[split]"
        )


def best_told(outcomes: Sequence[Outcome]) -> str:
    """The run with the largest estimated PSNR, by the words that are not the same in all, in a line."""
    found = [(outcome.summary or {}).get("estimated", {}) for outcome in outcomes]
    known = [(psnr, place, of) for place, estimated in enumerate(found) for of, psnr in estimated.items()]
    if not known:
        return "nothing found: no run has an estimated PSNR"
    psnr, place, of = max(known)
    best, shared = outcomes[place], shared_words(outcomes)
    words = " ".join(word for word in best.overrides if word not in shared) or "all alike"
    return f"best of {len(known)}: {words}, estimated {of} {psnr:.2f} dB at the stop, run {best.run}"
