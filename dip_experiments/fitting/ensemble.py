"""Blend the replicas' mean with what other denoisers make of the same measurements, by weights that a split chooses."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.baselines.classical import DENOISERS, wiener
from dip_experiments.baselines.linear_patches import nl_ridge
from dip_experiments.noise.estimation import LEAST, Array
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput, HeldOut, RuleMonitor, Split

GUIDED = "wiener"
"""The denoiser that needs a better image than the noisy one: it comes last, guided by the blend of the others."""


@dataclass(frozen=True)
class DenoiserEnsemble:
    """The averages at the stop of the ensemble blended with other denoisers' images, replica by replica.

    `weights`: the share of each of those images. `estimate`: estimated mean squared error of the mean, with its
    standard error.
    """

    images: Float[Tensor, "r c h w"]
    weights: dict[str, float]
    estimate: dict[str, float]

    @property
    def mean(self) -> Float[Tensor, "c h w"]:
        """Their mean, without replicas that failed."""
        return self.images.nanmean(0)


def denoiser_ensembles(monitors: Mapping[str, RuleMonitor]) -> dict[str, DenoiserEnsemble]:
    """Return the mixture of each rule that mixes something in, by the rule's name."""
    found = {name: denoiser_ensemble(monitor) for name, monitor in monitors.items()}
    return {name: mixture for name, mixture in found.items() if mixture}


def denoiser_ensemble(monitor: RuleMonitor) -> DenoiserEnsemble | None:
    """Return the blend at the stop of a rule's ensemble, None if nothing is blended.

    The other denoisers see what the replica saw, and its standard deviation, the mean one where it varies; NL-Ridge
    its variance everywhere.
    """
    rule, held_out = monitor.rule, monitor.held_out
    if not (isinstance(rule, Split) and rule.mix) or monitor.stops()[1].iteration is None:
        return None
    seen = (held_out["y"] + held_out["extra"]).cpu().double().numpy()
    sigma = _seen_sigma(rule, held_out)
    alone = [name for name in rule.mix if name != GUIDED]
    variance = held_out["noise"].cpu().double().numpy() * (1 + rule.a**2)
    others = [np.stack([_denoised(name, *of, sigma) for of in zip(seen, variance, strict=True)]) for name in alone]
    images, weights = blend(rule, monitor.ensemble_average, others, held_out)
    if GUIDED in rule.mix:
        guided = zip(seen, images.cpu().double().numpy(), strict=True)
        filtered = np.stack([wiener(image, guide, sigma) for image, guide in guided])
        images, (weight,) = blend(rule, images, [filtered], held_out)
        weights = [*((1 - weight) * others for others in weights), weight]
    named = dict(zip([*alone, GUIDED], weights, strict=False))
    return DenoiserEnsemble(images, named, rule.estimate(images, held_out))


def filters_alone(noisy: Float[np.ndarray, "c h w"], rule: Split, seed: int) -> Float[np.ndarray, "c h w"]:
    """Return what `rule.mix` makes of a noisy picture as `denoiser_ensemble` does, but without a network.

    By y + e it is found how much of each denoiser lowers the estimated error; so much is taken of what they make of y
    itself, which is less noisy.
    """
    y = torch.from_numpy(noisy)[None]
    held_out = rule.hold_out(FitInput(y, Identity()), [seed]).held_out
    noise = held_out["noise"][0].numpy()
    seen, stronger = (y + held_out["extra"])[0].numpy(), noise * (1 + rule.a**2)
    sigma = _seen_sigma(rule, held_out)
    first, *others = _filtered(rule, seen, stronger, sigma)
    chosen, weights = blend(rule, torch.from_numpy(first[None]), [other[None] for other in others], held_out)
    guided = wiener(seen, chosen[0].numpy(), sigma)
    weight = blend(rule, chosen, [guided[None]], held_out)[1][0] if GUIDED in rule.mix else 0.0
    sigma /= (1 + rule.a**2) ** 0.5
    first, *others = _filtered(rule, noisy, noise, sigma)
    image = first + sum(of * (other - first) for of, other in zip(weights, others, strict=True))
    image = image + weight * (wiener(noisy, image, sigma) - image)
    return rule.unbiased(torch.from_numpy(image), held_out).numpy()


def _filtered(rule: Split, image: Array, variance: Array, sigma: float) -> list[Array]:
    """Return what each denoiser that needs no guide makes of an image."""
    return [_denoised(name, image, variance, sigma) for name in rule.mix if name != GUIDED]


def _seen_sigma(rule: Split, held_out: HeldOut) -> float:
    """Return the deviation of y + e in grey levels of 255, the mean one over values with noise.

    Never 0, which denoisers refuse: a tile may be black, where photons and speckle have no noise.
    """
    return max(255 * float(held_out["level"] * (1 + rule.a**2)) ** 0.5, LEAST)


def _denoised(name: str, image: Array, variance: Array, sigma: float) -> Array:
    if name == "nl_ridge":
        return nl_ridge(image, variance=np.minimum(variance, 1))  # speckle of a value above 1 may have more
    return DENOISERS[name](image, sigma)


def blend(
    rule: Split, images: Float[Tensor, "r c h w"], others: list[Float[np.ndarray, "r c h w"]], held_out: HeldOut
) -> tuple[Float[Tensor, "r c h w"], list[float]]:
    """Return f + sum w_k (g_k - f), and the w_k, for which its estimated error is smallest."""
    if not others:
        return images, []
    found = torch.from_numpy(np.stack(others)).to(images)
    weights = rule.weights(images, found, held_out)
    return images + torch.tensordot(images.new_tensor(weights), found - images, 1), weights


def means_at_stop(monitor: RuleMonitor, ensemble: DenoiserEnsemble | None) -> dict[str, Float[Tensor, "c h w"]]:
    """Return what stands for all replicas at the ensemble's stop, if any: their `mean`, and their blend `mixed`."""
    if monitor.stops()[1].iteration is None:
        return {}
    means = {"mean": monitor.mean, **({} if ensemble is None else {"mixed": ensemble.mean})}
    return {name: monitor.rule.unbiased(image, monitor.held_out) for name, image in means.items()}
