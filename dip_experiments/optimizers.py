"""Optimizers: their settings, and PyTorch's optimizer made of them."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from dip_experiments.schema import TARGET, Part, imported_object

Betas = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)]
Parameters = Sequence[nn.Parameter]


class Optimizer(Part):
    """Minimiser of the loss. Subclass it, or give any optimizer of PyTorch's form by `_target_`."""

    kind: ClassVar[str] = "optimizer"
    separates_replicas: ClassVar[bool] = True
    """False if one replica's step depends on the others."""
    recordable: ClassVar[bool] = False
    """True if its step can be recorded in a CUDA graph, and its state put back in place."""

    @property
    def draws(self) -> bool:
        """True if `after_step` draws random numbers."""
        return False

    @property
    def descent_lr(self) -> float | None:
        """The learning rate of plain gradient descent, None for any other optimizer."""
        return None

    @abstractmethod
    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        """Return PyTorch's optimizer over the parameters."""

    def after_step(self, weights: Iterable[Tensor], draw: torch.Generator) -> None:
        """Change the weights of one replica's convolutions, in place, after an update; most optimizers do not.

        Args:
            weights: One tensor "out in kh kw" for each convolution.
            draw: The replica's own source of random numbers, read only if `draws`.
        """
        return

    def rate(self, done: Float[Tensor, "1"]) -> Float[Tensor, ""] | None:
        """Return the learning rate after the part `done` of the iterations, None where it is constant."""
        return None


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015) at a constant rate."""

    recordable: ClassVar[bool] = True
    name: Literal["adam"]
    lr: PositiveFloat
    betas: Betas
    eps: PositiveFloat

    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        return fused_adam(parameters, self.lr, self.betas, self.eps)


class AdamOneCycle(Optimizer):
    """Adam whose rate rises linearly to `lr` in the part `warm_up` of the iterations, then falls to 0 as half a cosine.

    Smith & Topin, Super-Convergence, 2019, with a fall by cosine and constant momentum.
    """

    recordable: ClassVar[bool] = True
    name: Literal["adam_one_cycle"]
    lr: PositiveFloat
    betas: Betas
    eps: PositiveFloat
    warm_up: Annotated[float, Field(gt=0, lt=1)]

    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        rate = torch.zeros((), device=parameters[0].device)  # on the device, so that a recorded iteration changes it
        return fused_adam(parameters, rate, self.betas, self.eps)

    def rate(self, done: Float[Tensor, "1"]) -> Float[Tensor, ""]:
        falling = (1 + torch.cos(torch.pi * (done - self.warm_up) / (1 - self.warm_up))) / 2
        return self.lr * torch.where(done < self.warm_up, done / self.warm_up, falling).squeeze()


class Sgd(Optimizer):
    """Gradient descent with momentum."""

    recordable: ClassVar[bool] = True
    name: Literal["sgd"]
    lr: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]

    @property
    def descent_lr(self) -> float | None:
        return None if self.momentum else self.lr

    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum)


class Sgld(Optimizer):
    """Stochastic gradient Langevin dynamics: an update, then w <- w + N(0, (noise lr)^2) for the 4-D weights.

    With `adaptive` the update is Adam's at a constant rate, as in the code of Cheng, Gadelha, Maji & Sheldon (A
    Bayesian Perspective on the Deep Image Prior, CVPR 2019). Without, it is w <- w - lr (gradient + weight_decay w),
    which at noise = sqrt(2 T / lr) and small lr samples exp(-loss / T) (Welling & Teh, ICML 2011). Squared error is a
    mean over n values: exp(-loss / T) is the likelihood under noise of variance sigma^2 at T = 2 sigma^2 / n.
    Biases and the parameters of norms get no noise, so that they are optimised, not sampled.
    """

    recordable: ClassVar[bool] = True
    name: Literal["sgld"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    noise: NonNegativeFloat
    adaptive: bool
    betas: Betas
    eps: PositiveFloat

    @property
    def draws(self) -> bool:
        return self.noise > 0

    @property
    def descent_lr(self) -> float | None:
        return None if self.adaptive or self.noise or self.weight_decay else self.lr

    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        if self.adaptive:
            return fused_adam(parameters, self.lr, self.betas, self.eps, self.weight_decay)
        return torch.optim.SGD(parameters, lr=self.lr, weight_decay=self.weight_decay)

    @torch.no_grad()
    def after_step(self, weights: Iterable[Tensor], draw: torch.Generator) -> None:
        if self.draws:
            for weight in weights:
                weight += torch.empty_like(weight).normal_(0, self.noise * self.lr, generator=draw)


class Lbfgs(Optimizer):
    """L-BFGS with a strong Wolfe line search, one of its iterations per iteration."""

    separates_replicas: ClassVar[bool] = False
    name: Literal["lbfgs"]
    lr: PositiveFloat
    history: PositiveInt

    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            parameters, lr=self.lr, history_size=self.history, max_iter=1, line_search_fn="strong_wolfe"
        )


class TorchOptimizer(Optimizer):
    """An optimizer of PyTorch's form by its dotted path: `optimizer._target_=torch.optim.RAdam optimizer.lr=0.01`.

    All other settings are its keyword arguments. It must update each element by itself, as replicas share it.
    """

    model_config = ConfigDict(extra="allow")
    adapts: ClassVar[bool] = True

    @classmethod
    def accepts(cls, found: Any) -> bool:
        return isinstance(found, type) and issubclass(found, torch.optim.Optimizer)

    def make(self, parameters: Parameters) -> torch.optim.Optimizer:
        path = str(self.target)
        optimizer = imported_object(path, f"optimizer.{TARGET}")
        try:
            made: torch.optim.Optimizer = optimizer(parameters, **(self.model_extra or {}))
        except (TypeError, ValueError) as error:
            raise ValueError(f"optimizer.{TARGET}={path}: {error}") from None
        return made


def fused_adam(
    parameters: Parameters, lr: float | Tensor, betas: Sequence[float], eps: float, weight_decay: float = 0
) -> torch.optim.Adam:
    """Return Adam as one operation on all parameters, which on a GPU can be recorded."""
    on_gpu = parameters[0].device.type == "cuda"
    options: dict[str, Any] = {"fused": True, "capturable": on_gpu}
    return torch.optim.Adam(
        parameters, lr=lr, betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay, **options
    )
