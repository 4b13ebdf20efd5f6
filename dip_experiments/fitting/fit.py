"""Make and run one fit from plain objects: the core that the command line and the Python API share."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.architectures import Network, build_replicas
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.problem import Problem
from dip_experiments.fitting.schedule import block_ends
from dip_experiments.fitting.trainer import train
from dip_experiments.guidance import Guidance
from dip_experiments.latents import Latent
from dip_experiments.losses import Loss
from dip_experiments.operators import back_projection
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.stopping import FitInput, FitStart, Observer, RuleMonitor, StoppingRule, hold_out
from dip_experiments.tasks.task import Task
from dip_experiments.tensors import generator

Builder = Callable[[int], Network]
"""Replicas -> network."""
Seeds = Mapping[str, Sequence[int]]
"""For each source of randomness (init, latent, perturbation, stopping) the seed of each replica."""


@dataclass(frozen=True)
class FitOptions:
    """Options of the fit of a task.

    Attributes:
        seeds: The seed of each replica; `streams`: those of each source of randomness, which replicas may share.
        rules: Stopping rules by name; `ends`: the name of the one that may end the fit.
        block: Iterations between two looks at the curves.
        spike_db, rollbacks: See `Guard`.
    """

    seeds: Sequence[int]
    streams: Seeds
    latent: Latent
    optimizer: Optimizer
    loss: Loss
    regularizer: Regularizer
    guidance: Guidance
    rules: Mapping[str, StoppingRule]
    ends: str
    precision: str
    iterations: int
    block: int
    average_decay: float
    weight_noise: float
    spike_db: float
    rollbacks: int


def make_module(
    task: Task,
    build: Builder,
    options: FitOptions,
    device: torch.device,
    input_image: Float[Tensor, "#r c h w"] | None = None,
    wanted: Iterable[int] = (),
) -> DIPModule:
    """Make the Lightning module of a fit.

    Args:
        task: Measurement, operator and reference of all replicas, on the CPU in float64.
        build: Makes the network of so many replicas.
        device: Where it is fitted.
        input_image: An image that the network is shown where the latent is one; None: the measurement.
        wanted: Iterations whose output and average are wanted.

    Raises:
        ValueError: Where a rule or the latent does not suit the task.
    """
    dtype = torch.float64 if options.precision == "float64" else torch.float32
    network = build_replicas(build, options.streams["init"]).to(device, dtype)
    fit_input, inputs = hold_out(
        options.rules, FitInput(task.measurement, task.operator), list(options.streams["stopping"])
    )
    moves = options.guidance.moves_measurement
    y = fit_input.measurement.clone() if moves else fit_input.measurement  # the original one stays what it is
    fitted = Task(y, fit_input.operator, task.reference)
    latent = make_latent(options.latent, network, fitted, options.streams["latent"], input_image)
    probe = make_probe(options, network, fitted, inputs)
    original = task.to(device, dtype)
    streams = options.streams["perturbation"]
    first = options.guidance.first(options.latent.jittered(latent, options.seeds), streams)
    problem = Problem(
        network=network,
        latent=first.to(device, dtype),
        task=fitted.to(device, dtype),
        original_task=original,
        seeds=options.seeds,
        perturbation_seeds=streams,
        perturbation=options.latent.perturbation,
        weight_noise=options.weight_noise,
        optimise=options.latent.optimise,
        optimizer=options.optimizer,
        loss=options.loss.for_measurement(original.measurement, fit_input.complete, fit_input.growth),
        loss_facts=options.loss.facts(original.measurement),
        regularizer=options.regularizer,
        guidance=options.guidance,
        precision=options.precision,
        probe=None if probe is None else (probe[0].to(device, dtype), probe[1].to(device, dtype)),
    )
    spike_db = math.inf if options.guidance.jumps else options.spike_db
    guard = Guard(spike_db, options.rollbacks if problem.draws else 0, len(options.seeds))
    return DIPModule(
        problem, options.iterations, options.average_decay, guard, wanted, make_monitors(problem, options, inputs)
    )


def make_monitors(problem: Problem, options: FitOptions, inputs: Mapping[str, FitInput]) -> dict[str, RuleMonitor]:
    """Return the state of each rule before the first iteration; `inputs`: see `hold_out`. Observers measure it."""
    task = problem.task
    images = task.measurement.new_zeros(task.shape)
    fitted = FitInput(task.measurement, task.operator)
    start = FitStart(problem.network, problem.latent, fitted, task.reference, problem.optimizer, problem.seeds)
    monitors = {}
    for name, rule in options.rules.items():
        given = inputs[name]
        if isinstance(rule, Observer):
            given = replace(given, held_out={**given.held_out, **rule.start(start)})
        monitors[name] = RuleMonitor(rule, images, given, ends=name == options.ends)
    return monitors


def run_fit(module: DIPModule, options: FitOptions, device: torch.device, callbacks: Sequence[pl.Callback]) -> None:
    """Run the iterations that are left. Raises Interrupted at Ctrl-C and SIGTERM, and whatever the fit raises."""
    train(module, block_ends(options.iterations, options.block), device, callbacks)


def make_latent(
    latent: Latent,
    network: Network,
    task: Task,
    seeds: Sequence[int],
    input_image: Float[Tensor, "#r c h w"] | None = None,
) -> Float[Tensor, "r cz hz wz"]:
    """Return the latents that the network takes. Raises ValueError where it takes none such."""
    if latent.name == "adjoint":
        return latent.make(network.latent_shape, seeds, back_projection(task.operator, task.measurement))
    measurement = task.measurement if latent.name == "measurement" else None
    return latent.make(network.latent_shape, seeds, measurement if input_image is None else input_image)


def make_probe(
    options: FitOptions, network: Network, task: Task, inputs: Mapping[str, FitInput]
) -> tuple[Float[Tensor, "r c h w"], Float[Tensor, "r cz hz wz"]] | None:
    """Return +-1 for each value of the image, or the rule's own probe, and the same as the latent has it.

    See Ramani et al. 2008. None if no rule needs the divergence. Raises ValueError if one has a probe of its own and
    another needs the divergence too. `inputs`: see `hold_out`.
    """
    names = [name for name, rule in options.rules.items() if rule.needs_divergence]
    if not names:
        return None
    own = [inputs[name].held_out["probe"] for name in names if "probe" in inputs[name].held_out]
    if own and len(names) > 1:
        raise ValueError(f"{' and '.join(names)} need the divergence by different probes; leave all but one out")
    draws = [generator(seed, "stopping/probe") for seed in options.streams["stopping"]]
    signs = own or [torch.stack([torch.randint(2, task.shape[1:], generator=draw).double() * 2 - 1 for draw in draws])]
    return signs[0], options.latent.make(network.latent_shape, options.seeds, signs[0])
