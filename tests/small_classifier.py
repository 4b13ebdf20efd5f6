"""A classifier of tests: small, its weights drawn from a seed and rounded, so that they are the same everywhere."""

from collections import OrderedDict

import torch
from torch import nn

GRID = 2**-8
"""What its weights are multiples of."""


def classifier(width: int = 6, seed: int = 0, channels: int = 3) -> nn.Sequential:
    """Two convolutions, a pooling between them, dropout, a norm, and a fully connected layer of ten units."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, width, 3, padding=1),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(width, 2 * width, 3, padding=1),
                norm2=nn.BatchNorm2d(2 * width),
                relu2=nn.ReLU(),
                drop2=nn.Dropout(0.5),
                mean=nn.AdaptiveAvgPool2d(2),
                flat=nn.Flatten(),
                fc3=nn.Linear(8 * width, 10),
            )
        )
    with torch.no_grad():
        for weights in layers.parameters():
            weights.copy_((weights / GRID).round() * GRID)
    return layers


def unseeded(width: int = 6) -> nn.Sequential:
    """A convolution whose weights are drawn at random each time."""
    return nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, width, 3)))


def no_sequence() -> nn.Module:
    """Layers without names."""
    return nn.Conv2d(3, 4, 3)
