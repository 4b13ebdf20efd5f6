"""An architecture by its `_target_`: the class, its arguments checked and filled in, what suits a small picture."""

import importlib
import inspect
import math
import sys
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, create_model

from dip_experiments.architectures.network import Network, TooSmall
from dip_experiments.store import file_digest

GIVEN = ("input_channels", "output_channels", "size", "replicas")
"""Arguments that come from the picture, the latent and the seeds."""
COPIES = 7
"""Of the weights: themselves, their gradients, two moments, and what of these the guard can go back to."""
IMAGES = 12
"""Pictures that a fit holds: measurement, reference, output, average, their copies and differences."""
SOURCE = "source of the class"
"""What the digests of a class of another package are called among its arguments: no argument can have that name."""
Arguments = dict[str, Any]
NEEDED: dict[tuple[type[Network], str], int] = {}
"""What `bytes_needed` has counted in this process."""


def find_network(target: str, name: str) -> type[Network]:
    """The class at a dotted path that goes by that name. Raises ValueError, naming the setting, if there is none."""
    module, _, attribute = target.rpartition(".")
    said = f"architecture._target_={target}"
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module of somebody else's is run here
        raise ValueError(f"{said}: no such class ({error})") from None
    if not (isinstance(found, type) and issubclass(found, Network)) or inspect.isabstract(found):
        raise ValueError(f"{said}: no network; give a class that inherits dip_experiments.architectures.Network")
    if (names := own_names(found)) and name not in names:
        raise ValueError(
            f"architecture.name={name}: {found.__name__} goes by {' or '.join(names)}; "
            f"to fit another network say architecture={name}"
        )
    return found


def own_names(network: type[Network]) -> tuple[str, ...]:
    """What one of our networks is called; nothing for a class of another package, though it inherits one of ours."""
    return network.names if is_ours(network) else ()


def is_ours(network: type[Network]) -> bool:
    """Whether a class is of this package, whose epochs say when numbers change."""
    return _top(network.__module__) == _top(__name__)


def filled_in(network: type[Network], words: Arguments) -> Arguments:
    """All arguments that a constructor takes from the settings, its defaults for those that `words` leave out.

    Raises pydantic's ValidationError unless it takes these, by name and type.
    """
    return _arguments_of(network).model_validate(words).model_dump()


@cache
def _arguments_of(network: type[Network]) -> type[BaseModel]:
    """What a constructor takes from the settings, by name and type, as a model: made once, as that takes long."""
    hints = typing.get_type_hints(network.__init__)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(network).parameters.items()
        if name not in GIVEN
    }
    return create_model("architecture", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def counted(network: type[Network], target: str, words: Arguments) -> Arguments:
    """What counts of an architecture in a run's name: ours by name, others by `target` and source, all arguments.

    Raises ValueError for one of another package whose source is not there.
    """
    arguments = filled_in(network, words)
    kept = {name: value for name, value in arguments.items() if network.neutral.get(name, counted) != value}
    if is_ours(network):
        names = own_names(network)
        return {"name": names[0] if names else target, **kept}
    return {"name": target, **kept, SOURCE: source_digests(network)}


@cache
def source_digests(network: type[Network]) -> dict[str, str]:
    """SHA-256 of the modules that a class of another package is made of, by name.

    Those that define it and the classes of its package that it inherits, and all that such a module imports from that
    package or from files outside the installed libraries. As they are when it is first asked for, which is when they
    were imported. Raises ValueError where a class has no file.
    """
    package = _top(network.__module__)
    waiting = [one.__module__ for one in network.__mro__ if _top(one.__module__) == package]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = file_digest(Path(str(sys.modules[name].__file__)))
        except (KeyError, AttributeError, OSError):
            raise ValueError(
                f"architecture._target_={network.__module__}.{network.__qualname__}: the source of {name} is not "
                "there, by which a run of it would be known; put it into a file that can be imported"
            ) from None
        waiting += [other for other in _imported(sys.modules[name]) if _top(other) == package or _is_own(other)]
    return dict(sorted(found.items()))


def _top(module: str) -> str:
    return module.partition(".")[0]


def _imported(module: ModuleType) -> Iterator[str]:
    """The modules that a module has among its names, and those of its functions and classes."""
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, (type, FunctionType)):
            yield value.__module__


def _is_own(module: str) -> bool:
    """Whether a module is somebody's file, neither ours nor of Python or an installed library."""
    file: str | None = getattr(sys.modules.get(module), "__file__", None)
    if not file or _top(module) in {*sys.stdlib_module_names, _top(__name__)}:
        return False
    return not {"site-packages", "dist-packages"} & {*Path(file).parts}


def built_without_memory(network: type[Network], arguments: Arguments, replicas: int = 1) -> Network:
    """The network with shapes and no numbers. Raises ValueError where the constructor does."""
    with torch.device("meta"):
        return network(**arguments, replicas=replicas)


def with_scales_that_fit(network: type[Network], arguments: Arguments) -> tuple[Arguments, str]:
    """The arguments with as many scales as the picture has room for, and what was changed, in words, or nothing.

    The deepest scales are left out. Raises ValueError where the constructor does, or where there is room for none.
    """
    lists = [name for name in network.per_scale if isinstance(arguments[name], list)]
    scales = min((len(arguments[name]) for name in lists), default=1)
    rows, columns = arguments["size"]
    for kept in range(scales, 0, -1):
        shorter = {name: network.finest(arguments[name], kept) for name in lists} if kept < scales else {}
        fewer = arguments | shorter
        try:
            built_without_memory(network, fewer)
        except TooSmall:
            continue
        said = f"{rows} x {columns} pixels have room for {kept} of the {scales} scales: the deepest are left out"
        return fewer, "" if kept == scales else said
    built_without_memory(network, arguments)
    return arguments, ""


def bytes_needed(network: type[Network], arguments: Arguments, replicas: int, value: int) -> int:
    """Memory that a fit takes, estimated from shapes alone; `value`: bytes of a number."""
    asked = network, repr(sorted(arguments.items()))
    if asked not in NEEDED:  # the jobs of a sweep mostly share their network
        NEEDED[asked] = _values_needed(network, arguments)
    return replicas * value * NEEDED[asked]


def _values_needed(network: type[Network], arguments: Arguments) -> int:
    """Numbers that a fit of one replica holds: weights with gradients and moments, maps, latents, pictures."""
    built = built_without_memory(network, arguments)
    weights = sum(parameter.numel() for parameter in built.parameters())
    maps: dict[int, int] = {}

    def seen(x: torch.Tensor) -> torch.Tensor:
        maps[x.untyped_storage()._cdata] = x.numel()
        return x

    latent = torch.empty(1, *built.latent_shape, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(seen, lambda x: x):
        kept = built.plain()(latent)  # noqa: F841  while it is there, so are the maps
    pictures = IMAGES * arguments["output_channels"] * math.prod(arguments["size"])
    passing = sum(maps.values()) // 5  # maps that come and go while gradients are computed
    return COPIES * weights + sum(maps.values()) + passing + 4 * latent.numel() + pictures
