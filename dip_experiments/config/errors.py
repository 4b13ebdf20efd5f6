"""Format the error of a wrong request in one to three lines."""

import re
from collections.abc import Iterable, Iterator, Sequence

import omegaconf.errors
import pydantic
from hydra.errors import HydraException, OverrideParseException

from dip_experiments.config.comments import known_settings
from dip_experiments.config.groups import SORTED, did_you_mean, group_names, options
from dip_experiments.config.hints import key_hint, no_option

WRONG_REQUEST = (HydraException, omegaconf.errors.OmegaConfBaseException, ValueError)
"""Errors of a wrong request: of Hydra, of the schema (pydantic's is a ValueError), of our own checks."""
LONGEST_MESSAGE = 3
EXTRAS = {
    "launcher": "Slurm: pip install hydra-submitit-launcher, then hydra/launcher=slurm; "
    "Ray: pip install hydra-ray-launcher, then hydra/launcher=ray_nodes",
    "sweeper": "Optuna: pip install hydra-optuna-sweeper, then hydra/sweeper=search",
}
"""How to install what does not come with dip_experiments, by Hydra's group."""
TITLES = ("Settings", "PlainSettings")
"""Models of all settings: pydantic calls others by a part that they belong to."""
CHOICES = ("logger",)
"""Settings that are a choice between models: pydantic puts the choice's name into the path, optimizer.adam.lr."""


def format_error(error: Exception) -> str:
    """Return what was given, what is wanted and what to do, in at most three lines."""
    if isinstance(error, pydantic.ValidationError):
        lines = list(_schema_lines(error))
    elif isinstance(error, (HydraException, omegaconf.errors.OmegaConfBaseException)):
        lines = [_hydra_line(error)]
    else:
        lines = str(error).splitlines()
    return "\n".join(lines[:LONGEST_MESSAGE])


def _schema_lines(error: pydantic.ValidationError) -> Iterator[str]:
    prefix = [] if error.title in TITLES else [error.title]
    for fault in error.errors():
        key = ".".join([*prefix, *_without_choices(str(part) for part in fault["loc"])])
        if fault["type"] == "extra_forbidden":
            yield _unknown(key)
        elif fault["type"] == "value_error":  # from a check of ours
            yield str(fault["ctx"]["error"])
        else:
            yield f"{key}: got {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _without_choices(path: Iterable[str]) -> list[str]:
    keys: list[str] = []
    parts = iter(path)
    for part in parts:
        keys.append(part)
        if ".".join(keys) in CHOICES:
            next(parts, None)
    return keys


def _hydra_line(error: HydraException | omegaconf.errors.OmegaConfBaseException) -> str:
    message = str(error)
    if isinstance(error, omegaconf.errors.MissingMandatoryValue):
        return f"{error.full_key} is needed and has no default; add {error.full_key}=..."
    if isinstance(error, omegaconf.errors.InterpolationResolutionError):
        return f"{error.full_key or 'a setting'}: {message.splitlines()[0]}"
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        return (
            f"{error.override}: cannot be read; text with blanks, brackets or signs goes in quotes: \"{key}='{value}'\""
        )
    if found := re.search(r"Could not override '([^'/]+)/([^']+)'", message):
        group, inner = found.groups()
        return f"{group}/{inner}: this {group} has no {inner}; choose another {group}: {', '.join(options(group))}"
    if found := re.search(r"Could not override '([^']+)'", message):
        return _unknown(found[1])
    if found := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", message):
        return _no_option(found[1], found[2], re.findall(r"^\t(\S+)$", message, re.MULTILINE))
    if found := re.search(r"Ambiguous value for argument '([^']+)'", message):
        return f"{found[1]}: several values; add -m to sweep over them, or write [a,b] for a list"
    if found := re.search(r"Sweep parameters '(.+)' require", message):
        return f"{found[1]}: several values; add -m to sweep over them: dip -m {found[1]}"
    if found := re.search(r"Multiple values for ([^.]+)\.", message):
        return f"{found[1]}: chosen already; without the + it is chosen anew: {found[1]}=..."
    because = f": {str(error.__cause__).splitlines()[0]}" if error.__cause__ and str(error.__cause__) else ""
    return " ".join(f"{message}{because}".split())[:300]


def _no_option(group: str, option: str, known_to_hydra: Sequence[str]) -> str:
    if group.startswith("hydra/"):
        extra = EXTRAS.get(group.removeprefix("hydra/"), "see `dip --hydra-help`")
        installed = f"there are {', '.join(known_to_hydra)}; " if known_to_hydra else ""
        return f"{group}={option}: not installed; {installed}{extra}"
    if (first := group.split("/")[0]) in SORTED:
        group, option = first, f"{group}/{option}".removeprefix(f"{first}/")
    return str(no_option(group, option))


def _unknown(key: str) -> str:
    known = known_settings()
    if elsewhere := [setting.option for setting in known if setting.key == key and setting.option]:
        return f"{key}: unknown key with what was chosen; it comes with {' or '.join(dict.fromkeys(elsewhere))}"
    if hint := key_hint(key):
        return f"{key}: unknown key; use {hint}"
    keys = [*group_names(), *(setting.key for setting in known)]
    return f"{key}: unknown key{did_you_mean(key, keys)}; `dip --help` lists the groups, `dip explain GROUP` their keys"
