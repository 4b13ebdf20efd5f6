"""A network of one's own: any function that makes a torch.nn.Module, or a Module class."""

from torch import nn


def small_network(input_channels: int, output_channels: int, width: int = 16, dropout: float = 0.1) -> nn.Module:
    """Return three convolutions with batch normalisation and dropout, whose output lies in [0, 1]."""
    return nn.Sequential(
        nn.Conv2d(input_channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
        nn.Dropout2d(dropout),
        nn.Conv2d(width, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, output_channels, 1),
        nn.Sigmoid(),
    )
