"""Find an architecture by its `_target_`, check its arguments, and adapt it to the size of the picture."""

import inspect
import math
import typing
from functools import cache
from types import FunctionType
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, create_model
from torch import nn

from dip_experiments.architectures.module_adapter import adapted
from dip_experiments.architectures.network import Network, TooSmall
from dip_experiments.schema import TARGET, imported_object, is_own, source_digests

GIVEN = ("input_channels", "output_channels", "size", "replicas")
"""Arguments that come from the picture, the latent and the seeds."""
COPIES = 7
"""Of the weights: themselves, their gradients, two moments, and what of these the guard can go back to."""
IMAGES = 12
"""Pictures that a fit holds: measurement, reference, output, average, their copies and differences."""
SOURCE = "source of the class"
"""Name of the digests of a class of another package among its arguments: no argument can have that name."""
Arguments = dict[str, Any]
NEEDED: dict[tuple[type[Network], str], int] = {}
"""Results of `values_needed` in this process."""


def find_network(target: str, name: str) -> type[Network]:
    """Return the network class at a dotted path: one of ours by its name, or one made of a module of the user's.

    Raises:
        ValueError: If nothing is at the path, or it goes by another name.
    """
    setting = f"architecture.{TARGET}"
    found: Any = imported_object(target, setting)
    if isinstance(found, type) and issubclass(found, Network):
        if inspect.isabstract(found):
            raise ValueError(f"{setting}={target}: is abstract; give a class that defines forward_replicas")
        if (names := own_names(found)) and name not in names:
            raise ValueError(
                f"architecture.name={name}: {found.__name__} goes by {' or '.join(names)}; "
                f"to fit another network say architecture={name}"
            )
        return found
    modules = isinstance(found, type) and issubclass(found, nn.Module)
    if modules or isinstance(found, FunctionType):
        return adapted(found)
    raise ValueError(f"{setting}={target}: no network; give a torch.nn.Module class, or a function that makes a module")


def own_names(network: type[Network]) -> tuple[str, ...]:
    """Return the names of one of our networks; none for a class of another package, though it inherits one of ours."""
    return network.names if is_own(network) else ()


def complete_arguments(network: type[Network], given: Arguments) -> Arguments:
    """Return the arguments of a constructor that come from the settings, defaults included.

    Of a network made of a user's module the defaults are left to it.

    Raises:
        pydantic.ValidationError: Unless it takes these arguments, by name and type.
    """
    checked = _arguments_of(network).model_validate(given)
    return checked.model_dump(exclude_unset=network.made_of is not None)


@cache
def _arguments_of(network: type[Network]) -> type[BaseModel]:
    """Return the arguments of a constructor, by name and type, as a model: made once, as that takes long."""
    source: Any = network.made_of or network
    constructor: Any = vars(source).get("__init__", source.__init__) if inspect.isclass(source) else source
    hints = typing.get_type_hints(constructor)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(source).parameters.items()
        if name not in GIVEN and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
    return create_model("architecture", __config__=config, **fields)


def hashed_arguments(network: type[Network], target: str, given: Arguments) -> Arguments:
    """Return what counts of an architecture in the run id: ours by name, others by path and source, all arguments.

    Raises:
        ValueError: For one of another package whose source is not found.
    """
    arguments = complete_arguments(network, given)
    counted = {name: value for name, value in arguments.items() if network.neutral.get(name, hashed_arguments) != value}
    if is_own(network):
        names = own_names(network)
        return {"name": names[0] if names else target, **counted}
    return {"name": target, **counted, SOURCE: source_digests(network.made_of or network)}


def built_without_memory(network: type[Network], arguments: Arguments, replicas: int = 1) -> Network:
    """Return the network with shapes and no numbers. Raises ValueError where the constructor does."""
    with torch.device("meta"):
        return network(**arguments, replicas=replicas)


def drop_deepest_scales(network: type[Network], arguments: Arguments) -> tuple[Arguments, str]:
    """Return the arguments with as many scales as the picture has room for, and a message if the deepest are left out.

    Raises:
        ValueError: Where the constructor does, or where not even one scale has room.
    """
    if network.made_of is not None:
        return arguments, ""
    lists = [name for name in network.per_scale if isinstance(arguments[name], list)]
    scales = min((len(arguments[name]) for name in lists), default=1)
    rows, columns = arguments["size"]
    fewer = arguments
    for count in range(scales, 0, -1):
        shorter = {name: network.finest(arguments[name], count) for name in lists} if count < scales else {}
        fewer = arguments | shorter
        try:
            built_without_memory(network, fewer)
        except TooSmall:
            continue
        message = f"{rows} x {columns} pixels have room for {count} of the {scales} scales: the deepest are left out"
        return fewer, "" if count == scales else message
    built_without_memory(network, fewer)
    return arguments, ""


def values_needed(network: type[Network], arguments: Arguments) -> int:
    """Return how many numbers a fit of one replica holds, estimated from shapes alone.

    0 for a module of the user's that does not run on PyTorch's meta device.
    """
    key = network, repr(sorted(arguments.items()))
    if key not in NEEDED:  # the jobs of a sweep mostly share their network
        try:
            NEEDED[key] = _values_needed(network, arguments)
        except Exception:
            if network.made_of is None:
                raise
            NEEDED[key] = 0
    return NEEDED[key]


def _values_needed(network: type[Network], arguments: Arguments) -> int:
    """Count weights with gradients and moments, maps, latents and images."""
    built = built_without_memory(network, arguments)
    weights = sum(parameter.numel() for parameter in built.parameters())
    maps: dict[int, int] = {}

    def seen(x: torch.Tensor) -> torch.Tensor:
        maps[x.untyped_storage()._cdata] = x.numel()
        return x

    latent = torch.empty(1, *built.latent_shape, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(seen, lambda x: x):
        output = built.plain()(latent)  # noqa: F841  as long as it lives, so do the maps
    pictures = IMAGES * arguments["output_channels"] * math.prod(arguments["size"])
    passing = sum(maps.values()) // 5  # maps that come and go while gradients are computed
    return COPIES * weights + sum(maps.values()) + passing + 4 * latent.numel() + pictures
