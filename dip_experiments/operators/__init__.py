"""Measurement operators A (forward models): the output is compared with the measurement through one of them."""

from dip_experiments.operators.built_in import FACTORS, Blur, Downsampler, Identity, Mask
from dip_experiments.operators.features import Features
from dip_experiments.operators.function import FunctionOperator, as_operator
from dip_experiments.operators.operator import Composed, Operator, back_projection, check_operator, check_rank, measure

__all__ = [
    "FACTORS",
    "Blur",
    "Composed",
    "Downsampler",
    "Features",
    "FunctionOperator",
    "Identity",
    "Mask",
    "Operator",
    "as_operator",
    "back_projection",
    "check_operator",
    "check_rank",
    "measure",
]
