"""The Deep Decoder: an underparameterised generator without convolutions over space."""

import torch.nn.functional as F
from torch import Tensor, nn

from dip_experiments.architectures.layers import Output, convolution, norm, upsampled
from dip_experiments.architectures.network import Network, T, padded


class Layer(nn.Module):
    """1x1 convolution without bias [bilinear upsampling] ReLU norm (Heckel & Hand 2019, Eq. 1)."""

    def __init__(self, inputs: int, outputs: int, *, enlarge: bool, replicas: int) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.conv = convolution(inputs, outputs, 1, replicas=replicas, padding="zero", bias=False)
        self.norm = norm(outputs, replicas)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.norm(F.relu(upsampled(x, "bilinear") if self.enlarge else x))


class DeepDecoder(Network):
    """Deep Decoder (Heckel & Hand, ICLR 2019): a small latent, doubled in size by all layers but the last.

    `widths`: channels of each layer. The latent has the first layer's width and 1 / 2^(layers - 1) of the image's side;
    its channels are the architecture's own, whatever `latent.channels` says.
    """

    names = ("deep_decoder",)
    per_scale = ("widths",)

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        size: tuple[int, int],
        widths: list[int],
        replicas: int = 1,
    ) -> None:
        doublings = len(widths) - 1
        if doublings < 0 or min(widths) < 1:
            raise ValueError(f"architecture.widths={widths}: give one positive width per layer")
        computed, margins = padded(size, doublings, smallest=1)
        super().__init__((widths[0], computed[0] >> doublings, computed[1] >> doublings), replicas, margins)
        widths_in = [widths[0], *widths[:-1]]
        self.layers = nn.Sequential(
            *(
                Layer(inputs, outputs, enlarge=i < doublings, replicas=replicas)
                for i, (inputs, outputs) in enumerate(zip(widths_in, widths, strict=True))
            )
        )
        self.output = Output(widths[-1], output_channels, 1, replicas=replicas, padding="zero")

    @staticmethod
    def finest(values: list[T], count: int) -> list[T]:
        """Return the finest entries of widths that go from coarse to fine."""
        return values[-count:]

    def forward_replicas(self, z: Tensor) -> Tensor:
        return self.output(self.layers(z))
