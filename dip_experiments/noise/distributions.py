"""Quantiles of noisy values in the distribution of the noise, as the logit of s = P(value < y), which has no ends.

Webber & Reader, ICLR 2026 (arXiv 2510.13972). Gradients are those by the clean image.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, "*shape"]
NEAR = 1e-4
"""Distance of s from 0 and 1 below which its logit is replaced by that of a normal law's tail (that paper's)."""
DARK = 1e-3
"""Least clean value, by the noise's unit, so that a division by it stays finite (ours)."""


def gaussian_logits(z: Values) -> Values:
    """Return t of normalised Gaussian noise z = (y - x) / sigma; exact however far z is."""
    return torch.special.log_ndtr(z) - torch.special.log_ndtr(-z)


def poisson_logits(rate: Values, counts: Values, place: Float[Tensor, "..."]) -> Values:
    """Return t of counts with expected value `rate`.

    s = P(k < counts) + place P(k = counts): with `place` uniform in [0, 1] s is uniform too (Dunn & Smyth 1996).
    """
    rate, counts = rate.clamp(min=DARK), counts.round()
    below, upto = torch.special.gammaincc(counts, rate), torch.special.gammaincc(counts + 1, rate)
    return _logits(below + place * (upto - below), (counts - rate) / rate.sqrt())


def gamma_logits(clean: Values, y: Values, looks: float) -> Values:
    """Return t of y = clean s, s of Gamma's law with mean 1 and variance 1 / looks."""
    ratio = y / clean.clamp(min=DARK)
    return _logits(torch.special.gammainc(torch.full_like(y, looks), looks * ratio), (ratio - 1) * looks**0.5)


def _logits(s: Values, z: Values) -> Values:
    """Return logit s; near 0 and 1 the asymptote of a normal law at z, which is the deviation in its standard units."""
    inside = (s > NEAR) & (s < 1 - NEAR)
    far = torch.where(inside, torch.ones_like(z), z.abs().clamp(min=1))
    tail = z.sign() * (far.square() / 2 + far.log() + math.log(2 * math.pi) / 2)
    return torch.where(inside, torch.logit(torch.where(inside, s, torch.full_like(s, 0.5))), tail)
