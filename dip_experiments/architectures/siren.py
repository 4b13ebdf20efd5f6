"""SIREN: a perceptron with sines from coordinates to colours, a prior without convolutions over space."""

import torch
from torch import Tensor, nn

from dip_experiments.architectures.layers import Output, convolution
from dip_experiments.architectures.network import Network


class Siren(Network):
    """Sine layers of 1x1 convolutions on coordinates in [-1, 1]^2, a linear layer, and a sigmoid, which is ours.

    Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions, NeurIPS 2020, with their
    initialisation (Sec. 3.2): of n inputs, weights from U(-1 / n, 1 / n) in the first layer, from
    U(-1, 1) sqrt(6 / n) / omega_0 in the others, the linear one too. They write a layer as sin(omega_0 (W x + b)), here
    W and b contain omega_0: the same function at the start, and Adam at some rate moves it as it moves theirs at
    1 / omega_0 of that. So the rates of the other networks suit this one. The latent is ignored.

    Args:
        widths: Channels of each sine layer.
        omega_0: Frequency of the sines at the start.
    """

    names = ("siren",)
    coordinates: Tensor

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        size: tuple[int, int],
        widths: list[int],
        omega_0: float = 30.0,
        replicas: int = 1,
    ) -> None:
        if not widths or min(widths) < 1 or omega_0 <= 0:
            raise ValueError(
                f"architecture.widths={widths}, architecture.omega_0={omega_0:g}: give one positive width for each "
                "sine layer, and a positive omega_0"
            )
        super().__init__((input_channels, *size), replicas)
        self.layers = nn.ModuleList(
            convolution(inputs, outputs, 1, replicas=replicas, padding="zero")
            for inputs, outputs in zip([2, *widths], widths, strict=False)
        )
        self.output = Output(widths[-1], output_channels, 1, replicas=replicas, padding="zero")
        for number, layer in enumerate(self.layers):
            start(layer, omega_0 / 2 if number == 0 else (6 / widths[number - 1]) ** 0.5, omega_0)
        start(self.output.conv, (6 / widths[-1]) ** 0.5 / omega_0, 1.0)
        rows, columns = (torch.linspace(-1, 1, side) for side in size)
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
        self.register_buffer("coordinates", grid.repeat(replicas, 1, 1).unsqueeze(0), persistent=False)

    def forward_replicas(self, z: Tensor) -> Tensor:
        x = self.coordinates
        for layer in self.layers:
            x = torch.sin(layer(x))
        return self.output(x)


@torch.no_grad()
def start(layer: nn.Module, bound: float, factor: float) -> None:
    """Draw a convolution's weights from U(-bound, bound), and multiply its bias, as PyTorch drew it, by a factor."""
    for name, parameter in layer.named_parameters():
        if name == "weight":
            nn.init.uniform_(parameter, -bound, bound)
        else:
            parameter.mul_(factor)
