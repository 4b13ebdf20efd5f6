"""A task from what a user holds in memory: arrays or tensors, and an operator of any kind."""

import copy
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dip_experiments.data.arrays import Layout, is_grey, known_values, to_channels_first
from dip_experiments.operators import Mask, Operator, as_operator
from dip_experiments.tasks.inverse import OperatorSettings
from dip_experiments.tasks.task import Task

Picture = NDArray[Any] | torch.Tensor


def _is_mask(operator: Any) -> bool:
    return getattr(operator, "dtype", None) in (np.bool_, torch.bool)


def read_measurement(measurement: Picture, operator: Any) -> tuple[NDArray[np.float64], Layout]:
    """Return a measurement "c h w", and the function that brings images into its layout."""
    known = operator if _is_mask(operator) else None
    return to_channels_first(measurement, in_unit_range=operator is None or known is not None, known=known)


class GivenOperator(OperatorSettings):
    """An operator that is given as an object."""

    name: Literal["given"]

    def make(self, shape: tuple[int, int, int] | None) -> Operator:
        raise ValueError("an operator that was given as an object cannot be made from settings")


def given_task(
    y: NDArray[np.float64],
    operator: Any,
    image_shape: tuple[int, int, int] | None,
    reference: Picture | None,
    replicas: int,
) -> Task:
    """Return the task of all replicas. Raises ValueError where operator, measurement and reference do not fit."""
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise ValueError(f"replicas: got {replicas!r}; input should be a valid integer")
    measurement = torch.from_numpy(y).expand(max(replicas, 1), *y.shape)
    given = (
        Mask(torch.from_numpy(known_values(operator, measurement.shape)))
        if _is_mask(operator)
        else as_operator(operator, image_shape)
    )
    given.image_shape((y.shape[0], y.shape[1], y.shape[2]))  # of a physics where it is, maybe on a GPU
    # Of a user's module the fit moves and converts a copy.
    given = given if operator is None else copy.deepcopy(given).to("cpu", torch.float64).requires_grad_(False)
    if reference is None:
        return Task(measurement, given)
    image, _ = to_channels_first(reference)
    clean = torch.from_numpy(image[:1] if len(y) == 1 and is_grey(image) else image)
    task = Task(measurement, given, clean.expand(max(replicas, 1), *clean.shape))
    if clean.shape != task.shape[1:]:
        raise ValueError(f"a reference of shape {tuple(clean.shape)}; the image has {task.shape[1:]}")
    return task
