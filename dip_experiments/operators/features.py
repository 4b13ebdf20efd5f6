"""Features of an image in a classifier of fixed weights: an operator that is not linear."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dip_experiments.operators.operator import Operator, check_rank

MAP = 4
"""Axes of a map: image, channel, row and column."""


class Features(Operator):
    """A x = Phi(x) / s, not linear: what the layers of a classifier make of an image.

    Features without rows and columns are maps of one pixel. The weights become buffers, which nothing trains; dropout
    is off, and norms use the statistics that they were trained with.

    Args:
        layers: Phi, from images (n, c, h, w) to maps (n, k, h', w') or features (n, k).
        shape: Channels, rows and columns of the image.
        scale: s > 0, in units of the features.
        unit: The one channel of Phi that is measured, from 0 on; None: all.
    """

    scale: Float[Tensor, ""]

    def __init__(
        self, layers: nn.Module, shape: tuple[int, int, int], scale: float = 1.0, unit: int | None = None
    ) -> None:
        super().__init__()
        self.layers = with_buffers(layers).eval()
        self.shape, self.unit = shape, unit
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r k hy wy"]:
        found: Tensor = self.layers(check_rank(x))
        maps = found.reshape(*found.shape, *[1] * (MAP - found.ndim))
        return (maps if self.unit is None else maps[:, self.unit : self.unit + 1]) / self.scale.to(maps.dtype)

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        return self.shape

    def adjoint(self, y: Float[Tensor, "r k hy wy"]) -> Float[Tensor, "r c h w"]:
        """Raise ValueError: what is not linear has no adjoint."""
        raise ValueError("the features of a classifier are no linear function of an image and have no adjoint")

    def train(self, mode: bool = True) -> "Features":
        """Set the mode of training, which a fit does, but for the layers: these stay in that of evaluation."""
        super().train(mode)
        self.layers.eval()
        return self


def with_buffers(layers: nn.Module) -> nn.Module:
    """Turn the parameters of a module into buffers of the same names, and return the module."""
    for module in layers.modules():
        for name, weights in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weights.detach())
    return layers
