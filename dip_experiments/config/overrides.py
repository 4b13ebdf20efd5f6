"""Prepare the command line for Hydra: flags, folders of options, names of files, contradictions."""

import os
import pkgutil
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from dip_experiments.config.groups import conf_folder, group_names, hidden_files, options, search_in, user_folders
from dip_experiments.config.hints import is_url, no_option
from dip_experiments.schema import READ, TARGET, WRITTEN, use_slash

OBSERVE = ("stopping.observe", "stopping/observe")
"""Other names of the group `observe`."""
CONFIG_DIR = ("-cd", "--config-dir")
"""Hydra's flag for a folder of one's own options, a second conf/."""
SEARCH_PATH = "hydra.searchpath"
"""Hydra's setting for several of them."""
CUSTOM, OPERATOR = "custom", "task.operator"
"""Option of a group for a part of one's own; the setting that holds an operator, which has no group."""
NO_NAMES = ("true", "false")
"""Texts that Hydra reads as values, and that therefore name no option."""
SWEEP_FLAGS = ("-m", "--multirun")
CFG = ("-c", "--cfg")
INFO = ("-i", "--info")
PACKAGE = ("-p", "--package")
QUESTIONS = (*CFG, *INFO, "--hydra-help", "-sc", "--shell-completion")
"""Flags which Hydra answers without running anything."""
SHOWN = ("job", "hydra", "all")
KNOWN = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def split_config_dirs(argv: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Separate folders of the user's options from other arguments: `--config-dir FOLDER`, `hydra.searchpath=[FOLDER]`.

    Raises:
        ValueError: If a folder does not exist, or has a file that one of the package's own hides.
    """
    folders: list[Path] = []
    others: list[str] = []
    left = list(argv)
    while left:
        argument = left.pop(0)
        name, equals, value = argument.partition("=")
        if name in CONFIG_DIR:
            folders.append(_config_dir(name, value if equals else left.pop(0) if left else ""))
        elif name.lstrip("+") == SEARCH_PATH and value:
            folders += [_config_dir(name, given) for given in _search_path(argument)]
        else:
            others.append(argument)
    return list(dict.fromkeys(folder for folder in folders if folder != conf_folder().resolve())), others


def _search_path(argument: str) -> list[str]:
    value: Any = OverridesParser.create().parse_override(argument).value()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{argument}: give a list of folders: {SEARCH_PATH}=[my_conf]")
    return value


def _config_dir(name: str, given: str) -> Path:
    """Return the folder of `my_conf`, `file:///my_conf` or `pkg://mine.conf`."""
    scheme, _, rest = given.rpartition("://")
    if scheme == "pkg":
        try:
            folder = Path(next(iter(pkgutil.resolve_name(rest).__path__)))
        except (ImportError, AttributeError, ValueError, StopIteration):
            raise ValueError(f"{name} {given}: no such package") from None
    else:
        folder = Path(rest).expanduser().resolve()
    if not rest or not folder.is_dir():
        raise ValueError(f"{name} {given}".rstrip() + ": no such folder; give one with groups, such as my_conf")
    if folder != conf_folder().resolve() and (hidden := hidden_files(folder)):
        raise ValueError(f"{name} {given}: dip has a {hidden[0]} of its own, which hides yours; give it another name")
    return folder


def search_path_override() -> list[str]:
    """Return the override by which Hydra searches the user's folders too; an empty list without any."""
    names = ",".join(quoted(f"file://{folder}") for folder in user_folders())
    return [f"{SEARCH_PATH}=[{names}]"] if names else []


def config_dir_flags() -> list[str]:
    """Return the flags by which another command searches the user's folders too, relative paths where possible."""
    return [f"--config-dir={os.path.relpath(folder)}" for folder in user_folders()]


def split_flags(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate flags, each with its argument in one string, from overrides, in whatever order they are given.

    Raises ValueError for flags that `dip` does not have.
    """
    flags: list[str] = []
    overrides: list[str] = []
    left = list(argv)
    while left:
        argument = left.pop(0)
        following = left[0] if left else ""
        if argument in CFG:
            if following not in SHOWN:
                raise ValueError(f"{argument}: give what is to be shown: {argument} with one of {', '.join(SHOWN)}")
            flags.append(f"--cfg={left.pop(0)}")
        elif argument in INFO:
            flags.append(f"--info={left.pop(0) if following in KNOWN else KNOWN[0]}")
        elif argument in PACKAGE and following:
            flags.append(f"--package={left.pop(0)}")
        else:
            (flags if argument.startswith("-") else overrides).append(argument)
    _check_flags(flags)
    return flags, overrides


def _check_flags(flags: Sequence[str]) -> None:
    names = [flag.split("=")[0] for flag in flags]
    for name in names:
        if name in ("--resolve", *PACKAGE):
            if "--cfg" not in names:
                raise ValueError(f"{name}: belongs to --cfg; use --cfg job {name}")
        elif name not in (*SWEEP_FLAGS, *QUESTIONS):
            raise ValueError(f"{name}: unknown flag; settings are key=value, -m makes a sweep, `dip --help` lists all")


def to_hydra_overrides(argv: Sequence[str], multirun: bool) -> list[str]:
    """Convert arguments to Hydra's syntax: names of files in quotes, image=file where a path is given.

    Raises:
        ValueError: For arguments that contradict each other or that Hydra would misunderstand.
    """
    folders, arguments = split_config_dirs(argv)
    with search_in(folders):
        overrides = [_to_hydra_override(one, multirun) for one in arguments]
        overrides = _with_own_parts(overrides)
        given = dict(_pair(one) for one in arguments)
        return [*search_path_override(), *_with_file(overrides, given), *_not_degraded(given)]


def _to_hydra_override(argument: str, multirun: bool) -> str:
    key, value = _pair(argument)
    if key.startswith("~"):
        name = key.removeprefix("~")
        raise ValueError(f"{argument}: no setting can be left out; choose another value: {name}=...")
    if "=" not in argument:
        raise ValueError(f"{argument}: settings are given as key=value; `dip --help` lists them")
    if key in ("observe", *OBSERVE):
        if "{" in value:
            raise ValueError(f"{argument}: a class of your own goes by its name: observe.Mine.{TARGET}=module.Mine")
        return f"observe={value}"
    _check_choice(key, value)
    if key in READ and is_url(value):
        raise ValueError(f"{argument}: addresses are not read; download the picture, then {key}=its_file.png")
    if key not in (*READ, *WRITTEN) or value == "null":
        return argument
    if not value:
        raise ValueError(f"{argument}: a name is missing after =; {key}=null means none")
    names = _names(value) if multirun else [_home(value)]
    if not multirun and key in READ and not os.path.exists(names[0]) and len(several := _names(value)) > 1:
        raise ValueError(f"{argument}: no file of that name; for {len(several)} of them add -m to sweep over them")
    return f"{argument.split('=')[0]}={','.join(map(_quoted_name, names))}"


def _with_own_parts(overrides: list[str]) -> list[str]:
    """Choose the option `custom` where a part's class is given by `_target_`, and let its settings be added.

    `loss._target_=mine.Loss loss.delta=1` becomes `loss=custom loss._target_=mine.Loss ++loss.delta=1`.
    """
    keys = [_pair(override)[0] for override in overrides]
    paths = [key for key in keys if key.endswith(f".{TARGET}") and not key.startswith("hydra.")]
    parts = [path.removesuffix(f".{TARGET}") for path in paths]
    groups = [group for part in parts if (group := part.replace(".", "/")) not in keys and CUSTOM in options(group)]
    added = [f"{group}={CUSTOM}" for group in dict.fromkeys(groups)]
    inside = tuple(f"{part}." for part in (*parts, OPERATOR))
    return [
        *added,
        *(f"++{override}" if override.startswith(inside) else override for override in overrides),
    ]


def _pair(argument: str) -> tuple[str, str]:
    key, _, value = argument.partition("=")
    return key.lstrip("+"), value


def _check_choice(key: str, value: str) -> None:
    """Refuse task.mask=box, as a kind is chosen with a /; task.mask=mask.png and task.noise=none are short forms."""
    group = key.replace(".", "/")
    if key in group_names() and (not value or value.lower() in NO_NAMES) and value not in options(key):
        raise no_option(key, value)
    if "." not in key or group not in group_names():
        return
    for name in value.split(","):
        if name in options(group) and name != "none" and not os.path.exists(name):
            raise use_slash(key, value)
        if key == "task.noise" and name != "none" and not value.startswith("{"):
            raise use_slash(key, value, f", with one of {', '.join(options(group))}")


def _names(value: str) -> list[str]:
    """Split the names of a sweep at commas, but for those in the name of a file that exists."""
    parts, names = value.split(","), []
    while parts:
        lengths = range(len(parts), 1, -1)
        joined = next((n for n in lengths if os.path.exists(_home(",".join(parts[:n])))), 1)
        names.append(_home(",".join(parts[:joined])))
        del parts[:joined]
    return names


def _home(name: str) -> str:
    return str(Path(name).expanduser()) if name == "~" or name.startswith("~/") else name


def _quoted_name(name: str) -> str:
    """Quote the name of a file; `${oc.env:HOME}/x.png` is an interpolation unless a file has that very name."""
    return quoted(name, interpolate="${" in name and not os.path.exists(name))


def quoted(text: str, interpolate: bool = False) -> str:
    """Quote text so that Hydra and OmegaConf return it unchanged, or with `interpolate` resolve what is in ${...}."""
    plain = text if interpolate else re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + "\\${", text)
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), plain)
    return f"'{escaped}'"


AS_IT_IS = {
    "denoising": (("task.noise",), "task.noise=none"),
    "jpeg": (("task.quality",), "task.quality=null"),
    "super_resolution": (("task.source",), "task.source=low_resolution"),
    "deblurring": (("task.source", "task.noise"), "task.source=measurement"),
    "inverse": (("task.source", "task.noise"), "task.source=measurement"),
}
"""Task -> the settings that say how a picture is degraded, and what leaves it as it is."""


def _not_degraded(given: Mapping[str, str]) -> list[str]:
    """Return what makes a task take a picture of the user's as it is, unless a request says how it is degraded.

    Raises:
        ValueError: For inpainting without a mask, and for several tasks that differ in what they need.
    """
    task = given.get("task", "")
    if given.get("image.path", "null") == "null" or "experiment" in given:
        return []
    settings = {key.replace("/", "."): value for key, value in given.items()}
    if task == "inpainting" and not any(key.startswith("task.mask") for key in settings):
        raise ValueError(
            "task=inpainting of a picture of your own: give the mask, black where it is missing: task.mask=mask.png; "
            "to hide half of its pixels as a test, task/mask=bernoulli"
        )
    if "," in task:
        raise ValueError(f"task={task} of a picture of your own: ask for one task at a time, each leaves it as it is")
    if task not in AS_IT_IS:
        return []
    names, as_it_is = AS_IT_IS[task]
    degraded = any(key.startswith(names) and value != "none" for key, value in settings.items())
    return [] if degraded or as_it_is.partition("=")[0] in settings else [as_it_is]


def _with_file(overrides: list[str], given: dict[str, str]) -> list[str]:
    path = given.get("image.path", "null")
    if path == "null":
        return overrides
    chosen = given.get("image", "file")
    if chosen != "file":
        raise ValueError(
            f"image={chosen} with image.path={path}: the fit is of one or the other; leave one of them out"
        )
    return overrides if "image" in given else ["image=file", *overrides]
