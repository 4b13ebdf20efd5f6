"""Noise models of the split: the laws of noise of which a measurement can be taken apart."""

from dip_experiments.stopping.noise_models.gaussian import (
    CorrelatedNoiseModel,
    GaussianNoiseModel,
    PoissonGaussianNoiseModel,
)
from dip_experiments.stopping.noise_models.model import KnownNoise, NoiseModel
from dip_experiments.stopping.noise_models.signal_dependent import GammaNoiseModel, PoissonNoiseModel

__all__ = [
    "CorrelatedNoiseModel",
    "GammaNoiseModel",
    "GaussianNoiseModel",
    "KnownNoise",
    "NoiseModel",
    "PoissonGaussianNoiseModel",
    "PoissonNoiseModel",
]
