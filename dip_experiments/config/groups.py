"""Groups of conf/ and their options: those of the package, then those of the user's own folders."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from dip_experiments.data.datasets import PICTURES

SORTED = ("image",)
"""Groups whose options lie in folders, image=set5/baby; any other folder inside a group is a group of its own."""
OPTIONAL = ("experiment", "change", "method")
"""Groups that may be missing, so that Hydra passes over an option that does not exist."""
_user_folders: ContextVar[tuple[Path, ...]] = ContextVar("user_folders", default=())


def conf_folder() -> Path:
    """Return conf/ inside the installed package, or next to it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def user_folders() -> tuple[Path, ...]:
    """Return the user's own folders of options, in the order in which Hydra searches them."""
    return _user_folders.get()


@contextmanager
def search_in(folders: Iterable[Path]) -> Iterator[None]:
    """Search for options in further folders, in this thread, until the context ends."""
    token = _user_folders.set(tuple(dict.fromkeys([*user_folders(), *folders])))
    try:
        yield
    finally:
        _user_folders.reset(token)


def group_names() -> tuple[str, ...]:
    """Return the groups of all folders, sorted; Hydra's own are left out."""
    return _groups((conf_folder(), *user_folders()))


@cache
def _groups(folders: tuple[Path, ...]) -> tuple[str, ...]:
    files = (path.relative_to(folder) for folder in folders for path in folder.rglob("*.yaml"))
    groups = {parent for file in files for parent in file.parents if parent.parts and parent.parts[0] != "hydra"}
    return tuple(sorted(str(group) for group in groups if len(group.parts) == 1 or group.parts[0] not in SORTED))


def options(group: str) -> list[str]:
    """Return what can be chosen in a group, those with a folder in their name last."""
    pattern, further = ("**/*.yaml", PICTURES) if group in SORTED else ("*.yaml", ())
    folders = [folder / group for folder in (conf_folder(), *user_folders())]
    names = [str(path.relative_to(folder).with_suffix("")) for folder in folders for path in folder.glob(pattern)]
    return sorted({*names, *further}, key=lambda name: ("/" in name, name))


def option_file(group: str, option: str) -> Path | None:
    """Return the YAML of an option, that of the first folder which has one; None for what no file defines."""
    files = (folder / group / f"{option}.yaml" for folder in (conf_folder(), *user_folders()))
    return next((file for file in files if file.is_file()), None)


def hidden_files(folder: Path) -> list[str]:
    """Return the files of a user's folder that the package's own of the same name hide from Hydra."""
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*.yaml")))
    return [name.as_posix() for name in names if (conf_folder() / name).is_file()]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return the known name that is closest to a wrong one, in brackets; an empty string if none is close."""
    close = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
