"""Samples of a posterior: their mean and spread, and how often the spread covers the error of the mean.

A sample is an output of a fit with stochastic gradient Langevin dynamics (`optimizers.Sgld`), after its burn-in.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Moments = dict[str, Tensor]
"""`count` of samples "", their `mean` "..." and `squares` "...", the sum of squared deviations from it; float64."""
ONE_SIGMA = math.erf(math.sqrt(0.5))
"""Share of a Gaussian's values within one standard deviation: 68.27 %."""


def initial_moments(images: Float[Tensor, "..."]) -> Moments:
    """Return the moments of no samples of the shape and device of `images`."""
    mean = torch.zeros_like(images, dtype=torch.float64)
    return {"count": mean.new_zeros(()), "mean": mean, "squares": torch.zeros_like(mean)}


@torch.no_grad()
def update(state: Moments, sample: Float[Tensor, "..."], take: Bool[Tensor, ""]) -> None:
    """Add a sample in place if `take` (Welford, Technometrics 1962).

    The operations are the same whatever `take` is, and nothing leaves the device: they can be recorded in a CUDA graph.
    """
    state["count"].add_(take)
    step = torch.where(take, sample.double() - state["mean"], 0.0)
    change = step / state["count"].clamp_min(1)
    state["mean"].add_(change)
    state["squares"].add_(step * (step - change))


def spread(state: Moments) -> Float[Tensor, "..."]:
    """Return the standard deviation of the samples, with n - 1; zeros below two samples."""
    return (state["squares"] / (state["count"] - 1).clamp_min(1)).sqrt()


def pooled_spread(
    means: Float[Tensor, "r ..."], spreads: Float[Tensor, "r ..."], count: Int[Tensor, ""] | Float[Tensor, ""] | int
) -> Float[Tensor, "..."]:
    """Return the standard deviation of all replicas' samples together, about their common mean.

    s^2 = ((n - 1) sum s_r^2 + n sum (m_r - m)^2) / (R n - 1) (Chan, Golub & LeVeque, The American Statistician 1983).
    It exceeds the mean spread of a replica where chains have not left the neighbourhood of their starts.

    Args:
        means: m_r, the mean of each replica's samples, without replicas that failed.
        spreads: s_r, their standard deviation with n - 1.
        count: n, the samples of each replica.
    """
    n = torch.as_tensor(count, dtype=means.dtype, device=means.device)
    within = (n - 1).clamp_min(0) * spreads.square().sum(0)
    between = n * (means - means.mean(0)).square().sum(0)
    return ((within + between) / (len(means) * n - 1).clamp_min(1)).sqrt()


def coverage(
    mean: Float[Tensor, "..."],
    spread: Float[Tensor, "..."],
    reference: Float[Tensor, "..."],
    widths: Sequence[int | float] = (1, 2, 3),
) -> dict[float, float]:
    """Return by k in `widths` the share of values with |mean - reference| <= k spread; it looks at the reference.

    Of a Gaussian posterior with the right spread: 68.27, 95.45 and 99.73 % for 1, 2 and 3.
    """
    error = (mean - reference).abs()
    return {float(k): (error <= k * spread).double().mean().item() for k in widths}


def calibrating_factor(
    mean: Float[Tensor, "..."], spread: Float[Tensor, "..."], reference: Float[Tensor, "..."]
) -> float:
    """Return the smallest factor on the spread at which 68.27 % of the values are covered.

    An oracle: it looks at the reference. Above 1 the spread is too small, below 1 too large; infinite if more than
    31.73 % of the values have no spread but an error.
    """
    error = (mean - reference).abs().flatten()
    ratio = torch.where(error > 0, error / spread.flatten(), 0.0)
    return ratio.kthvalue(math.ceil(ONE_SIGMA * ratio.numel())).values.item()
