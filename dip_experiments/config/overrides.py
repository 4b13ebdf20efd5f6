"""What the words of a request mean, before Hydra reads them: flags, names of files, what contradicts."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from dip_experiments.config.compose import group_names, options
from dip_experiments.schema import use_slash

READ = ("image.path", "task.mask", "task.mask.path", "task.flash")
WRITTEN = ("output", "paths.results")
"""Settings that name a file or a folder: what stands after the first = is its name, whatever is in it."""
OBSERVE = ("stopping.observe", "stopping/observe")
"""What one might call the group `observe`."""
SWEEP_FLAGS = ("-m", "--multirun")
CFG = ("-c", "--cfg")
INFO = ("-i", "--info")
PACKAGE = ("-p", "--package")
QUESTIONS = (*CFG, *INFO, "--hydra-help", "-sc", "--shell-completion")
"""Flags to which Hydra answers without running anything."""
SHOWN = ("job", "hydra", "all")
KNOWN = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def split_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Flags, each with its argument as one word, wherever they stand, and the other words.

    Raises ValueError for flags that `dip` does not have.
    """
    flags: list[str] = []
    others: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        following = left[0] if left else ""
        if word in CFG:
            if following not in SHOWN:
                raise ValueError(f"{word}: say what is to be shown: {word} with one of {', '.join(SHOWN)}")
            flags.append(f"--cfg={left.pop(0)}")
        elif word in INFO:
            flags.append(f"--info={left.pop(0) if following in KNOWN else KNOWN[0]}")
        elif word in PACKAGE and following:
            flags.append(f"--package={left.pop(0)}")
        else:
            (flags if word.startswith("-") else others).append(word)
    _check_flags(flags)
    return flags, others


def _check_flags(flags: Sequence[str]) -> None:
    names = [flag.split("=")[0] for flag in flags]
    for name in names:
        if name in ("--resolve", *PACKAGE):
            if "--cfg" not in names:
                raise ValueError(f"{name}: belongs to --cfg; say --cfg job {name}")
        elif name not in (*SWEEP_FLAGS, *QUESTIONS):
            raise ValueError(f"{name}: unknown flag; use key=value words, -m for a sweep, --help for a list")


def for_hydra(words: Sequence[str], multirun: bool) -> list[str]:
    """The words as Hydra reads them: names of files in quotes, image=file where a path is given.

    Raises ValueError for words that contradict each other or that Hydra would take for something else.
    """
    return _with_file([_for_hydra(word, multirun) for word in words], dict(_pair(word) for word in words))


def _for_hydra(word: str, multirun: bool) -> str:
    key, value = _pair(word)
    if key.startswith("~"):
        name = key.removeprefix("~")
        raise ValueError(f"{word}: no setting can be left out; choose another value: {name}=...")
    if "=" not in word:
        raise ValueError(f"{word}: settings are given as key=value; `dip --help` lists them")
    if key in OBSERVE:
        return f"observe={value}"
    _check_choice(key, value)
    if key not in (*READ, *WRITTEN) or value == "null":
        return word
    if not value:
        raise ValueError(f"{word}: a name is missing after =; {key}=null means none")
    names = _names(value) if multirun else [_home(value)]
    if not multirun and key in READ and not os.path.exists(names[0]) and len(several := _names(value)) > 1:
        raise ValueError(f"{word}: no file of that name; for {len(several)} of them add -m to sweep over them")
    return f"{word.split('=')[0]}={','.join(quoted(name) for name in names)}"


def _pair(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    return key.lstrip("+"), value


def _check_choice(key: str, value: str) -> None:
    """task.mask=box names a kind, and kinds are chosen with a /; task.mask=mask.png and task.noise=none are short."""
    group = key.replace(".", "/")
    if "." not in key or group not in group_names():
        return
    for name in value.split(","):
        if name in options(group) and name != "none" and not os.path.exists(name):
            raise use_slash(key, value)
        if key == "task.noise" and name != "none" and not value.startswith("{"):
            raise use_slash(key, value, f", with one of {', '.join(options(group))}")


def _names(value: str) -> list[str]:
    """The names in a sweep: commas separate them, but for those in the name of a file that is there."""
    parts, names = value.split(","), []
    while parts:
        lengths = range(len(parts), 1, -1)
        joined = next((n for n in lengths if os.path.exists(_home(",".join(parts[:n])))), 1)
        names.append(_home(",".join(parts[:joined])))
        del parts[:joined]
    return names


def _home(name: str) -> str:
    return str(Path(name).expanduser()) if name == "~" or name.startswith("~/") else name


def quoted(text: str) -> str:
    """Text in quotes that Hydra and OmegaConf give back as it was, whatever is in it."""
    plain = re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + "\\${", text)
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), plain)
    return f"'{escaped}'"


def _with_file(words: list[str], given: dict[str, str]) -> list[str]:
    path = given.get("image.path", "null")
    if path == "null":
        return words
    chosen = given.get("image", "file")
    if chosen != "file":
        raise ValueError(
            f"image={chosen} with image.path={path}: the fit is of one or the other; leave one of them out"
        )
    return words if "image" in given else ["image=file", *words]
