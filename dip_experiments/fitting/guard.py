"""The divergence guard: a loss spike takes a replica back to its last good state (PAPER detail 6, done right)."""

import logging
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from jaxtyping import Float
from torch import Tensor

log = logging.getLogger(__name__)

REMEMBERED = 5
"""Accepted blocks whose worst losses say what is usual (ours)."""


class DivergenceError(RuntimeError):
    """A fit of which no replica is left: the loss of each stayed NaN or infinite after every repeat."""


class Guard:
    """Judge a block of iterations, replica by replica, by losses at perturbed latents alone.

    A block is bad if one of its losses is not finite, or more than `spike_db` above the median of the worst losses of
    the last accepted blocks (of the untrained network's loss in the first one). A bad block is no result: it is run
    again from where it began, with fresh perturbations, up to `repeats` times; without any (`repeats` 0) it
    would only repeat itself. What stays bad is no accident: a finite spike is then let pass, NaN fails the replica,
    and the others go on. See `events`, `lost` (iterations thrown away) and `failed` (iteration by replica).
    """

    def __init__(self, spike_db: float, repeats: int, replicas: int) -> None:
        self.factor = 10 ** (spike_db / 10)
        self.repeats = repeats
        self.usual: list[list[float]] = [[] for _ in range(replicas)]
        self.tried = [0] * replicas
        self.lost = [0] * replicas
        self.failed: dict[int, int] = {}
        self.events: list[dict[str, Any]] = []

    def bad(self, losses: Float[Tensor, "r b"], block: tuple[int, int]) -> list[int]:
        """Return the replicas that have to run the `block` (after, last) again; remember it if it is accepted: none.

        The last column of `losses` is that of the weights after the block's last update. Raises DivergenceError if no
        replica is left.
        """
        rows = [[float(loss) for loss in row] for row in losses.tolist()]
        wild = [replica for replica, row in enumerate(rows) if self._is_wild(replica, row)]
        again = [replica for replica in wild if self.tried[replica] < self.repeats]
        for replica in again:
            self.tried[replica] += 1
            self.lost[replica] += block[1] - block[0]
            self._log(block[1], replica, "run again", worst_of(rows[replica]))
        if not again:
            self._accept(rows, wild, block[1])
        return again

    def state(self) -> dict[str, Any]:
        """Return all that a resumed run must know."""
        return {
            "usual": [list(worst) for worst in self.usual],
            "lost": list(self.lost),
            "failed": dict(self.failed),
            "events": list(self.events),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.usual = [list(worst) for worst in state["usual"]]
        self.lost, self.failed, self.events = list(state["lost"]), dict(state["failed"]), list(state["events"])
        self.tried = [0] * len(self.usual)

    def _is_wild(self, replica: int, losses: Sequence[float]) -> bool:
        if replica in self.failed:
            return False
        usual = median(self.usual[replica] or losses[:1])
        worst = worst_of(losses)
        return not math.isfinite(worst) or worst > self.factor * usual

    def _accept(self, rows: Sequence[Sequence[float]], wild: Sequence[int], iteration: int) -> None:
        for replica, losses in enumerate(rows):
            worst = worst_of(losses)
            if replica in self.failed:
                continue
            if replica not in wild:
                self.usual[replica] = [*self.usual[replica], worst][-REMEMBERED:]
            elif math.isfinite(worst):
                self._log(iteration, replica, "let pass", worst)
                self.usual[replica] = [worst]
            else:
                self._log(iteration, replica, "failed", math.nan)
                self.failed[replica] = iteration
        self.tried = [0] * len(rows)
        if len(self.failed) == len(rows):
            raise DivergenceError(
                f"the loss is NaN or infinite at iteration {iteration}, {self.repeats} repeats made no difference; "
                "lower optimizer.lr (or try another seed). The curves so far are kept."
            )

    def _log(self, iteration: int, replica: int, what: str, loss: float) -> None:
        usual = median(self.usual[replica]) if self.usual[replica] else None
        event = {"iteration": iteration, "replica": replica, "event": what, "loss": loss, "usual": usual}
        self.events.append(event)
        log.info("iteration %d, replica %d: loss %.3g, %s", iteration, replica, loss, what)


def worst_of(losses: Sequence[float]) -> float:
    """Return the largest loss; NaN if one is not finite."""
    return max(losses) if all(map(math.isfinite, losses)) else math.nan
