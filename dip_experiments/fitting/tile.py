"""The result of a fit of a tile: its image in float, and its error with the part that tiles do not share."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.fitting.ensemble import DenoiserEnsemble, means_at_stop
from dip_experiments.fitting.module import DIPModule
from dip_experiments.noise.estimation import without_noise
from dip_experiments.stopping import HeldOut, RuleMonitor

UNKNOWN = (np.nan, np.nan)


@dataclass(frozen=True)
class TileResult:
    """Arrays that are stored of a tile.

    Attributes:
        image: The restored tile "c h w", in the precision of the fit.
        estimate: Mean squared error of it as the rule estimates it, and its standard error by chance alone.
        network: The same of the mean of the networks, without other denoisers.
        doubt: Standard error of both by the doubt about the noise, which is the same error in all tiles of a picture.
        noisy: Part of the tile that has noise.
    """

    image: NDArray[Any]
    estimate: NDArray[np.float64]
    network: NDArray[np.float64]
    doubt: NDArray[np.float64]
    noisy: NDArray[np.float64]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the attributes by name."""
        return asdict(self)


def tile_result(module: DIPModule, rule: str, mixtures: Mapping[str, DenoiserEnsemble]) -> TileResult:
    """Return the result of a finished fit of a tile that `rule` may have stopped."""
    monitor = module.monitors[rule]
    held_out, mixture = monitor.held_out, mixtures.get(rule)
    stopped = monitor.stops()[1].iteration is not None
    network = error_by_chance(monitor, monitor.ensemble_average, held_out) if stopped else UNKNOWN
    estimate = error_by_chance(monitor, mixture.images, held_out) if mixture else network
    measurement = module.problem.original_task.measurement[0].cpu().double().numpy()
    return TileResult(
        image=image_at_stop(module, rule, mixtures).detach().cpu().numpy(),
        estimate=np.array(estimate),
        network=np.array(network),
        doubt=np.array(float(held_out["doubt"])),
        noisy=np.array(1 - without_noise(measurement).mean()),
    )


def error_by_chance(monitor: RuleMonitor, images: Float[Tensor, "r c h w"], held_out: HeldOut) -> tuple[float, float]:
    """Return the estimated error of the mean of the replicas' images, as if the noise were known for sure."""
    found = monitor.rule.estimate(images, {**held_out, "doubt": torch.zeros_like(held_out["doubt"])})
    return UNKNOWN if found is None else (found["mse"], found["mse_se"])


def image_at_stop(module: DIPModule, rule: str, mixtures: Mapping[str, DenoiserEnsemble]) -> Float[Tensor, "c h w"]:
    """Return the image that a run exports: the mean of the replicas where the rule stopped them.

    With other denoisers where they are mixed in; without a stop the average of the first replica that did not fail.
    """
    means = means_at_stop(module.monitors[rule], mixtures.get(rule)) if rule in module.monitors else {}
    sound = next(r for r in range(len(module.average)) if r not in module.guard.failed)
    return means.get("mixed", means.get("mean", module.average[sound]))
