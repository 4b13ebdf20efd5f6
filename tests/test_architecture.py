"""The house stands as DESIGN says: imports go down only, rooms keep their furniture."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dip_experiments"
FLOORS = {
    "tensors": 0,
    "metrics": 0,
    "published": 0,
    "schema": 0,
    "store": 0,
    "datasets": 0,
    "devices": 0,
    "operators": 1,
    "architectures": 1,
    "images": 1,
    "tasks": 2,
    "stopping": 2,
    "baselines": 2,
    "settings": 3,
    "fitting": 3,
    "drawing": 3,
    "compose": 4,
    "wording": 4,
    "selection": 4,
    "experiment": 4,
    "subcommands": 5,
    "command": 5,
}
STRANGERS = [
    ("targets", "architectures"),
    ("operators", "architectures"),
    ("operators", "targets"),
    ("metrics", "store"),
]
WITHOUT_TORCH = [
    "datasets",
    "images",
    "pictures",
    "task_settings",
    "baselines",
    "metrics",
    "published",
    "store",
    "settings",
    "figures",
    "comparison",
    "requests",
    "command",
    "scripts",
]
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 300, 60, 10
FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "scripts").glob("*.py")])


def room(path: Path) -> str:
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "scripts":
        return "scripts"
    return Path(inside.parts[1]).stem


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def our_imports(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("dip_experiments.")} - {room(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    floor = {**FLOORS, "scripts": 6, "__init__": -1}[room(path)]
    for name in our_imports(path):
        assert FLOORS[name] < floor or (room(path), name) == ("experiment", "requests"), f"{room(path)} imports {name}"
        assert (room(path), name) not in STRANGERS
        assert (name, room(path)) not in STRANGERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_lightning_and_wandb_stay_in_their_rooms(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path)}
    assert "lightning" not in outside, "pytorch_lightning and lightning must never be mixed"
    if room(path) in WITHOUT_TORCH and not path.name.startswith(("bench", "try")):
        assert "torch" not in outside
    if room(path) not in ("fitting", "experiment"):
        assert "pytorch_lightning" not in outside
    if path.name != "dashboard.py":
        assert "wandb" not in outside


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_have_no_hidden_imports_or_asserts(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for function in functions:
        assert (function.end_lineno or 0) - function.lineno < LONGEST_FUNCTION, function.name
        assert not [node for node in ast.walk(function) if isinstance(node, (ast.Import, ast.ImportFrom))], (
            function.name
        )
    star = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    assert not star


def test_functions_are_short_in_the_median() -> None:
    functions = [
        (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert median(functions) <= MEDIAN_FUNCTION


def test_no_room_has_a_name_that_says_nothing() -> None:
    nothing = {"utils", "util", "helpers", "helper", "core", "base", "common", "misc"}
    assert not nothing & {path.stem for path in FILES} | nothing & {path.parent.name for path in FILES}
