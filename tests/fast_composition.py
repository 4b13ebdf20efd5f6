"""Hydra's composition of a request, of which that of its options is made once for all tests: it takes longest.

Settings are set in a copy of it by Hydra's own code, as Hydra does it last. What needs more than that (a folder of
one's own, a setting that Hydra refuses) is composed by Hydra alone.
"""

import copy
import os
from functools import cache
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from dip_experiments.config.groups import group_names


@cache
def options_composed(config_name: str, options: tuple[str, ...], folder: str) -> DictConfig:
    return hydra.compose(config_name, list(options), return_hydra_config=True)


def is_setting(override: Override, groups: frozenset[str]) -> bool:
    key = override.key_or_group
    return key not in groups and "@" not in str(override.input_line).partition("=")[0] and not key.startswith("hydra")


def compose(config_name: str, overrides: list[str] | None = None, return_hydra_config: bool = False) -> DictConfig:
    """Return what `hydra.compose` returns."""
    given = overrides or []
    try:
        composed = _compose(config_name, given)
    except (HydraException, KeyError):
        composed = None
    if composed is None:
        return hydra.compose(config_name, given, return_hydra_config=return_hydra_config)
    if not return_hydra_config:
        with open_dict(composed):
            del composed["hydra"]
    return composed


def _compose(config_name: str, overrides: list[str]) -> DictConfig | None:
    parsed = OverridesParser.create().parse_overrides(overrides)
    groups = frozenset(group_names())
    settings = [one for one in parsed if is_setting(one, groups)]
    options = [str(one.input_line) for one in parsed if one not in settings]
    if any("searchpath" in one for one in options) or any(one.is_sweep_override() for one in parsed):
        return None
    config = copy.deepcopy(options_composed(config_name, tuple(options), os.getcwd()))
    ConfigLoaderImpl._apply_overrides_to_config(settings, config)
    of_jobs = [one for one in parsed if not one.is_hydra_override()]
    with read_write(config.hydra):
        config.hydra.overrides.task = [str(one.input_line) for one in of_jobs]
        names: Any = OmegaConf.to_container(config.hydra.job.config.override_dirname)
        config.hydra.job.override_dirname = get_overrides_dirname(of_jobs, **names)
    return config
