"""What was asked for: overrides composed into the settings of every job, and wrong requests put in plain words."""

import difflib
import re
import string
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import omegaconf.errors
import pydantic
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

WRONG_REQUEST = (HydraException, omegaconf.errors.OmegaConfBaseException, ValueError)
"""What a wrong request raises: in Hydra, in the schema (pydantic's error is a ValueError), in our own checks."""
LONGEST_MESSAGE = 3
CHOICES = ("optimizer", "target", "regularizer", "logger", "task", "task.noise", "task.mask")
"""Settings that are a choice between models: pydantic puts the choice's name into the path, optimizer.adam.lr."""
SORTED = ("image",)
"""Groups whose options lie in folders, image=set5/baby; any other folder inside a group is a group of its own."""


def conf_folder() -> Path:
    """conf/ inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def compose_jobs(overrides: Sequence[str], multirun: bool) -> list[DictConfig]:
    """The configuration of every job that the overrides ask for: one, or the grid of a sweep. Raises as Hydra does."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        parsed = zip(overrides, parser.parse_overrides(list(overrides)), strict=True)
        fixed = [word for word, override in parsed if not override.is_sweep_override()]
        hydra = compose("config", overrides=fixed, return_hydra_config=True).hydra
        if not (multirun or hydra.mode == RunMode.MULTIRUN):
            return [compose("config", overrides=list(overrides))]
        grid = [f"{key}={value}" for key, value in (hydra.sweeper.params or {}).items()]
        (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*grid, *overrides]), None)
        return [compose("config", overrides=job) for job in jobs]


def help_text() -> str:
    """What `dip --help` says: hydra.help of conf/config.yaml, with the groups and the composed settings filled in.

    Hydra's own answer composes every group of every plugin first, which takes longer than all the rest together.
    """
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        config = compose("config", return_hydra_config=True)
    template = string.Template(config.hydra.help.template)
    with open_dict(config):
        del config["hydra"]
    lines = (f"{group}: {', '.join(options(group))}" for group in group_names())
    groups = "\n".join(textwrap.fill(line, 110, subsequent_indent="  ", break_on_hyphens=False) for line in lines)
    return template.safe_substitute(APP_CONFIG_GROUPS=groups, CONFIG=OmegaConf.to_yaml(config))


def group_names() -> list[str]:
    """The groups of conf/; Hydra's own are not shown."""
    folders = [path.relative_to(conf_folder()) for path in conf_folder().rglob("*") if path.is_dir()]
    ours = (folder for folder in folders if folder.parts[0] != "hydra" and folder.parent.as_posix() not in SORTED)
    return sorted(folder.as_posix() for folder in ours)


def options(group: str) -> list[str]:
    """What can be chosen in a group, folders last; a file whose name begins with _ is a part of others."""
    folder = conf_folder() / group
    found = folder.rglob("*.yaml") if group in SORTED else folder.glob("*.yaml")
    names = (path.relative_to(folder).with_suffix("").as_posix() for path in found if path.name[0] != "_")
    return sorted(names, key=lambda name: ("/" in name, name))


def in_plain_words(error: Exception) -> str:
    """What was given, what is wanted and what to do, in at most three lines."""
    if isinstance(error, pydantic.ValidationError):
        lines = list(_schema_lines(error))
    elif isinstance(error, (HydraException, omegaconf.errors.OmegaConfBaseException)):
        lines = [_hydra_line(error)]
    else:
        lines = str(error).splitlines()
    return "\n".join(lines[:LONGEST_MESSAGE])


def _schema_lines(error: pydantic.ValidationError) -> Iterator[str]:
    prefix = [] if error.title == "Settings" else [error.title]
    for fault in error.errors():
        key = ".".join([*prefix, *_without_choices(str(part) for part in fault["loc"])])
        if fault["type"] == "extra_forbidden":
            yield _unknown(key)
        elif fault["type"] == "value_error":  # from a check of ours, which says it all
            yield str(fault["ctx"]["error"])
        else:
            yield f"{key}: got {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _without_choices(path: Iterable[str]) -> list[str]:
    kept: list[str] = []
    parts = iter(path)
    for part in parts:
        kept.append(part)
        if ".".join(kept) in CHOICES:
            next(parts, None)
    return kept


def _hydra_line(error: HydraException | omegaconf.errors.OmegaConfBaseException) -> str:
    message = str(error)
    if isinstance(error, omegaconf.errors.MissingMandatoryValue):
        return f"{error.full_key} is needed and has no default; add {error.full_key}=..."
    if found := re.search(r"Could not override '([^'/]+)/([^']+)'", message):
        group, inner = found.groups()
        return f"{group}/{inner}: this {group} has no {inner}; choose another {group}: {', '.join(options(group))}"
    if found := re.search(r"Could not override '([^']+)'", message):
        return _unknown(found[1])
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", message):
        group, option = found.groups()
        if (first := group.split("/")[0]) in SORTED:
            group, option = first, f"{group}/{option}".removeprefix(f"{first}/")
        known = options(group)
        return f"{group}={option}: no such option{_did_you_mean(option, known)}; choose from {', '.join(known)}"
    if found := re.search(r"Ambiguous value for argument '([^']+)'", message):
        return f"{found[1]}: several values; add -m to sweep over them, or write [a,b] for a list"
    return " ".join(message.split())[:300]


def _unknown(key: str) -> str:
    if elsewhere := [f"{group}={option}" for group, option, leaf in _option_keys() if leaf == key]:
        return f"{key}: unknown key with what was chosen; it comes with {' or '.join(elsewhere)}"
    return f"{key}: unknown key{_did_you_mean(key, _known_keys())}; `dip --help` lists all"


def _did_you_mean(given: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _known_keys() -> list[str]:
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        words = OmegaConf.to_container(compose("config"))
    return [*group_names(), *_leaves(words, ""), *(leaf for _, _, leaf in _option_keys())]


def _option_keys() -> Iterator[tuple[str, str, str]]:
    """Group, option and full key of every setting that an option brings; experiments are made of other groups."""
    for group in set(group_names()) - {"experiment"}:
        for option in options(group):
            words = OmegaConf.to_container(OmegaConf.load(conf_folder() / group / f"{option}.yaml"))
            yield from ((group, option, leaf) for leaf in _leaves(words, f"{group.replace('/', '.')}."))


def _leaves(words: object, prefix: str) -> Iterator[str]:
    if not isinstance(words, dict):
        return
    for name, value in words.items():
        yield f"{prefix}{name}"
        yield from _leaves(value, f"{prefix}{name}.")
