"""Read from the comments of conf/ what groups, options and settings mean."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from dip_experiments.config.groups import OPTIONAL, conf_folder, group_names, option_file, options

NOT_SETTINGS = ("defaults", "hydra")
"""Keys of Hydra's own in a file of conf/."""


@dataclass(frozen=True)
class Setting:
    """A setting in a file of conf/.

    Attributes:
        key: Its full name, optimizer.lr.
        value: As the file has it.
        comment: What stands after it; an empty string for none.
        option: `optimizer=adam` if it comes with an option; an empty string for those of conf/config.yaml.
    """

    key: str
    value: str
    comment: str
    option: str = ""


def header(path: Path) -> list[str]:
    """Return the lines of the comment at the top of a file, without its marks; indented lines continue the last."""
    lines = itertools.dropwhile(lambda line: line.startswith("# @"), path.read_text(encoding="utf-8").splitlines())
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    joined: list[str] = []
    for line in (line.removeprefix("#") for line in comment):
        if joined and line.startswith("  "):
            joined[-1] = f"{joined[-1]} {line.strip()}"
        else:
            joined.append(line.strip())
    return joined


def summary(group: str, option: str) -> str:
    """Return the first line of an option's comment, of an experiment or a change the first sentence; "" for none."""
    path = option_file(group, option)
    first = next(iter(header(path) if path else []), "")
    return re.split(r"(?<=[.?]) (?=[A-Z])", first)[0] if group in OPTIONAL else first


def group_comment(group: str) -> str:
    """Return the comment on a group in the defaults of conf/config.yaml; an empty string without one."""
    lines = (conf_folder() / "config.yaml").read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(rf"  - (?:optional )?{group}: [^#]*# (.*)", line) for line in lines)
    return next((match[1] for match in found if match), "")


def settings_of(path: Path, prefix: str = "", option: str = "") -> Iterator[Setting]:
    """Yield the settings of a file in its order, with the comment that stands in the line of each."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if isinstance(root, yaml.MappingNode):
        yield from _settings(root, text.splitlines(), prefix, option)


def _settings(mapping: yaml.MappingNode, lines: list[str], prefix: str, option: str) -> Iterator[Setting]:
    for key, value in mapping.value:
        if key.value in NOT_SETTINGS and not prefix:
            continue
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _settings(value, lines, f"{name}.", option)
        elif key.value not in NOT_SETTINGS:
            start, end = value.start_mark, value.end_mark
            text = lines[start.line][start.column : end.column if end.line == start.line else None]
            comment = lines[end.line][end.column :].partition("#")[2] if end.line < len(lines) else ""
            yield Setting(name, text.strip(), comment.strip(), option)


def known_settings() -> list[Setting]:
    """Return the settings of conf/config.yaml and of every option but experiments and changes, which set others'."""
    found = list(settings_of(conf_folder() / "config.yaml"))
    for group in (group for group in group_names() if group not in OPTIONAL):
        found += [setting for option in options(group) for setting in documented_settings(group, option)]
    return found


def documented_settings(group: str, option: str) -> Iterator[Setting]:
    """Yield the settings that an option brings, by their full names."""
    if path := option_file(group, option):
        package = re.match(r"# @package (\S+)", path.read_text(encoding="utf-8"))
        prefix = f"{package[1] if package else group.replace('/', '.')}."
        yield from settings_of(path, "" if prefix == "_global_." else prefix, f"{group}={option}")
