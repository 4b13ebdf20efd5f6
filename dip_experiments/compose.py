"""What was asked for: overrides composed into the settings of every job."""

import string
import textwrap
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

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
