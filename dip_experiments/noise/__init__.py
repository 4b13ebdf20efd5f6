"""Noise of a measurement: how strong it is, and what neighbouring pixels and channels share of it."""

from dip_experiments.noise.clipping import ClippedNoise
from dip_experiments.noise.covariance import CorrelatedNoise, local_mean
from dip_experiments.noise.covariance_estimation import estimated_noise, known_covariance

__all__ = ["ClippedNoise", "CorrelatedNoise", "estimated_noise", "known_covariance", "local_mean"]
