"""The optimisation problem of R replicas."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.architectures import Network
from dip_experiments.guidance import NO_GUIDANCE, Guidance, Progress
from dip_experiments.latents import Latents
from dip_experiments.losses import MSE, DataTerm, MeanSquaredError
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import NO_REGULARIZER, Regularizer
from dip_experiments.tasks.task import Task
from dip_experiments.tensors import mean_squared_error


@dataclass(frozen=True)
class Problem:
    """min over theta, z or both of E(A f_theta(z_t); y) + R(f_theta(z_t)) (Ulyanov et al. 2018, Eq. 1 and 2).

    Attributes:
        task: The measurement and operator that are fitted.
        original_task: The same before a stopping rule held out a part of the measurement.
        seeds: One for each replica.
        perturbation_seeds: Seeds of what is drawn in each iteration: the perturbation of z_t = z + N(0, sigma_p^2) and
            the noise of the weights, also the optimizer's.
        perturbation: sigma_p, in units of the latent.
        weight_noise: See `move_weights`.
        loss_facts: What the loss assumes of the noise, for the summary.
        guidance: What the fit makes of its own output.
        optimise: theta, z, both or z_and_norms.
        precision: float64, float32, tf32 (GPU) or bf16: that of the network's maps and products, see `DIPModule.image`.
        probe: +-1 in the image and the same in the latent, where a rule needs the divergence by the measurement.
    """

    network: Network
    latent: Float[Tensor, "r cz hz wz"]
    task: Task
    original_task: Task
    seeds: Sequence[int]
    perturbation_seeds: Sequence[int]
    perturbation: float
    optimise: str
    optimizer: Optimizer
    precision: str
    loss: DataTerm = MSE
    loss_facts: Mapping[str, float | str] = field(default_factory=dict)
    regularizer: Regularizer = NO_REGULARIZER
    probe: tuple[Float[Tensor, "r c h w"], Float[Tensor, "r cz hz wz"]] | None = None
    weight_noise: float = 0.0
    guidance: Guidance = NO_GUIDANCE

    @property
    def draws(self) -> bool:
        """True if an iteration draws random numbers."""
        several = self.guidance.passes > 1
        return self.perturbation > 0 or self.weight_noise > 0 or self.optimizer.draws or several

    def perturbed(self, latent: Latents, noise: Sequence[torch.Generator]) -> list[Latents]:
        """Return z_t = z + N(0, sigma_p^2), fresh in each iteration and replica, never accumulated (PAPER detail 1).

        With a guidance whose iterations average several images, the latent of each of them.
        """
        if not self.perturbation:
            return self.guidance.around(latent, noise)
        draws = torch.empty_like(latent, requires_grad=False)
        for replica, draw in zip(draws, noise, strict=True):
            replica.normal_(0, self.perturbation, generator=draw)
        return self.guidance.around(latent + draws, noise)

    def before_step(self, noise: Sequence[torch.Generator]) -> None:
        """Move the weights before an iteration, where that is set. `noise`: a source of draws for each replica."""
        if self.weight_noise:
            move_weights(self.network, self.weight_noise, noise)

    def after_step(self, noise: Sequence[torch.Generator]) -> None:
        """Let the optimizer add its noise, each replica's from the replica's own source of draws."""
        for replica, draw in enumerate(noise):
            self.optimizer.after_step(self.network.convolution_weights(replica), draw)

    def set_rate(self, optimizer: torch.optim.Optimizer, done: Float[Tensor, "1"]) -> None:
        """Set the learning rate after the part `done` of the iterations, if it is not constant."""
        rate = self.optimizer.rate(done)
        if rate is not None:
            for group in optimizer.param_groups:
                group["lr"].copy_(rate)

    def moving(self) -> dict[str, Tensor]:
        """Return what the guidance changes in place besides the latent, by name."""
        return {"measurement": self.task.measurement} if self.guidance.moves_measurement else {}

    @torch.no_grad()
    def guide(self, done: int, iterations: int, latent: Latents, output: Callable[[], Tensor]) -> None:
        """Let the guidance change latent or measurement in place after so many iterations; `output`: see `Progress`."""
        y, seeds = self.task.measurement, self.perturbation_seeds
        self.guidance.advance(Progress(done, iterations, latent, y, self.task.operator, output, seeds))

    def losses(
        self, x_hat: Float[Tensor, "r c h w"], latent: Latents
    ) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
        """Return the mean squared error to the measurement, without gradient, and the loss, of each replica."""
        fitted, y = self.task.operator(x_hat), self.task.measurement
        data_term = self.loss(fitted, y)
        squared = isinstance(self.loss, MeanSquaredError)
        error = data_term.detach() if squared else mean_squared_error(fitted.detach(), y)
        loss = data_term if self.regularizer.is_zero else data_term + self.regularizer(x_hat)
        penalty = self.guidance.penalty(x_hat, latent)
        return error, loss if penalty is None else loss + penalty


@torch.no_grad()
def move_weights(network: Network, part: float, noise: Sequence[torch.Generator]) -> None:
    """Compute w <- w + part std(w) N(0, 1), for the weights of each convolution and each replica (PAPER detail 10).

    The noise accumulates. `noise`: a source of draws for each replica.
    """
    for replica, draw in enumerate(noise):
        for weights in network.convolution_weights(replica):
            weights += part * weights.std() * torch.empty_like(weights).normal_(generator=draw)
