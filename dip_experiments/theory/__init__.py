"""Measures of why a Deep Image Prior works: functions of a network, a latent and images, and observers of a fit."""

from dip_experiments.theory.observers import Bands, DegreesOfFreedom

__all__ = ["Bands", "DegreesOfFreedom"]
