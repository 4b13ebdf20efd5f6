"""Base classes of all settings: read-only values with types and ranges, and the parts that users can exchange."""

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")
P = TypeVar("P", bound="Part")
TARGET = "_target_"
"""Key under which settings hold the dotted path of a class or function of the user's."""
READ = ("image.path", "task.mask", "task.mask.path", "task.flash", "task.classifier.weights")
WRITTEN = ("output", "paths.results")
"""Settings that name a file or a folder: all after the first = is its name, whatever is in it."""
NO_EXPERIMENT = "single"
"""Name of the experiment of runs that belong to none."""


@dataclass(frozen=True)
class DefaultForHash:
    """At this value a setting leaves the run id, as if it did not exist: a new setting renames no old run."""

    value: Any


@dataclass(frozen=True)
class NotHashed:
    """A setting that cannot change the numbers of a run: it is no part of the run id."""


@dataclass(frozen=True)
class HashContent:
    """The path of a file that counts by its content, never by its name."""


class Group(BaseModel):
    """Read-only settings; unknown keys, NaN and infinity are errors, and nothing is converted from text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Part(Group):
    """A part of a fit that users can exchange, such as a noise or a loss: its settings and its formula in one class.

    Parts of this package go by their `name`. A part of the user's is a subclass of the same base, found by its dotted
    path in `_target_`, or by its name if a package declares it as an entry point of the group `dip_experiments.<kind>`.
    """

    kind: ClassVar[str] = ""
    """The setting that holds such a part, as in `task.noise`; set by each base class."""
    adapts: ClassVar[bool] = False
    """True for a class that wraps an object of another form, see `accepts`."""
    name: str = ""
    target: Annotated[
        str | None, Field(alias=TARGET, exclude_if=lambda target: target is None), DefaultForHash(None)
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _with_name(cls, values: Any) -> Any:
        """Fill in the name, and for a class outside this package its dotted path."""
        if not isinstance(values, Mapping):
            return values
        others = {key: value for key, value in values.items() if key != TARGET}
        if cls.adapts:
            return {"name": str(values.get(TARGET)).rpartition(".")[2], **values}
        path = {} if is_own(cls) else {TARGET: f"{cls.__module__}.{cls.__qualname__}"}
        return {"name": cls.names()[0], **others, **path}

    @classmethod
    def accepts(cls, found: Any) -> bool:
        """Return whether a class that `adapts` can wrap the object at `_target_`."""
        return False

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names that the class goes by: those of its `name` field, else the name of the class."""
        return get_args(cls.model_fields["name"].annotation) or (cls.__name__,)

    @classmethod
    def registered(cls: type[P]) -> dict[str, type[P]]:
        """Return the classes of this package that can take the place of the base class, by name."""
        found = [each for each in _subclasses(cls) if is_own(each) and not inspect.isabstract(each)]
        return {name: each for each in found for name in get_args(each.model_fields["name"].annotation)}


@dataclass(frozen=True)
class Exchangeable:
    """Mark of a setting that holds a part: `Annotated[Noise, Exchangeable(Noise)]`; `optional`: or None."""

    base: type[Part]
    optional: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema: any subclass of the base, written with all its fields."""
        part = core_schema.no_info_plain_validator_function(partial(make_part, self.base))
        return core_schema.nullable_schema(part) if self.optional else part


def make_part(base: type[Part], values: Any) -> Part:
    """Build a part from its settings.

    Args:
        base: The base class of such parts.
        values: An instance, or a mapping with `name` or `_target_` and the fields of the class.

    Raises:
        ValueError: For a class that is not found or no such part, and for wrong fields.
    """
    if isinstance(values, base):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{base.kind}: got {values!r}; give a name, a class by {base.kind}.{TARGET}=module.Class, or in Python an "
            f"instance of a subclass of {base.__module__}.{base.__name__}"
        )
    return find_part(base, values).model_validate(dict(values))


def find_part(base: type[Part], values: Mapping[str, Any]) -> type[Part]:
    """Return the class that settings ask for. Raises ValueError, naming the setting, if none is found."""
    if path := values.get(TARGET):
        found = imported_object(path, f"{base.kind}.{TARGET}")
        for each in _subclasses(base):
            if each.adapts and each.accepts(found):
                return each
        if not (isinstance(found, type) and issubclass(found, base)) or inspect.isabstract(found):
            raise ValueError(
                f"{base.kind}.{TARGET}={path}: not a {base.kind.rpartition('.')[2]}; give a class that inherits "
                f"{base.__module__}.{base.__name__} and defines its abstract methods"
            )
        return found
    name, known = values.get("name"), base.registered()
    if name in known:
        return known[name]
    for point in importlib.metadata.entry_points(group=f"dip_experiments.{base.kind}", name=str(name)):
        return find_part(base, {TARGET: f"{point.module}.{point.attr}"})
    raise ValueError(f"{base.kind}.name={name}: unknown; choose from {', '.join(known)}, or give {base.kind}.{TARGET}")


def imported_object(path: str, setting: str) -> Any:
    """Import a class or function by its dotted path. Raises ValueError, naming the setting, if none is found."""
    module, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # the module is the user's: importing it may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == _top(module)
        hint = f"; go to the folder of {_top(module)}.py, or add it to PYTHONPATH" if missing else ""
        raise ValueError(f"{setting}={path}: cannot be imported ({error}){hint}") from None


def _subclasses(base: type[T]) -> Iterator[type[T]]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def is_own(found: Any) -> bool:
    """Return whether a class or function is of this package, whose epochs say when numbers change."""
    return _top(found.__module__) == _top(__name__)


@cache
def source_digests(found: Any) -> dict[str, str]:
    """Return the SHA-256 of the modules that a class or function of the user's is made of, by module name.

    Those that define it and the classes of its package that it inherits, and all that such a module imports from that
    package or from files outside the installed libraries; as they were at the first call.

    Raises:
        ValueError: If a module has no file.
    """
    package = _top(found.__module__)
    bases = inspect.getmro(found) if isinstance(found, type) else (found,)
    waiting = [one.__module__ for one in bases if _top(one.__module__) == package]
    digests: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        try:
            path = Path(_file_of(name))
            source = path.read_bytes()
        except OSError:
            raise ValueError(
                f"{found.__module__}.{found.__qualname__}: the source of {name} is not found, and a run is known by "
                "it; put it into a file that can be imported"
            ) from None
        digests[name] = hashlib.sha256(source).hexdigest()
        imported = {*_held(name), *(_imported(name, source) if path.suffix == ".py" else ())}
        waiting += [other for other in sorted(imported) if _is_users(other, package) and _file_of(other)]
    return dict(sorted(digests.items()))


def _top(module: str) -> str:
    return module.partition(".")[0]


def _file_of(module: str) -> str:
    """Return the file of a module, imported or not; an empty string for what is no module, or has no file."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None) or ""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # its parent is no package
        return ""
    return spec.origin or "" if spec and spec.has_location else ""


def _held(module: str) -> Iterator[str]:
    """Yield the modules among the names of a module, and those of its functions and classes."""
    for value in list(vars(sys.modules[module]).values()) if module in sys.modules else ():
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, (type, FunctionType)):
            yield value.__module__


def _imported(module: str, source: bytes) -> Iterator[str]:
    """Yield what a module's source imports, also inside its functions: modules, and names in them that may be such."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module if _file_of(module).endswith("__init__.py") else module.rpartition(".")[0]
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            yield from (origin, *(f"{origin}.{name.name}" for name in node.names))


def _is_users(module: str, package: str) -> bool:
    """Return whether a module is of a package, or of the user's, neither ours nor of Python or an installed library.

    Decided by its top-level name, so that no library is imported for it.
    """
    top = _top(module)
    if top == package or top in {*sys.stdlib_module_names, _top(__name__)}:
        return top == package
    return bool(file := _file_of(top)) and not {"site-packages", "dist-packages"} & {*Path(file).parts}


def use_slash(key: str, name: str, among: str = "") -> ValueError:
    """Return the error for `key=name`, where the name is that of a group's option or looks like one."""
    return ValueError(f"{key}={name}: a kind is chosen with a /; say {key.replace('.', '/')}={name}{among}")


def in_order_of(choices: Sequence[T]) -> Callable[[list[T]], list[T]]:
    """Return a function that sorts some of the choices: in a list that is a set, [a,b] and [b,a] are the same.

    It raises ValueError for a choice that occurs twice.
    """

    def ordered(chosen: list[T]) -> list[T]:
        if twice := sorted({str(one) for one in chosen if chosen.count(one) > 1}):
            raise ValueError(f"{', '.join(twice)} stands there twice; name each once")
        return sorted(chosen, key=choices.index)

    return ordered


Sigma = Annotated[float, Field(ge=0, le=255)]
"""Standard deviation in grey levels of 255."""
Width = Annotated[float, Field(ge=0, le=2)]
"""Standard deviation in pixels of the Gaussian by which neighbours share noise."""
Correlation = Annotated[float, Field(ge=-0.5, le=1)]
"""Of the noise in any two channels; for three of them it is -1/2 at least."""
Growth = Annotated[float, Field(ge=-2, le=2)]
"""Variance of noise at white less that at black, by that at mid-grey: 0 everywhere the same, 2 for photons alone."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""A part of the pixels, neither none nor all."""


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested settings by their full names, `image.size`."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found
