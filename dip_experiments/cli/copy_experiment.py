"""Copy an experiment and the script that draws it into the user's own folder, to edit and run."""

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from dip_experiments.config.groups import conf_folder, did_you_mean, option_file, options
from dip_experiments.config.overrides import config_dir_flags

NAME = r"[A-Za-z][A-Za-z0-9_-]*"
PLACE = re.compile(r'"(figures|tables)/(\w+)"(?=:)')
"""Folder and name of a page that a script writes."""


def copy(argv: Sequence[str]) -> int:
    """Copy an experiment and its figure script into your own folder, to edit and run.

    Writes FOLDER/conf/experiment/NAME.yaml and, where the scripts of the repository are at hand, FOLDER/NAME.py, and
    prints the commands that run them. FOLDER is the current one by default. Nothing is overwritten.

    Usage: dip copy EXPERIMENT NAME [FOLDER]

    Example: dip copy fig2 mine
    """
    experiment, name, folder = _arguments(argv)
    source, script = option_file("experiment", experiment), find_script(experiment)
    if source is None:
        raise ValueError(f"copy {experiment}: its file is missing")
    copies = {folder / "conf" / "experiment" / f"{name}.yaml": renamed_experiment(source.read_text(), experiment, name)}
    if script:
        copies[folder / f"{name}.py"] = renamed_script(script.read_text(), experiment, name)
    if present := [str(path) for path in copies if path.exists()]:
        raise ValueError(f"copy {experiment}: {', '.join(present)} exists; nothing is overwritten, give another name")
    for path, text in copies.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path}")
    if script is None:
        print(f"(no script of its own draws {experiment}: its runs are listed by dip status {name})")
    config_dir = [*config_dir_flags(), f"--config-dir={folder / 'conf'}"]
    print("Edit, then fit and draw, first as a trial in seconds:")
    print(f"  {shlex.join(['dip', *config_dir, '-m', f'experiment={name}', 'scale=smoke'])}")
    if script:
        print(f"  {shlex.join(['python', str(folder / f'{name}.py'), *config_dir, '--scale', 'smoke'])}")
    return 0


def _arguments(argv: Sequence[str]) -> tuple[str, str, Path]:
    if len(argv) not in (2, 3):
        raise ValueError(f"copy {' '.join(argv)}".rstrip() + ": give an experiment and a new name: dip copy fig2 mine")
    experiment, name, folder = argv[0], argv[1], Path(argv[2] if len(argv) == 3 else ".").expanduser()
    known = options("experiment")
    if experiment not in known:
        raise ValueError(f"copy {experiment}: no such experiment{did_you_mean(experiment, known)}")
    if not re.fullmatch(NAME, name):
        raise ValueError(f"copy {experiment} {name}: a name has letters, digits, _ and -, and begins with a letter")
    if name in known:
        raise ValueError(f"copy {experiment} {name}: there is an experiment of that name; give another one")
    return experiment, name, folder


def renamed_experiment(text: str, experiment: str, name: str) -> str:
    """Return the YAML of an experiment with another name, and with the command that fits the copy."""
    text = re.sub(rf"^( +name: ){experiment}\b", rf"\g<1>{name}", text, count=1, flags=re.MULTILINE)
    return re.sub(r"Command: .*", f"Command: dip --config-dir conf -m experiment={name}", text, count=1)


def renamed_script(text: str, experiment: str, name: str) -> str:
    """Return a script that draws another experiment into pages of that name, so that no page of ours is replaced."""
    folders = [folder for folder, _ in PLACE.findall(text)]

    def place(found: re.Match[str]) -> str:
        folder, old = found.groups()
        return f'"{folder}/{name if folders.count(folder) == 1 else f"{name}_{old}"}"'

    text = PLACE.sub(place, text)
    return re.sub(rf'(?<![\w\])])\["{experiment}"(?=[\],])', f'["{name}"', text)  # a list, not an index


def find_script(experiment: str) -> Path | None:
    """Return the script of the repository that draws an experiment, a figure before a table; None if none is found.

    Its name is the experiment's or a part of it: fig7.py draws fig7_text and fig7_missing. A script that imports other
    scripts would not run elsewhere and is passed over.
    """
    folder = conf_folder().parent / "scripts"
    paths = sorted(folder.rglob("*.py"))
    ours = {part for path in paths for part in path.relative_to(folder.parent).with_suffix("").parts}
    named = [path for path in paths if re.sub("^(figure|table)_", "", path.stem) in experiment]
    found = [path for path in named if _draws(path.read_text(), experiment) and not ours & set(_imports(path))]
    return min(found, key=lambda path: ("table" in str(path.relative_to(folder)), -len(path.stem)), default=None)


def _draws(text: str, experiment: str) -> bool:
    return bool(PLACE.search(text) and re.search(rf'(?<![\w\])])\["{experiment}"[\],]', text))


def _imports(path: Path) -> Iterator[str]:
    """Yield the top package of every import."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
