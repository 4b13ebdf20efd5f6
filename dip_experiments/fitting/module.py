"""The Lightning module: one fit of R replicas, a block of iterations at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dip_experiments.fitting.cuda_graph import Recorded
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.problem import Problem
from dip_experiments.fitting.state import State, buffers_restored, copied, moments
from dip_experiments.stopping import FitInput, Observation, Observer, RuleMonitor
from dip_experiments.tensors import generator, mean_squared_error, psnr_from_mse

PROBED = 1e-3
"""Step of the divergence, in units of the image (ours)."""


class DIPModule(pl.LightningModule):
    """Deep Image Prior as a Lightning module: one Lightning batch is a block of iterations.

    `curves` is "iterations columns replicas" with the columns of `columns`: loss, psnr_measurement and, where the task
    has a reference, psnr_reference and psnr_average. Row i belongs to iteration i + 1 and to the network's output
    *before* that iteration's update. `average` is x_bar <- decay x_bar + (1 - decay) x_hat (PAPER detail 5).
    A block that the guard rejects is run again and leaves nothing. `images`: output and average of the `wanted`
    iterations of the last block. `on_iteration_end` is called after each iteration, accepted or not. `monitors`, by the
    rules' names, add their columns, and psnr_mean, of the mean of the replicas' averages; one may end the fit early.
    """

    output: Float[Tensor, "r c h w"]
    average: Float[Tensor, "r c h w"]
    curves: Float[Tensor, "n k r"]
    row: Int[Tensor, "1"]
    fitted: Float[Tensor, " r"]

    def __init__(
        self,
        problem: Problem,
        iterations: int,
        average_decay: float,
        guard: Guard,
        wanted: Iterable[int] = (),
        monitors: Mapping[str, RuleMonitor] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = problem.network
        self.network.choose_trained(problem.optimise)
        self.latent = nn.Parameter(problem.latent, requires_grad=problem.optimise != "theta")
        self.operator = problem.task.operator
        self.problem, self.guard, self.average_decay = problem, guard, average_decay
        self.monitors = dict(monitors)
        self.columns = ["loss", "psnr_measurement", *self.oracle_columns()]
        self.columns += [name for monitor in self.monitors.values() for name in monitor.rule.columns]
        shape = (iterations, len(self.columns), self.network.replicas)
        self.register_buffer("curves", torch.full(shape, torch.nan, dtype=problem.latent.dtype))
        self.register_buffer("row", torch.zeros(1, dtype=torch.long))
        if self.monitors:
            share = FitInput(problem.task.measurement, problem.task.operator).share()
            self.register_buffer("fitted", share, persistent=False)
        for name in ("output", "average"):
            self.register_buffer(name, problem.task.measurement.new_zeros(problem.task.shape), persistent=False)
        self.done = 0
        self.wanted = frozenset(wanted)
        self.images: dict[int, tuple[Tensor, Tensor]] = {}
        self.on_iteration_end: Callable[[int], None] = lambda iteration: None
        self.resume_from: State | None = None
        self.last_accepted: State = {}

    def oracle_columns(self) -> list[str]:
        """Return the names of curves that look at the reference."""
        if self.problem.task.reference is None:
            return []
        scored = [f"psnr_{name}" for monitor in self.monitors.values() for name in monitor.scored()]
        return ["psnr_reference", "psnr_average", *(["psnr_mean"] if self.monitors else []), *scored]

    def rule_monitors(self) -> dict[str, RuleMonitor]:
        """Return the monitors of rules that can stop a fit, without those of observers."""
        return {name: monitor for name, monitor in self.monitors.items() if not isinstance(monitor.rule, Observer)}

    @property
    def over(self) -> bool:
        """True if a rule has ended the fit."""
        return any(monitor.over for monitor in self.monitors.values())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        free = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        own_rate = self.problem.guidance.latent_lr
        if own_rate is None and self.latent.requires_grad:
            free.append(self.latent)
        optimizer = self.problem.optimizer.make(free)
        if own_rate is not None:
            optimizer.add_param_group({"params": [self.latent], "lr": own_rate})
        return optimizer

    def on_fit_start(self) -> None:
        """Continue draws where they were; take the state before the first iteration as the first good one."""
        self.optimizer: torch.optim.Optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[assignment]
        self.noise = [generator(seed, "perturbation", self.device) for seed in self.problem.perturbation_seeds]
        if self.resume_from is not None:
            self.load_state(self.resume_from)
        self.row.fill_(self.done)
        self.last_accepted = self.state()
        self.step_fn: Callable[[], None] = self.iterate
        if self.device.type == "cuda" and self.network.recordable and self.problem.optimizer.recordable:
            self.step_fn = Recorded(self.iterate, self.noise if self.problem.draws else [], self.device)

    def on_train_start(self) -> None:
        self.end_if_over()

    def end_if_over(self) -> None:
        """Stop Lightning if no block is wanted any more."""
        self.trainer.should_stop = self.over

    def training_step(self, block: tuple[int, int], batch_index: int) -> None:
        """Run the iterations after block[0] up to block[1], until the guard accepts their losses."""
        noise = [draw.get_state() for draw in self.noise]
        while again := self.guard.bad(self.block_losses(*block), block):
            for replica in again:  # the others repeat the very same iterations
                noise[replica] = self.noise[replica].get_state()
            self.roll_back(noise)
        self.done = block[1]
        self.last_accepted = self.state()
        self.end_if_over()

    def block_losses(self, after: int, last: int) -> Float[Tensor, "r b"]:
        """Run a block; return the loss of each iteration, and the one that the iteration after it will find."""
        self.images = {}
        for done in range(after + 1, last + 1):
            self.step_fn()
            if done in self.wanted:
                self.images[done] = (self.output.clone(), self.average.clone())
            self.problem.guide(done, len(self.curves), self.latent, self.unperturbed)
            self.on_iteration_end(done)
        return torch.cat([self.curves[after:last, 0].T, self.coming_loss().unsqueeze(1)], dim=1)

    def iterate(self) -> None:
        """Run one iteration: x_hat = f_theta(z_t), curves, one update of the optimizer, running average.

        Always the same operations with the same arguments, and nothing leaves the device: it can be recorded.
        """
        self.problem.set_rate(self.optimizer, (self.row + 1) / (len(self.curves) + 1))
        z = self.problem.perturbed(self.latent, self.noise)
        self.problem.before_step(self.noise)
        shifted = self.shifted(z[0])
        first: list[tuple[Tensor, ...]] = []

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            x_hat = self.mean_image(z)
            energy, loss = self.problem.losses(x_hat, self.latent)
            loss.sum().backward()
            first.append((x_hat.detach(), energy, loss.detach()))
            return loss.sum()

        self.optimizer.step(closure)  # type: ignore[arg-type]
        self.problem.after_step(self.noise)
        self.output, energy, loss = first[0]
        self.move_average()
        self.record(energy, loss, self.observe(energy, shifted))

    def image(self, z: Float[Tensor, "r cz hz wz"]) -> Float[Tensor, "r c h w"]:
        """Return x_hat = f_theta(z); with bf16 maps and products are bfloat16, weights and the image are not."""
        with torch.autocast(self.device.type, torch.bfloat16, self.problem.precision == "bf16", cache_enabled=False):
            x_hat: Tensor = self.network(z)
        return x_hat

    def mean_image(self, latents: Sequence[Float[Tensor, "r cz hz wz"]]) -> Float[Tensor, "r c h w"]:
        """Return the mean of the images of some latents."""
        first, *others = (self.image(z) for z in latents)
        return sum(others, first) / len(latents) if others else first

    @torch.no_grad()
    def shifted(self, z: Float[Tensor, "r cz hz wz"]) -> Float[Tensor, "r c h w"] | None:
        """Return the image for a measurement moved a little along the probe; None where no rule wants divergence."""
        if self.problem.probe is None:
            return None
        with buffers_restored(self.network):
            return self.image(z + PROBED * self.problem.probe[1])

    @torch.no_grad()
    def observe(
        self, energy: Float[Tensor, " r"], shifted: Float[Tensor, "r c h w"] | None
    ) -> list[Float[Tensor, "_ r"]]:
        """Show the iteration to the rules; return their columns."""
        if not self.monitors:
            return []
        divergence = None
        if self.problem.probe is not None and shifted is not None:
            moved = self.problem.probe[0] * (shifted - self.output) / PROBED
            divergence = moved.flatten(1).mean(1)
        residual = energy / self.fitted
        operator = self.problem.original_task.operator
        seen = Observation(self.row + 1, self.output, self.average, operator, residual, divergence)
        return [monitor.observe(seen) for monitor in self.monitors.values()]

    @torch.no_grad()
    def record(
        self, energy: Float[Tensor, " r"], loss: Float[Tensor, " r"], monitored: Sequence[Float[Tensor, "_ r"]]
    ) -> None:
        """Write one row of the curves."""
        row = [loss, psnr_from_mse(energy)]
        reference = self.problem.task.reference
        if reference is not None:
            seen = [self.output, self.average]
            if self.monitors:
                seen.append(self.average.nanmean(0, keepdim=True).expand_as(self.average))
                seen += [image for monitor in self.monitors.values() for image in monitor.scored().values()]
            row += [psnr_from_mse(mean_squared_error(image, reference)) for image in seen]
        self.curves.index_copy_(0, self.row, torch.cat([torch.stack(row), *monitored]).unsqueeze(0))
        self.row.add_(1)

    @torch.no_grad()
    def move_average(self) -> None:
        """Update the running mean of all outputs; the first output is where it begins."""
        decay = self.average_decay * (self.row > 0).to(self.average)
        self.average.lerp_(self.output, 1 - decay)

    @torch.no_grad()
    def unperturbed(self) -> Float[Tensor, "r c h w"]:
        """Return the output for the latent itself (PAPER detail 11: inpainting), after the last update."""
        with buffers_restored(self.network):
            return self.image(self.latent)

    @torch.no_grad()
    def coming_loss(self) -> Float[Tensor, " r"]:
        """Return the loss of the present weights at the latents of the next iteration, without using up its draws."""
        noise = [draw.get_state() for draw in self.noise]
        with buffers_restored(self.network):
            x_hat = self.mean_image(self.problem.perturbed(self.latent, self.noise))
        self.set_noise(noise)
        return self.problem.losses(x_hat, self.latent)[1]

    def set_noise(self, states: Sequence[Tensor]) -> None:
        """Set the states of the generators that perturb the replicas."""
        for draw, state in zip(self.noise, states, strict=True):
            draw.set_state(state.cpu())

    @torch.no_grad()
    def roll_back(self, noise: Sequence[Tensor]) -> None:
        """Take all replicas back to the last good state, in place, but for the perturbations that are drawn next."""
        self.restore(self.last_accepted)
        if not self.problem.optimizer.recordable:
            self.optimizer.load_state_dict(copied(self.last_accepted["optimizer"]))
        for live, good in moments(self.optimizer, self.last_accepted["optimizer"]):
            live.copy_(good)
        self.row.fill_(self.done)
        self.set_noise(noise)

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Put the weights, the latent and the average of a state where the fit's own are."""
        self.network.load_state_dict(state["network"])
        self.latent.copy_(state["latent"])
        self.average.copy_(state["average"])
        for name, value in self.problem.moving().items():
            value.copy_(state[name])
        for name, small_state in state["monitors"].items():
            self.monitors[name].restore(small_state)

    def state(self) -> State:
        """Return a copy of all that the remaining iterations depend on; tensors, lists and numbers only."""
        live: State = {
            "done": self.done,
            "network": self.network.state_dict(),
            "latent": self.latent.detach(),
            "output": self.output,
            "average": self.average,
            "monitors": {name: monitor.small_state() for name, monitor in self.monitors.items()},
            "optimizer": self.optimizer.state_dict(),
            "noise": [draw.get_state() for draw in self.noise],
            "guard": self.guard.state(),
            "curves": self.curves[: self.done],
            **self.problem.moving(),
        }
        return {name: copied(value) for name, value in live.items()}

    def state_to_save(self) -> State:
        """Return the last good state, with what is too large to be copied for every block."""
        large = {name: dict(monitor.large_state) for name, monitor in self.monitors.items()}
        return self.last_accepted | {"large_state": large}

    def load_state(self, state: State) -> None:
        """Continue from a state as if nothing had happened."""
        self.done = state["done"]
        self.restore(state)
        self.output = state["output"].to(self.average)
        for name, large in state["large_state"].items():
            self.monitors[name].restore_large_state(large)
        self.curves[: self.done] = state["curves"].to(self.curves)
        self.optimizer.load_state_dict(state["optimizer"])
        self.set_noise(state["noise"])
        self.guard.load_state(state["guard"])
