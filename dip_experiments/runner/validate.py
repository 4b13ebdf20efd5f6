"""Validate a request completely before anything is written: what it reads, what it builds, and the memory it takes."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dip_experiments.architectures import Network
from dip_experiments.config.overrides import AS_IT_IS
from dip_experiments.config.plain_settings import Wandb
from dip_experiments.config.settings import Settings
from dip_experiments.data.folders import check_writable
from dip_experiments.data.tiling import MULTIPLE
from dip_experiments.devices import available_memory, check_precision, find_device
from dip_experiments.fitting.fit import Builder, make_latent
from dip_experiments.fitting.wandb_options import check_key, wandb_mode
from dip_experiments.losses import Loss
from dip_experiments.noise.estimation import SPOILT, Array, correlation, impulses, spoilt_parts
from dip_experiments.operators import check_operator
from dip_experiments.optimizers import Optimizer
from dip_experiments.regularizers import Regularizer
from dip_experiments.runner.build import PreparedRun, flash_image, load, network_builder, original_task
from dip_experiments.stopping import FitInput, Split, hold_out
from dip_experiments.tasks import Task
from dip_experiments.tensors import generator

VALUE_BYTES = {"float64": 8, "float32": 4, "tf32": 4, "bf16": 4}
"""Bytes of a number, at most: with bf16 statistics and weights stay float32."""
SMALLER = (0.97, 0.9, 0.7, 0.5)
"""Of the side at which memory would do if it grew with the area: sizes that are tried."""
YOUNG = 0.02
"""Part of the average that the first output may have (ours)."""
IMPULSES = 0.003
"""Part of the pixels that are black or white by themselves from which on a message says so (ours)."""
DOUBTFUL = 0.25
"""Standard error of an estimated sigma, by sigma, from which on a message says so (ours)."""
SMALL = 64
"""Pixels a side below which texture is often taken for noise that neighbours share (ours)."""
LARGE = 2 * 10**9
"""Bytes from which on a fit is announced."""
RESTORE_AS_IT_IS = {
    **{task: setting for task, (_, setting) in AS_IT_IS.items()},
    "denoising": "dip restore",
    "reconstruction": "dip restore, or task=denoising",
    "inpainting": "task.mask=mask.png",
}
"""Task -> what restores a picture of the user's that is damaged already."""
log = logging.getLogger(__name__)


def validate(settings: Settings) -> PreparedRun:
    """Validate a request. Raises ValueError that says what was given, what is wanted and what to do."""
    device = find_device(settings.device)
    check_precision(settings.precision, device)
    if isinstance(settings.logger, Wandb) and wandb_mode(settings.logger.mode) == "online":
        check_key()
    if settings.image.window and not (isinstance(settings.stopping, Split) and settings.stopping.law.is_fixed):
        raise ValueError("image.window: part of a picture that tile=... makes, and that no request sets; leave it out")
    pictures = load(settings)
    task = original_task(settings, pictures, 1)
    build = check_fit(settings, task, flash_image(pictures))
    degraded = task.reference is not None and not torch.equal(task.measurement, task.reference)
    if settings.image.path and degraded and settings.task.restores:
        name, instead = Path(settings.image.path).name, RESTORE_AS_IT_IS.get(settings.task.name)
        hint = f"; to restore it as it is: {instead}" if instead else ""
        log.info("%s: degraded first, to see how well it is restored%s", name, hint)
    if settings.output:
        warn_of_young_average(settings)
    if settings.rules and settings.replicas > 1:
        fitted_task(settings, original_task(settings, pictures, 2))  # a rule may not take two measurements together
    check_writable(Path(settings.paths.results))
    return PreparedRun(settings, device, pictures, build)


def check_fit(
    settings: Settings, original: Task, input_image: Float[Tensor, "1 c h w"] | None, build: Builder | None = None
) -> Builder:
    """Check that operator, rules, network and latent suit a task, and return what builds the network.

    Args:
        original: The task of the first replicas, of one at least.
        input_image: See `make_module`.
        build: Builds a network that is given; None: that of the settings, whose memory is checked.

    Raises:
        ValueError: With what to do.
    """
    check_operator(original.operator, original.measurement, settings.task.restores)
    if build is None:  # before all else, as the noise of a large picture is estimated in seconds
        build, values, message = network_builder(settings, original.shape)
        if message:
            log.info("%s", message)
        check_memory(settings, values, original)
    task, inputs = fitted_task(settings, original)
    complete = FitInput(task.measurement, task.operator).complete
    data_term = settings.loss.for_measurement(original.measurement[:1], complete)  # of one, it suits any number
    check_per_replica(settings.loss, data_term, *_two_random(task.measurement.shape[1:], 2))
    check_per_replica(settings.regularizer, settings.regularizer, *_two_random(task.shape[1:], 1))
    with torch.random.fork_rng(devices=[]):  # the weights of this network are not used
        network = build(1)
    check_optimizer(settings.optimizer, network)
    if settings.latent.optimise == "z_and_norms" and not any(True for _ in network.norm_parameters()):
        raise ValueError(
            f"latent.optimise=z_and_norms: the norms of architecture={settings.architecture.name} have no parameters; "
            "use latent.optimise=z"
        )
    make_latent(settings.latent, network, task, settings.seeds[: len(task.measurement)], input_image)
    settings.guidance.check(network.latent_shape, task.measurement.new_zeros(task.shape))
    if settings.image.window is None:  # that of tiles is the picture's
        facts = {name: part.facts for name, part in inputs.items()}
        log_noise_estimates(settings, original, facts)
    return build


def check_optimizer(optimizer: Optimizer, network: Network) -> None:
    """Raise ValueError where an optimizer cannot be made, and where its noise has no weights to move."""
    optimizer.make([nn.Parameter(torch.zeros(1))])
    if optimizer.draws and not any(True for _ in network.convolution_weights(0)):
        raise ValueError(
            f"optimizer={optimizer.name}: it adds noise to the weights of convolutions, and the network has none; use "
            "another optimizer"
        )


def check_per_replica(part: Loss | Regularizer, function: Callable[..., Any], *images: Float[Tensor, "2 ..."]) -> None:
    """Raise ValueError unless a loss or a regularizer gives each of two replicas the number that it has alone.

    `function`: what computes it.
    """
    name = f"{part.kind}={part.target or part.name}"
    try:
        found: Any = function(*images)
    except Exception as error:  # the part may be the user's: it may raise anything
        found = f"{type(error).__name__}: {error}"
    shape = tuple(found.shape) if isinstance(found, Tensor) else found
    if shape != (2,):
        raise ValueError(
            f"{name}: for images (2, c, h, w) of two replicas a tensor of shape (2,) is wanted, one number for each, "
            f"such as x.flatten(1).mean(1); it gives {shape}"
        )
    alone = torch.cat([function(*(image[replica : replica + 1] for image in images)) for replica in range(2)])
    if not torch.allclose(found, alone, rtol=1e-4):
        raise ValueError(f"{name}: the number of a replica depends on the other one; treat each by itself")


def _two_random(shape: Sequence[int], count: int) -> Tensor:
    """Return `count` times images of one shape of two replicas."""
    return torch.rand(count, 2, *shape, dtype=torch.float64, generator=generator(0, "check"))


def fitted_task(settings: Settings, original: Task) -> tuple[Task, dict[str, FitInput]]:
    """Return a task of the first replicas without the data that the rules hold out, and these, by rule.

    Raises:
        ValueError: Where a rule cannot hold out its data.
    """
    given = FitInput(original.measurement, original.operator)
    fitted, inputs = hold_out(settings.rules, given, settings.seeds_of("stopping")[: len(original.measurement)])
    return Task(fitted.measurement, fitted.operator, original.reference), inputs


def warn_of_young_average(settings: Settings) -> None:
    """Warn where the average, which is the result without a stop, still holds much of the first output, a grey one."""
    decay, iterations = settings.fit.average_decay, settings.fit.iterations
    if settings.stopping.name != "none" or decay**iterations < YOUNG:
        return
    enough = math.ceil(math.log(YOUNG) / math.log(decay))
    log.warning(
        "fit.iterations=%d: the average, which is the result, still holds %.0f%% of the first output, which is grey; "
        "give at least %d, or a smaller fit.average_decay", iterations, 100 * decay**iterations, enough,
    )  # fmt: skip


def log_noise_estimates(settings: Settings, original: Task, facts: Mapping[str, Mapping[str, float | str]]) -> None:
    """Log the noise that rules and loss assume, and warn where they would be misled. `facts`: of it, by rule."""
    loss = f"loss={settings.loss.target or settings.loss.name}"
    for name, known in {**facts, loss: settings.loss.facts(original.measurement)}.items():
        if known:
            log.info("%s: %s", name, ", ".join(f"{key} {_short(value)}" for key, value in known.items()))
        if float(known.get("sigma_error", 0)) > DOUBTFUL * float(known.get("sigma", 0)):
            log.warning(
                "%s: sigma %s +- %s is not sure, as texture may pass for noise: give a larger part of the picture, or "
                "its sigma", name, _short(known["sigma"]), _short(known["sigma_error"]),
            )  # fmt: skip
        if known.get("sigma_from") == "given" and 0 < float(known["sigma"]) < 1:
            log.warning("%s: sigma is in grey levels of 255, not of [0, 1]: %s", name, _short(known["sigma"]))
    _warn_of_small_picture(facts, original)
    trusting = [name for name, rule in settings.rules.items() if rule.assumes_white_noise]
    complete = FitInput(original.measurement, original.operator).complete  # holes look correlated
    counting = {*trusting, *(name for name, known in facts.items() if known)}
    if not (counting and complete):
        return
    image = original.measurement[0].double().numpy()
    _warn_of_impulses(", ".join(sorted(counting)), image)
    if not trusting:
        return
    found = correlation(image) if original.operator.is_identity else None  # a blurred picture looks correlated
    ends = min((settings.rules[name].ends for name in trusting), key=len)
    constant, clipped = spoilt_parts(image, ends)
    names = ", ".join(trusting)
    if found:
        log.warning(
            "%s: %s; the stop will be late, and an estimated PSNR too high: use stopping=split stopping/law=auto "
            "loss=whitened", names, found,
        )  # fmt: skip
    if constant > SPOILT:
        rest = "crop it away, sure counts on noise in it" if "sure" in trusting else "estimates are of the rest"
        log.warning("%s: %.0f%% of the picture is constant, without noise; %s", names, 100 * constant, rest)
    if clipped > SPOILT:
        values = " or ".join(map(str, ends))
        log.warning(
            "%s: %.0f%% of the values with noise are %s, where it is cut off; an estimate of the noise is too low, "
            "one of the PSNR off", names, 100 * clipped, values,
        )  # fmt: skip


def _warn_of_small_picture(facts: Mapping[str, Mapping[str, float | str]], original: Task) -> None:
    """Warn where what neighbours share of the noise is estimated in few pixels."""
    found = [name for name, known in facts.items() if "correlation" in known and known["sigma_from"] == "estimated"]
    if found and min(original.measurement.shape[2:]) < SMALL:
        log.warning(
            "%s: texture of so small a picture may pass for noise that neighbours share, and sigma come out twice as "
            "large; for white noise stopping/law=gaussian loss=mse, or dip restore noise=gaussian", ", ".join(found),
        )  # fmt: skip


def _warn_of_impulses(names: str, image: Array) -> None:
    if (share := impulses(image)) > IMPULSES:
        log.warning(
            "%s: %.1f%% of the pixels are black or white by themselves, as salt and pepper, for which no sigma stands; "
            "loss=l1 fits past them, and stopping=windowed_variance needs no sigma", names, 100 * share,
        )  # fmt: skip


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def check_memory(settings: Settings, values: int, task: Task) -> None:
    """Raise ValueError if a fit would not fit into memory; log how much a large one takes.

    `values`: numbers that the network of one replica holds.
    """
    needed, available = bytes_needed(settings, values, task.shape), available_memory(find_device(settings.device))
    part = available / needed
    size = f"{task.shape[2]} x {task.shape[3]} pixels, replicas={settings.replicas}"
    if needed > available:
        raise ValueError(
            f"{size}: about {needed / 1e9:.1f} GB of memory needed, {available / 1e9:.1f} GB there; there is room with "
            f"{suggest_fewer(settings, part)}{suggest_size(settings, available, part, task)}"
        )
    if needed > LARGE and settings.image.window is None:  # of tiles: see `prepare_tiles`
        log.info(
            "%s: about %.1f GB of memory; how long it takes is told after the first iterations", size, needed / 1e9
        )


def bytes_needed(settings: Settings, values: int, shape: tuple[int, int, int, int]) -> int:
    """Return the memory of a fit: `values` of each pass through each network, and the images that the rules hold."""
    held = sum(rule.images_held for rule in settings.rules.values()) * math.prod(shape[1:])
    return settings.replicas * VALUE_BYTES[settings.precision] * (settings.guidance.passes * values + held)


def suggest_fewer(settings: Settings, part: float) -> str:
    """Return settings that need no more than a part of the memory: fewer replicas, a narrower network.

    Memory grows with the replicas, and with the width at least.
    """
    single = part * settings.replicas
    if single >= 1:
        return f"replicas={int(single)}"
    one = "replicas=1 and " if settings.replicas > 1 else ""
    return f"{one}scale.width={max(int(single * settings.scale.width), 1)}"


def suggest_size(settings: Settings, available: int, part: float, task: Task) -> str:
    """Return the size of a smaller picture whose fit has room; empty where no such size is found.

    Memory grows with the area, but for weights: a few sizes are tried, the largest first.
    """
    height, width = task.measurement.shape[2:] if task.reference is None else task.shape[2:]  # of the picture
    for side in (int(smaller * part**0.5 * min(height, width)) for smaller in SMALLER):
        scaled = side / min(height, width)
        shape = (*task.shape[:2], int(scaled * task.shape[2]), int(scaled * task.shape[3]))
        try:
            _, values, _ = network_builder(settings, shape)
        except ValueError:  # too small for the network
            return ""
        if bytes_needed(settings, values, shape) > available:
            continue
        if settings.image.window:
            return f", or with tile={max(int(scaled * max(height, width)) // MULTIPLE, 1) * MULTIPLE}"
        return f", or with image.size={side}{' image.fit=whole' if settings.image.size is None else ''}"
    return ""
