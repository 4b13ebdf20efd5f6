"""Default settings from conf/, read without Hydra: the Python API shares them with the command line."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from dip_experiments.config.groups import conf_folder, did_you_mean, option_file
from dip_experiments.config.hints import key_hint, no_option
from dip_experiments.schema import TARGET, Part, flat

OVERRIDE = "override /"
"""Beginning of an entry in a defaults list that chooses an option of another group."""


@cache
def _load(path: Path) -> DictConfig:
    return cast(DictConfig, OmegaConf.load(path))


def _read(group: str, option: str) -> DictConfig:
    path = option_file(group, option)
    if path is None:
        raise no_option(group, option)
    return _load(path).copy()


def read_option(group: str, option: str, choices: Mapping[str, str]) -> DictConfig:
    """Read an option of a group with those of the groups below it, by its own defaults list or by `choices`.

    Raises:
        ValueError: If no such option exists.
    """
    node = _read(group, option)
    for entry in node.pop("defaults", []):
        for name, chosen in entry.items() if isinstance(entry, DictConfig) else ():
            if not str(name).startswith("override"):
                below = f"{group}/{name!s}"
                option = choices.get(below, chosen)
                node[name] = None if option is None else read_option(below, option, choices)
    return node


def read_experiment(name: str) -> tuple[dict[str, str], list[DictConfig]]:
    """Return the options that an experiment chooses, and its settings, those of the experiment it builds on first."""
    node = _read("experiment", name)
    choices: dict[str, str] = {}
    settings: list[DictConfig] = []
    for entry in node.pop("defaults", []):
        if isinstance(entry, DictConfig):
            choices |= {str(key).removeprefix(OVERRIDE): option for key, option in entry.items()}
        elif entry != "_self_":
            inner_choices, inner = read_experiment(entry)
            choices, settings = {**inner_choices, **choices}, [*settings, *inner]
    return choices, [*settings, node]


def default_settings(
    choices: Mapping[str, str], overrides: Mapping[str, Any], experiment: str | None = None
) -> dict[str, Any]:
    """Return the settings of conf/config.yaml with options of groups, as plain values.

    Args:
        choices: Group -> option, such as `optimizer` or `stopping/law`; of other groups that of conf/config.yaml.
        overrides: Settings by their full names, such as `fit.iterations`.
        experiment: Name of an experiment whose choices and settings come first.

    Raises:
        ValueError: For an option or a setting that does not exist.
    """
    own_choices, layers = read_experiment(experiment) if experiment else ({}, [])
    config = _load(conf_folder() / "config.yaml").copy()
    defaults = (item for entry in config.defaults if isinstance(entry, DictConfig) for item in entry.items())
    choices = {
        **{str(group): option for group, option in defaults if isinstance(option, str)},
        **own_choices,
        **choices,
    }
    node = {key: value for key, value in config.items_ex(resolve=False) if key not in ("defaults", "hydra")}
    node |= {group: read_option(group, option, choices) for group, option in choices.items() if "/" not in group}
    composed = cast(DictConfig, OmegaConf.merge(node, *layers))
    for below in (group for group in choices if "/" in group):
        group, _, name = below.rpartition("/")
        if _parent_of(below.replace("/", "."), composed) is None:
            raise ValueError(f"{below}={choices[below]}: {group}={choices.get(group)} has no {name}; leave it out")
    return _with_overrides(composed, overrides)


def option_settings(group: str, option: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one option. `overrides`: settings by their names below the group.

    Raises:
        ValueError: For an option or a setting that does not exist.
    """
    return _with_overrides(read_option(group, option, {}), overrides)


def _with_overrides(composed: DictConfig, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as plain values; a part given as an object or by its name replaces the default one."""
    for key, value in overrides.items():
        if _parent_of(key, composed) is None:
            known = flat(cast(dict[str, Any], OmegaConf.to_container(composed)))
            meant = key_hint(key)
            hint = f" (did you mean {meant}?)" if meant in known else did_you_mean(key, known)
            raise ValueError(f"{key}: unknown setting{hint}; `dip explain` with a group lists its settings")
        other_part = isinstance(value, Mapping) and not {"name", TARGET}.isdisjoint(value)
        OmegaConf.update(composed, key, None if isinstance(value, Part) else value, merge=not other_part)
    settings = cast(dict[str, Any], OmegaConf.to_container(composed, resolve=True))
    for key, value in overrides.items():
        if isinstance(value, Part):
            parent = cast(dict[str, Any], _parent_of(key, settings))
            parent[key.rpartition(".")[2]] = value
    return settings


def _parent_of(key: str, settings: Any) -> Any:
    """Return what holds the setting of this name, None if no setting has it."""
    *above, name = key.split(".")
    for part in above:
        settings = settings[part] if _has(settings, part) else None
    return settings if _has(settings, name) else None


def _has(settings: Any, name: str) -> bool:
    return isinstance(settings, (dict, DictConfig)) and name in settings.keys()  # noqa: SIM118  in alone: not if missing
