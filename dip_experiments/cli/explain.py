"""Explain settings, groups, options and experiments from the comments of conf/ and the schema."""

import os
import pkgutil
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from omegaconf import OmegaConf
from pydantic import BaseModel, PydanticSchemaGenerationError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.config.comments import Setting, documented_settings, group_comment, header, known_settings, summary
from dip_experiments.config.compose import compose_jobs, expand_grid, experiment_grid
from dip_experiments.config.groups import OPTIONAL, did_you_mean, group_names, option_file, options
from dip_experiments.config.hints import no_option
from dip_experiments.config.overrides import config_dir_flags
from dip_experiments.schema import Part, flat

WIDTH = 100
"""Columns of help."""
COLUMN, WIDEST_VALUE = 6, 24
"""Columns of a label, and of a value before its comment."""
MISSING = "???"
"""Value of a setting that has to be given."""
UNCHANGED = (".name", "._target_")
"""Settings that are the option itself."""
BOUNDS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
"""Ranges in a JSON schema."""


def explain(argv: Sequence[str]) -> int:
    """Explain a setting, a group or an option: meaning, default, type and range, source.

    Usage: dip explain KEY | GROUP | GROUP=OPTION

    Examples:
        dip explain optimizer.lr
        dip explain task
        dip explain task=inpainting
    """
    if not argv:
        raise ValueError("explain: give a setting, a group or an option: dip explain optimizer.lr, dip explain task")
    print("\n\n".join(_explanation(one) for one in argv))
    return 0


def _explanation(argument: str) -> str:
    name, equals, option = argument.partition("=")
    group = name.replace(".", "/")
    if group in group_names():
        return explain_option(group, option) if equals else explain_group(group)
    known = known_settings()
    if found := [setting for setting in known if setting.key == name]:
        return explain_setting(name, found)
    if inner := [setting for setting in known if setting.key.startswith(f"{name}.")]:
        return "\n".join([name, *_setting_lines({setting.key: setting for setting in inner})])
    hint = did_you_mean(name, [*group_names(), *(setting.key for setting in known)])
    raise ValueError(f"explain {argument}: no such setting or group{hint}; `dip --help` lists the groups")


def explain_setting(key: str, found: Sequence[Setting]) -> str:
    """Return the default, type and range of a setting, and for each option that brings it the value and comment."""
    config: Any = OmegaConf.to_container(compose_jobs([], multirun=False)[0], resolve=True)
    default = flat(config).get(key, "none: it comes with the options below")
    facts = [f"default {'null' if default is None else default}", _type_of(key, found)]
    rows = {setting.option or "conf/config.yaml": setting for setting in found}
    return "\n".join([f"{key}: {'; '.join(filter(None, facts))}", *_setting_lines(rows)])


def explain_group(group: str) -> str:
    """Return the options of a group, each with the first line of its comment."""
    names, comment = options(group), group_comment(group)
    lines = [f"{group}: {comment}" if comment else group]
    lines += [f"  choose with {group}=OPTION; more of one: dip explain {group}={names[0]}", ""]
    width = max(map(len, names)) + 2
    return "\n".join([*lines, *(line for name in names for line in _aligned(name, summary(group, name), width))])


def explain_option(group: str, option: str) -> str:
    """Return the comment and the settings of an option, of an experiment its grid and commands.

    Raises:
        ValueError: If no such option exists.
    """
    if option not in options(group):
        raise no_option(group, option)
    path = option_file(group, option)
    if path is None:
        return f"{group}={option}: a picture of the paper, downloaded when it is fitted first"
    lines = [f"{group}={option}", *(line for text in header(path) for line in _wrapped(text)), ""]
    if group == "experiment":
        return "\n".join([*lines, *_experiment_lines(option, path)])
    if group not in OPTIONAL:
        found = [setting for setting in documented_settings(group, option) if not setting.key.endswith(UNCHANGED)]
        lines += _setting_lines({setting.key: setting for setting in found})
    defaults: Any = OmegaConf.select(OmegaConf.load(path), "defaults") or []
    for inner in (inner for inner in group_names() if inner.rpartition("/")[0] == group):
        if any(inner.rpartition("/")[2] in one for one in defaults):
            lines += _aligned(inner, f"{', '.join(options(inner))} (dip explain {inner})", len(inner) + 2)
    return "\n".join([*lines, f"  in {_shown(path)}"])


def _experiment_lines(name: str, path: Path) -> Iterator[str]:
    """Yield grid and commands of an experiment."""
    grid = experiment_grid(name)
    runs = len(expand_grid([f"{key}={values}" for key, values in grid.items()]))
    for number, (key, values) in enumerate(grid.items()):
        yield from _aligned("" if number else "grid", f"{key}={values}", COLUMN)
    dip = shlex.join(["dip", *config_dir_flags()])
    rows = {"runs": str(runs), "file": _shown(path), "fit": f"{dip} -m experiment={name}"}
    for label, text in (rows | {"copy": f"{dip} copy {name} my_{name}"}).items():
        yield from _aligned(label, text, COLUMN)


def _setting_lines(rows: Mapping[str, Setting]) -> Iterator[str]:
    """Yield value and comment of settings, each after its name."""
    width = max(map(len, rows), default=0) + 2
    values = min(max((len(setting.value) for setting in rows.values()), default=0), WIDEST_VALUE)
    for name, setting in rows.items():
        yield from _aligned(name, f"{setting.value:<{values}}  {setting.comment}".rstrip(), width)


def _aligned(name: str, text: str, width: int) -> list[str]:
    """Return a name and the text next to it, wrapped."""
    start = f"  {name:<{width}}"
    return textwrap.wrap(
        text, WIDTH, initial_indent=start, subsequent_indent=" " * (width + 2), break_on_hyphens=False
    ) or [start.rstrip()]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _shown(path: Path) -> str:
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here


def _type_of(key: str, found: Sequence[Setting]) -> str:
    """Return type and range of a setting, `number > 0`; an empty string where neither schema nor class has them.

    Args:
        key: Full name of the setting.
        found: The setting in the files of conf/; an option's `_target_` is the class whose constructor takes it.
    """
    settings = lazy_import("dip_experiments.config.settings").Settings
    hints = [*_hints(settings, key.split(".")), *(hint for one in found for hint in _constructor_hints(one))]
    described: dict[str, None] = {}
    for hint in hints:
        try:
            described |= dict.fromkeys([describe_type(TypeAdapter(hint).json_schema())])
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema):
            continue
    return " or ".join(name for name in described if name)


def _constructor_hints(setting: Setting) -> Iterator[Any]:
    group, _, option = setting.option.partition("=")
    values = {one.key: one.value for one in documented_settings(group, option)}
    target = values.get(f"{group.replace('/', '.')}._target_")
    if target and target != MISSING:
        hints = get_type_hints(pkgutil.resolve_name(target).__init__)
        yield from (hint for name, hint in hints.items() if setting.key.rpartition(".")[2] == name)


def _hints(owner: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield the annotation of a setting in every model that has it."""
    for model in _models(owner):
        field = model.model_fields.get(path[0])
        if field is None:
            continue
        hint: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        if len(path) > 1:
            yield from _hints(hint, path[1:])
        else:
            yield hint


def _models(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, Part):
        yield from hint.registered().values()
    elif isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in get_args(hint):
        yield from _models(inner)


def describe_type(schema: Mapping[str, Any]) -> str:
    """Describe a JSON schema: `integer >= 0`, `one of theta, z, both`, `list of number or null`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(describe_type, schema["anyOf"])))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", ""))
    if kind == "array":
        return f"list of {describe_type(schema.get('items', {}))}".removesuffix(" of ")
    bounds = [f"{sign} {schema[name]:g}" for name, sign in BOUNDS.items() if name in schema]
    pattern = f"matching {schema['pattern']}" if "pattern" in schema else ""
    parts = [{"boolean": "true or false", "string": "text"}.get(kind, kind), " and ".join(bounds), pattern]
    return " ".join(filter(None, parts))
