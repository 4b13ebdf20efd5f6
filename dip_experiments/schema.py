"""What every group of settings is: read-only words with types and ranges, and what each counts for in a run's name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Group(BaseModel):
    """Read-only; unknown keys, NaN and infinity are errors, and nothing is converted from text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


def chosen_with_slash(key: str, word: str, among: str = "") -> ValueError:
    """What to say instead of `key=word`, where the word is the name of a group or looks like one."""
    return ValueError(f"{key}={word}: a kind is chosen with a /; say {key.replace('.', '/')}={word}{among}")


def in_order_of(choices: Sequence[T]) -> Callable[[list[T]], list[T]]:
    """Return what brings some of the choices into their order: of a list that is a set, [a,b] and [b,a] are one.

    It raises ValueError for a choice that stands there twice.
    """

    def ordered(chosen: list[T]) -> list[T]:
        if twice := sorted({str(one) for one in chosen if chosen.count(one) > 1}):
            raise ValueError(f"{', '.join(twice)} stands there twice; name each once")
        return sorted(chosen, key=choices.index)

    return ordered


@dataclass(frozen=True)
class Neutral:
    """At this value a setting leaves the run's name, as if it did not exist: so a new setting renames no old run."""

    value: Any


@dataclass(frozen=True)
class NoEffect:
    """A setting that cannot change a run's numbers: it is no part of the name."""


@dataclass(frozen=True)
class ByContent:
    """The path of a file that counts by its content, never by its name."""


Sigma = Annotated[float, Field(ge=0, le=255)]
"""Standard deviation in grey levels of 255."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""A part of the pixels, neither none nor all."""


def flat(words: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested settings by their full names, `image.size`."""
    found: dict[str, Any] = {}
    for key, value in words.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found
