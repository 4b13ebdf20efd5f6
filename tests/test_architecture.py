"""The house stands as DESIGN says: imports go down only, rooms keep their furniture."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dip_experiments"
FLOORS = {
    "devices": 0,
    "metrics": 0,
    "published": 0,
    "schema": 0,
    "store": 0,
    "tensors": 0,
    "architectures": 1,
    "data": 1,
    "latents": 1,
    "losses": 1,
    "noise": 1,
    "operators": 1,
    "optimizers": 1,
    "regularizers": 1,
    "baselines": 2,
    "guidance": 2,
    "stopping": 2,
    "tasks": 2,
    "theory": 2,
    "analysis": 3,
    "config": 3,
    "fitting": 3,
    "jobs": 3,
    "report": 3,
    "runner": 4,
    "api": 5,
    "cli": 5,
    "scripts": 6,
}
NEIGHBOURS = {
    ("fitting", "jobs"),  # how a duration is written
    ("architectures", "operators"),
    ("losses", "noise"),  # what whitens a residual
    ("noise", "data"),  # the opponent planes
    ("theory", "stopping"),  # observers are rules that never stop
    ("report", "analysis"),  # how it names a network
    ("store", "metrics"),  # which points of a curve are kept
}
"""Who knows whom on the same floor: (package, the package that it imports)."""
STRANGERS = [
    ("analysis", "config"),
    ("report", "config"),
    ("fitting", "config"),
    ("metrics", "store"),
]
"""Packages that never know each other, whatever their floors."""
WITHOUT_TORCH = [
    "dip_experiments/analysis", "dip_experiments/baselines/classical.py", "dip_experiments/cli",
    "dip_experiments/config/compose.py", "dip_experiments/config/errors.py", "dip_experiments/config/overrides.py",
    "dip_experiments/data", "dip_experiments/jobs", "dip_experiments/metrics.py",
    "dip_experiments/published", "dip_experiments/report", "dip_experiments/schema.py", "dip_experiments/store",
    "scripts",
]  # fmt: skip
DOOR = ("main.py", "lazy_import.py", "schema.py", "__init__.py")
"""Files that may import by string: the torch-free door, and what finds an architecture by its `_target_`."""
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 300, 60, 10
FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])


@cache
def parsed(source: str) -> ast.Module:
    """The tree of a source, which several tests look at."""
    return ast.parse(source)


def room(path: Path) -> str:
    inside = path.relative_to(ROOT)
    return "scripts" if inside.parts[0] == "scripts" else Path(inside.parts[1]).stem


def imports(path: Path) -> Iterator[str]:
    """Full names of modules, and of what is taken from them: `from dip_experiments import store` is seen too."""
    for node in ast.walk(parsed(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["dip_experiments", *path.relative_to(PACKAGE).parts[: -node.level]] if node.level else []
            module = ".".join([*package, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def our_rooms(names: Iterable[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("dip_experiments.")} & set(FLOORS)


def test_every_room_is_on_a_floor() -> None:
    rooms = {room(path) for path in FILES} - {"__init__"}
    assert rooms <= set(FLOORS)
    assert set(FLOORS) - rooms == set()


def test_few_modules_are_at_the_top() -> None:
    assert len([path for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]) <= 10


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_map_for_contributors_has_every_package_on_its_floor(page: str) -> None:
    rows = re.findall(r"^\| (\d) \| (.*?) \|", (ROOT / page).read_text(), re.MULTILINE)
    named = {Path(name).stem: int(floor) for floor, names in rows for name in re.findall(r"`([\w./]+)`", names)}
    assert named == FLOORS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return
    mine = room(path)
    for name in our_rooms(imports(path)) - {mine}:
        assert FLOORS[name] < FLOORS[mine] or (mine, name) in NEIGHBOURS, f"{mine} imports {name}"
        assert (mine, name) not in STRANGERS


def test_no_module_of_a_room_imports_itself_by_a_detour() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    below = {name: {other for other in imports(path) if other in modules} - {name} for name, path in modules.items()}
    packages = {name for name, path in modules.items() if path.name == "__init__.py"}
    order = graphlib.TopologicalSorter({name: others - packages for name, others in below.items()})
    order.prepare()


def test_an_import_of_a_room_from_the_package_is_seen(tmp_path: Path) -> None:
    path = PACKAGE / "store" / "made_up.py"
    for line in (
        "from dip_experiments import fitting",
        "from dip_experiments.fitting import fit",
        "from .. import fitting",
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Path, "read_text", lambda self, line=line: line)
            assert our_rooms(imports(path)) == {"fitting"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_lightning_and_wandb_stay_in_their_rooms(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path)}
    assert "lightning" not in outside, "pytorch_lightning and lightning must never be mixed"
    if any(path.is_relative_to(ROOT / place) for place in WITHOUT_TORCH) and path.parent.name != "benchmarks":
        assert "torch" not in outside
    if room(path) not in ("fitting", "runner"):
        assert "pytorch_lightning" not in outside
    if path.name not in DOOR:
        assert "importlib" not in outside or path.name == "provenance.py"
    if path.name not in ("wandb_callback.py", "dashboard.py"):
        assert "wandb" not in outside


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_have_no_hidden_imports_or_asserts(path: Path) -> None:
    tree = parsed(path.read_text())
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
        for node in ast.walk(parsed(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert median(functions) <= MEDIAN_FUNCTION


def test_no_room_has_a_name_that_says_nothing() -> None:
    nothing = {"utils", "util", "helpers", "helper", "core", "base", "common", "misc"}
    assert not nothing & {path.stem for path in FILES} | nothing & {path.parent.name for path in FILES}


def test_the_door_opens_without_loading_what_computes() -> None:
    """`dip --help` is asked often: numpy, scikit-image and PyTorch come when something is to be fitted."""
    asked = "import sys, dip_experiments.cli.main; print({'numpy', 'skimage', 'torch'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "set()"


@pytest.mark.thorough
def test_a_fit_imports_nothing_that_draws() -> None:
    """torchmetrics, which comes with Lightning, imports pyplot by itself: without it, nothing of ours does."""
    asked = (
        "import sys, dip_experiments.runner.select_runs; print('matplotlib' in sys.modules); "
        "import dip_experiments.runner.run_job; "
        "print([name for name in sys.modules if name.startswith('dip_experiments.analysis.')])"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.split("\n")[:2] == ["False", "['dip_experiments.analysis.labels']"]
