"""The divergence guard: a loss spike takes a replica back to its last good state (PAPER detail 6, done right)."""

import logging
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

log = logging.getLogger(__name__)


class DivergenceError(RuntimeError):
    """A fit whose loss stays NaN or infinite after every rollback."""


class Guard:
    """Looks at the losses of each block of iterations, replica by replica.

    A loss that is not finite, or more than `spike_db` above that of the last good block, is a spike: the replica's
    weights, optimizer state and average go back to where the block began. Perturbations stay fresh. What returns
    `rollbacks` times in a row is not an accident: NaN then ends the run, a finite spike is let pass. See `events`.
    """

    def __init__(self, spike_db: float, rollbacks: int, replicas: int) -> None:
        self.factor = 10 ** (spike_db / 10)
        self.rollbacks = rollbacks
        self.good_loss = [float("inf")] * replicas
        self.repeats = [0] * replicas
        self.events: list[dict[str, Any]] = []

    def look(self, iteration: int, losses: Float[Tensor, "r b"], restore: Callable[[int], None]) -> None:
        """Judges the block that ended at `iteration`; `restore(replica)` takes a replica back to the block's beginning.

        The last column of `losses` is that of the weights after the block's last update. Raises DivergenceError.
        """
        for replica, (values, worst) in enumerate(zip(losses.tolist(), losses.amax(1).tolist(), strict=True)):
            finite = all(abs(value) < float("inf") for value in values)
            if finite and worst <= self.factor * self.good_loss[replica]:
                self._accept(replica, values[-1])
            elif self.repeats[replica] < self.rollbacks:
                restore(replica)
                self.repeats[replica] += 1
                self._log(iteration, replica, "rolled back", worst if finite else float("nan"))
            elif finite:
                self._accept(replica, values[-1])
                self._log(iteration, replica, "let pass", worst)
            else:
                raise DivergenceError(
                    f"replica {replica}: the loss is NaN or infinite at iteration {iteration} after {self.rollbacks} "
                    "rollbacks; lower optimizer.lr (or try another seed). The curves so far are kept."
                )

    def state(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"good_loss": list(self.good_loss), "repeats": list(self.repeats), "events": list(self.events)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continues from `state()`."""
        self.good_loss, self.repeats = list(state["good_loss"]), list(state["repeats"])
        self.events = list(state["events"])

    def _accept(self, replica: int, loss: float) -> None:
        self.good_loss[replica], self.repeats[replica] = loss, 0

    def _log(self, iteration: int, replica: int, what: str, loss: float) -> None:
        event = {
            "iteration": iteration,
            "replica": replica,
            "event": what,
            "loss": loss,
            "good": self.good_loss[replica],
        }
        self.events.append(event)
        log.info("iteration %d, replica %d: loss %.3g after %.3g, %s", iteration, replica, loss, event["good"], what)
