"""The operators of the tasks: identity, mask, downsampling, blur."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dip_experiments.operators.operator import Operator, check_rank
from dip_experiments.tensors import decimate, lanczos_kernel

FACTORS, LOBES = (2, 3, 4, 8), (2, 3)


class Identity(Operator):
    """A = I: the image itself is measured."""

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return check_rank(x)

    def adjoint(self, y: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return check_rank(y)

    @property
    def is_identity(self) -> bool:
        return True


class Mask(Operator):
    """A x = m x, elementwise: the `known` values are measured, the others are 0 (PAPER detail 8). A^T = A."""

    known: Bool[Tensor, "r c h w"]

    def __init__(self, known: Bool[Tensor, "r c h w"]) -> None:
        super().__init__()
        shares = check_rank(known).flatten(1).double().mean(1)
        if shares.min() == 0 or shares.max() == 1:
            raise ValueError("a mask that hides everything or nothing; give one with known and with missing values")
        self.register_buffer("known", known)

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        if x.shape != self.known.shape:
            raise ValueError(
                f"a mask of shape {tuple(self.known.shape)} on a tensor of shape {tuple(x.shape)}; "
                "the mask must be as large as the image, once for each replica"
            )
        return x * self.known

    def adjoint(self, y: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        return self(y)

    def measured(self, y: Float[Tensor, "r c h w"]) -> Bool[Tensor, "r c h w"]:
        return self.known

    @property
    def preserves_range(self) -> bool:
        return True


class Downsampler(Operator):
    """A x = (x * k) at every `factor`-th pixel (2, 3, 4, 8), k the Lanczos kernel of 2 or 3 `lobes` (PAPER detail 7).

    A convolution at stride `factor`, phase 0.5, borders replicated, each channel on its own.
    """

    kernel: Float[Tensor, "k k"]

    def __init__(self, factor: int, lobes: int) -> None:
        super().__init__()
        if factor not in FACTORS or lobes not in LOBES:
            raise ValueError(f"downsampling by {factor} with Lanczos-{lobes}; factors are {FACTORS}, lobes {LOBES}")
        self.factor = factor
        self.register_buffer("kernel", lanczos_kernel(factor, lobes))

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r cy hy wy"]:
        height, width = check_rank(x).shape[2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"downsampling by {self.factor} of {height} x {width} pixels; crop both to multiples of {self.factor}"
            )
        return decimate(x, self.kernel, self.factor)

    def image_shape(self, measured: tuple[int, int, int]) -> tuple[int, int, int]:
        return measured[0], measured[1] * self.factor, measured[2] * self.factor

    @property
    def preserves_range(self) -> bool:
        return True


class Blur(Operator):
    """A x = x * k for each channel on its own: convolution with a kernel of odd sides, borders replicated."""

    kernel: Float[Tensor, "kh kw"]

    def __init__(self, kernel: Float[Tensor, "kh kw"]) -> None:
        super().__init__()
        if kernel.ndim != 2 or not (kernel.shape[0] % 2 and kernel.shape[1] % 2):
            raise ValueError(f"a blur kernel of shape {tuple(kernel.shape)}; give one of odd height and width")
        self.register_buffer("kernel", kernel)

    def forward(self, x: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
        rows, columns = self.kernel.shape
        channels = check_rank(x).shape[1]
        weight = self.kernel.flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)  # conv2d correlates
        padded = F.pad(x, (columns // 2, columns // 2, rows // 2, rows // 2), mode="replicate")
        return F.conv2d(padded, weight, groups=channels)

    @property
    def preserves_range(self) -> bool:
        return True
