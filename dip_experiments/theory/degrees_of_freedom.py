"""Degrees of freedom of a fit: how much of the noise in its measurement the output follows (Efron 2004)."""

import torch
from jaxtyping import Float
from torch import Tensor

FEWEST = 3
"""Fits without which the estimate has no standard error: one is left out in turn."""


def degrees_of_freedom(outputs: Float[Tensor, "r c h w"], measurements: Float[Tensor, "r c h w"]) -> Float[Tensor, ""]:
    """Estimate (1 / (N sigma^2)) sum_i cov(f_i, y_i), the degrees of freedom per value.

    Over fits that differ in the noise of their measurement alone: same weights, latent and perturbations. With means
    over the fits, it is sum (f - mean f)(y - mean y) / sum (y - mean y)^2, so that sigma need not be known. For a
    linear f = S y it is trace(S) / N in the mean. NaN if a fit failed: see `pseudo_values`.

    Args:
        outputs: f of each fit, at least two.
        measurements: y of each.
    """
    f, y = (images - images.mean(0, keepdim=True) for images in (outputs, measurements))
    return (f * y).sum() / y.square().sum()


def pseudo_values(outputs: Float[Tensor, "r c h w"], measurements: Float[Tensor, "r c h w"]) -> Float[Tensor, " r"]:
    """Return the jackknife's pseudo-values R c - (R - 1) c_r, with c_r the estimate without fit r (Tukey 1958).

    Their mean estimates the degrees of freedom, and their standard deviation by the root of their number is its
    standard error. Fits that failed (NaN) are left out, and have NaN.

    Args:
        outputs: f of each of R fits, at least `FEWEST`.
        measurements: y of each.
    """
    sound = outputs.isfinite().flatten(1).all(1)
    f, y = (torch.where(sound[:, None], images.flatten(1), 0.0) for images in (outputs, measurements))
    count, products, squares = sound.sum().to(f), f @ y.T, y @ y.T
    with_all = _slope(products, squares, sound.to(f), count)
    without = sound.to(f) - torch.eye(len(f), dtype=f.dtype, device=f.device) * sound
    left_out = torch.stack([_slope(products, squares, weights, count - 1) for weights in without])
    return torch.where(sound, count * with_all - (count - 1) * left_out, torch.nan)


def _slope(
    products: Float[Tensor, "r r"],
    squares: Float[Tensor, "r r"],
    weights: Float[Tensor, " r"],
    count: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Return sum (f - mean f)(y - mean y) / sum (y - mean y)^2 over the fits with weight 1, by products of fits."""
    covariance, variance = (
        weights @ gram.diagonal() - weights @ gram @ weights / count for gram in (products, squares)
    )
    return covariance / variance
