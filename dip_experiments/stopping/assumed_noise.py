"""The noise that rules assume which compare with it: white with a standard deviation, or of any law of the split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from jaxtyping import Float
from torch import Tensor

from dip_experiments.noise.estimation import INFLATED, Sigma
from dip_experiments.schema import DefaultForHash, Exchangeable
from dip_experiments.stopping.noise_models import KnownNoise, NoiseModel
from dip_experiments.stopping.rule import FitContext, FitInput, noise_of, unknown_sigma

Law = Annotated[NoiseModel | None, Exchangeable(NoiseModel, optional=True), DefaultForHash(None)]
"""None: white noise."""


@dataclass(frozen=True)
class AssumedNoise:
    """`variance`: its mean over the fitted values, for each replica; `law`: None for white noise; `facts`: messages."""

    variance: Float[Tensor, " r"]
    law: KnownNoise | None
    facts: Mapping[str, float | str]


def assumption_errors(rule: str, sigma: Sigma, law: NoiseModel | None, fit: FitContext) -> Iterator[str]:
    """Yield why a rule of that name cannot assume such noise."""
    if law is None:
        yield from unknown_sigma(rule, "sigma", sigma, fit)
        return
    if sigma is not None:
        yield (
            f"stopping.sigma={sigma:g} with stopping/law={law.name}: the noise is that of the law; give the settings "
            "of stopping.law alone"
        )
    yield from law.config_errors(replace(fit, rule=rule))


def assumed_noise(sigma: Sigma, law: NoiseModel | None, given: FitInput) -> AssumedNoise:
    """Return the noise in a fitted measurement.

    An estimated level is enlarged as `noise_of` does it. Raises ValueError where no noise is found.
    """
    if law is None:
        variance, facts = noise_of(sigma, given)
        return AssumedNoise(variance, None, facts)
    y, measured = given.filled(), given.known()
    known = law.known(y)
    grown = INFLATED**2 if known.doubt else given.growth
    variance = (known.variance(y) * measured).flatten(1).sum(1) / measured.flatten(1).sum(1)
    return AssumedNoise(grown * variance, known, known.facts)
