"""Networks f_theta, named in conf/architecture by `_target_`: R replicas of each side by side."""

from dip_experiments.architectures.deep_decoder import DeepDecoder
from dip_experiments.architectures.fast_skip import FastSkip
from dip_experiments.architectures.module_adapter import ModuleNetwork, adapted
from dip_experiments.architectures.named import (
    complete_arguments,
    drop_deepest_scales,
    find_network,
    hashed_arguments,
    values_needed,
)
from dip_experiments.architectures.network import Network, build_replicas
from dip_experiments.architectures.pixels import Pixels
from dip_experiments.architectures.resnet import ResNet
from dip_experiments.architectures.siren import Siren
from dip_experiments.architectures.skip import Skip
from dip_experiments.architectures.unet import UNet

__all__ = [
    "DeepDecoder",
    "FastSkip",
    "ModuleNetwork",
    "Network",
    "Pixels",
    "ResNet",
    "Siren",
    "Skip",
    "UNet",
    "adapted",
    "build_replicas",
    "complete_arguments",
    "drop_deepest_scales",
    "find_network",
    "hashed_arguments",
    "values_needed",
]
