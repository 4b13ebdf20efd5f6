"""Degrees of freedom of a fit: how much of the noise in its measurement the output follows (Efron 2004)."""

from jaxtyping import Float
from torch import Tensor


def degrees_of_freedom(
    outputs: Float[Tensor, "r c h w"], measurements: Float[Tensor, "r c h w"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Estimate (1 / (N sigma^2)) sum_i cov(f_i, y_i), the degrees of freedom per value, and its standard error.

    Over fits that differ in the noise of their measurement alone: same weights, latent and perturbations. With means
    over the fits, it is sum (f - mean f)(y - mean y) / sum (y - mean y)^2, so that sigma need not be known. For a
    linear f = S y it is trace(S) / N in the mean. The standard error takes values for independent (ratio of means).

    Args:
        outputs: f of each fit, at least two.
        measurements: y of each.
    """
    f, y = (images - images.mean(0, keepdim=True) for images in (outputs, measurements))
    products, noise = (f * y).sum(0).flatten(), y.square().sum(0).flatten()
    found = products.sum() / noise.sum()
    return found, (products - found * noise).square().sum().sqrt() / noise.sum()
