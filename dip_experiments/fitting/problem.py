"""What is optimised: latents, optimizer and energy of R replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dip_experiments.architectures import Network
from dip_experiments.tasks.task import Task
from dip_experiments.tensors import generator, margins_around, total_variation

OPTIMIZERS: dict[str, Any] = {
    "adam": torch.optim.Adam,
    "adam_one_cycle": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "lbfgs": torch.optim.LBFGS,
}


@dataclass(frozen=True)
class Problem:
    """min over theta, z or both of E(f_theta(z_t); x0) + weight R(f_theta(z_t)) (Ulyanov et al. 2018, Eq. 1 and 2).

    `perturbation` is sigma_p of z_t = z + N(0, sigma_p^2), drawn from the seeds `perturbed_by`, as is what
    `move_weights` adds to the weights, `weight_noise` times their standard deviation. `optimise` is theta, z
    or both. `precision` is float64, float32, tf32 (GPU) or bf16: that of the network's maps and products, see
    `Fit.image`. `given` is the task before a stopping rule put a part of the measurement aside. `probe`: +-1 in the
    image and what it is in the latent, where a rule asks for the divergence by the measurement.
    """

    network: Network
    latent: Float[Tensor, "r cz hz wz"]
    task: Task
    seeds: Sequence[int]
    perturbed_by: Sequence[int]
    perturbation: float
    optimise: str
    tv_weight: float
    optimizer: dict[str, Any]
    precision: str
    given: Task
    probe: tuple[Float[Tensor, "r c h w"], Float[Tensor, "r cz hz wz"]] | None = None
    weight_noise: float = 0.0

    @property
    def draws(self) -> bool:
        """Whether an iteration draws anything."""
        return self.perturbation > 0 or self.weight_noise > 0

    def loss(self, x_hat: Float[Tensor, "r c h w"], energy: Float[Tensor, " r"]) -> Float[Tensor, " r"]:
        """Energy plus the explicit prior, per replica."""
        return energy + self.tv_weight * total_variation(x_hat) if self.tv_weight else energy


@torch.no_grad()
def move_weights(network: Network, part: float, noise: Sequence[torch.Generator]) -> None:
    """w <- w + part std(w) N(0, 1), for the weights of each convolution and each replica (PAPER detail 10).

    What is added stays: the next iteration's noise comes on top. `noise`: a source of draws for each replica.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            for weights, draw in zip(module.weight.chunk(network.replicas), noise, strict=True):
                weights += part * weights.std() * torch.empty_like(weights).normal_(generator=draw)


def make_latent(
    name: str,
    shape: tuple[int, int, int],
    scale: float,
    seeds: Sequence[int],
    shown: Float[Tensor, "#r c h w"] | None = None,
) -> Float[Tensor, "r cz hz wz"]:
    """Latent z of each replica, float64: U(0, scale) drawn once, or the pixels' coordinates (PAPER detail 1).

    Or what is `shown` to the network, the flash image (Fig. 10) or the measurement (Jo et al. 2021), its border
    repeated where the network computes on more. `shape` is (channels, rows, columns). Raises ValueError for a
    meshgrid or a picture that has not as many channels.
    """
    if name == "noise":
        drawn = [torch.rand(shape, generator=generator(seed, "latent"), dtype=torch.float64) for seed in seeds]
        return torch.stack(drawn) * scale
    if name in ("flash", "measurement"):
        return (_framed(name, shown, shape) * scale).expand(len(seeds), *shape).clone()
    if shape[0] != 2:
        raise ValueError(f"latent=meshgrid has 2 channels, this architecture takes {shape[0]}; use latent=noise")
    rows, columns = (torch.linspace(0, 1, side, dtype=torch.float64) for side in shape[1:])
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
    return (grid * scale).expand(len(seeds), *shape).clone()


def jittered(latent: Float[Tensor, "r cz hz wz"], jitter: float, seeds: Sequence[int]) -> Float[Tensor, "r cz hz wz"]:
    """Return z (1 + jitter N(0, 1)), drawn for each replica from its own seed.

    A jitter near a number's precision changes nothing but how a fit rounds: what replicas that share all else differ by
    then is what rounding alone does.
    """
    if not jitter:
        return latent
    draws = [torch.randn(latent.shape[1:], generator=generator(seed, "jitter"), dtype=latent.dtype) for seed in seeds]
    return latent * (1 + jitter * torch.stack(draws))


def _framed(
    name: str, picture: Float[Tensor, "#r c h w"] | None, shape: tuple[int, int, int]
) -> Float[Tensor, "#r c hz wz"]:
    if picture is None:
        raise ValueError(f"latent={name} without a {name} image; use it with task=flash_no_flash")
    down, across = (whole - side for whole, side in zip(shape[1:], picture.shape[2:], strict=True))
    if down < 0 or across < 0:
        raise ValueError(
            f"latent={name}: the {name} image has {picture.shape[2]} x {picture.shape[3]} pixels, the latent of this "
            f"architecture {shape[1]} x {shape[2]}; use one that takes a latent as large as the image, such as skip"
        )
    if picture.shape[1] != shape[0]:
        raise ValueError(
            f"latent={name}: the {name} image has {picture.shape[1]} channels, this architecture takes {shape[0]}; "
            f"set latent.channels={picture.shape[1]}"
        )
    return F.pad(picture, margins_around(down, across), mode="replicate")


def make_optimizer(words: dict[str, Any], parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of conf/optimizer over the given parameters."""
    options = {name: value for name, value in words.items() if name not in ("name", "warm_up")}
    if words["name"] in ("adam", "adam_one_cycle"):
        on_gpu = parameters[0].device.type == "cuda"
        options |= {"betas": tuple(options["betas"]), "fused": True, "capturable": on_gpu}
    if words["name"] == "adam_one_cycle":  # on the device, so that a recorded iteration can change it
        options["lr"] = torch.zeros((), device=parameters[0].device)
    if words["name"] == "lbfgs":
        options = {"lr": words["lr"], "history_size": words["history"], "max_iter": 1, "line_search_fn": "strong_wolfe"}
    optimizer: torch.optim.Optimizer = OPTIMIZERS[words["name"]](parameters, **options)
    return optimizer


def one_cycle(words: dict[str, Any], done: Float[Tensor, "1"]) -> Float[Tensor, ""]:
    """Learning rate after the part `done` of the iterations: rises linearly to lr, then falls to 0 as a half cosine.

    Smith & Topin, Super-Convergence, 2019, with a fall by cosine and constant momentum.
    """
    warm_up = words["warm_up"]
    falling = (1 + torch.cos(torch.pi * (done - warm_up) / (1 - warm_up))) / 2
    return words["lr"] * torch.where(done < warm_up, done / warm_up, falling).squeeze()
