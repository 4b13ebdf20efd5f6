"""Build the objects of a fit from its settings: pictures, task, network and options."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from dip_experiments.architectures import complete_arguments, drop_deepest_scales, find_network, values_needed
from dip_experiments.config.plain_settings import Stream
from dip_experiments.config.settings import Settings
from dip_experiments.data.pictures import Pictures, load_pictures
from dip_experiments.fitting.fit import Builder, FitOptions, make_module
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.summary import measurement, measurement_digest
from dip_experiments.runner.export import image_frame
from dip_experiments.store import Run
from dip_experiments.tasks import Reconstruction, Restoration, Task


@dataclass(frozen=True)
class PreparedRun:
    """A validated request: nothing was written yet."""

    settings: Settings
    device: torch.device
    pictures: Pictures
    build: Builder


def load(settings: Settings) -> Pictures:
    """Read all pictures of a run. Raises ValueError with what to do."""
    name = settings.image.name
    return load_pictures(name, settings.image.path, image_frame(settings), settings.task.extra_inputs(name))


def make_task(settings: Settings, pictures: Pictures, seeds: Sequence[int]) -> Task:
    """Return the task of the replicas with these seeds, on the CPU in float64.

    Raises:
        ValueError: Where task, image and target do not fit.
    """
    image, task = torch.from_numpy(pictures.image), settings.task
    if isinstance(task, Reconstruction):
        return task.make(image, seeds, settings.target)
    extra_inputs = {role: torch.from_numpy(picture) for role, picture in pictures.extra_inputs.items()}
    return cast(Restoration, task).make(image, seeds, extra_inputs)


def original_task(settings: Settings, pictures: Pictures, replicas: int) -> Task:
    """Return the task of the first replicas, before a stopping rule holds out its part. Raises as `make_task`."""
    source: Stream = "target" if isinstance(settings.task, Reconstruction) else "task"
    return make_task(settings, pictures, settings.seeds_of(source)[:replicas])


def recompute_measurement(run: Run) -> dict[str, NDArray[Any]]:
    """Compute the measurements of a finished run from its settings: for a record, which has no arrays.

    Returns:
        `measurement` "r c h w", `reference`, and where pixels are missing `known`.

    Raises:
        ValueError: If they are not those that were fitted.
    """
    settings = Settings.model_validate(run.settings)
    found = _arrays(original_task(settings, load(settings), settings.replicas))
    if [measurement_digest(found, r) for r in range(settings.replicas)] != run.summary["measurement_sha256"]:
        raise ValueError(f"run {run.name}: its measurement comes out otherwise here; fit it again: force=true")
    return found


def compute_measurement(settings: Settings, seeds: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Compute the measurements of settings for the draws of some seeds, as `recompute_measurement` has them."""
    return _arrays(make_task(settings, load(settings), seeds))


def _arrays(task: Task) -> dict[str, NDArray[Any]]:
    found = measurement(task)
    return found if task.reference is None else {**found, "reference": task.reference.numpy()}


def flash_image(pictures: Pictures) -> Float[Tensor, "1 c h w"] | None:
    """Return the flash image that is given to the network, None without one."""
    flash = pictures.extra_inputs.get("flash")
    return None if flash is None else torch.from_numpy(flash).unsqueeze(0)


def network_builder(settings: Settings, shape: tuple[int, int, int, int]) -> tuple[Builder, int, str]:
    """Return what builds the network, with as many scales as the picture has room for.

    Returns:
        The builder, the numbers that a fit of one replica holds, and a message if scales were left out.

    Raises:
        ValueError: For a class that is no network, wrong arguments, and a picture that is too small.
    """
    chosen = settings.architecture
    network = find_network(chosen.constructor, chosen.name)
    arguments: dict[str, Any] = {
        "input_channels": settings.latent.channels,
        "output_channels": shape[1],
        "size": shape[2:],
        **complete_arguments(network, dict(chosen.model_extra or {})),
    }
    arguments, message = drop_deepest_scales(network, arguments)
    return lambda replicas: network(**arguments, replicas=replicas), values_needed(network, arguments), message


def fit_options(settings: Settings) -> FitOptions:
    """Return the options of the fit."""
    fit = settings.fit
    return FitOptions(
        seeds=settings.seeds,
        streams={stream: settings.seeds_of(stream) for stream in get_args(Stream)},
        latent=settings.latent,
        optimizer=settings.optimizer,
        loss=settings.loss,
        regularizer=settings.regularizer,
        guidance=settings.guidance,
        rules=settings.rules,
        ends=settings.stopping.name,
        precision=settings.precision,
        iterations=fit.iterations,
        block=fit.block,
        average_decay=fit.average_decay,
        weight_noise=fit.weight_noise,
        spike_db=fit.spike_db,
        rollbacks=fit.rollbacks,
    )


def build_fit(prepared: PreparedRun, wanted: Iterable[int]) -> DIPModule:
    """Build the Lightning module of a run. `wanted`: iterations whose images are written."""
    settings, pictures = prepared.settings, prepared.pictures
    task = original_task(settings, pictures, settings.replicas)
    options = fit_options(settings)
    return make_module(task, prepared.build, options, prepared.device, flash_image(pictures), wanted)
