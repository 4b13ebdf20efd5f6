"""Names and docstrings speak the field's language, in the imperative."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("dip_experiments", "scripts")
WORDS = {
    *("word", "words", "told", "said", "asked", "kept", "there", "whole", "sitting", "sittings", "begun", "companion"),
    *("companions", "realised", "evidence", "joint", "beside"),
}
"""No part of a name, in no docstring; there backticks are left out, as they quote stored names such as `sittings`."""
PHRASES = ("what became of",)
QUESTIONS = {"What", "Whether", "Where"}
NO_VERBS = {
    *("A", "An", "The", "This", "That", "These", "Those", "It", "Its", "Their", "All", "Each", "Every", "Both", "One"),
    *("Two", "No", "Of", "By", "In", "To", "From", "On", "For", "With", "How", "Why", "Which", "Who", "When", "True"),
}
"""Beginnings of a function's docstring that make it no imperative."""


def names_of(node: ast.AST) -> Iterator[str]:
    """Names that a node gives to something: modules of others and attributes that are only read are not ours."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr
    elif isinstance(node, ast.alias | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        yield from filter(None, [node.asname if isinstance(node, ast.alias) else node.name])


def parts(name: str) -> set[str]:
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def text_faults(node: ast.AST) -> Iterator[str]:
    """Faults of a docstring, of a module, class, function or of the constant above it."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
        return
    text = node.value.value
    prose = re.sub(r"`[^`]*`", "", text).lower()
    if text.split()[0].rstrip(".,:") in QUESTIONS:
        yield f"a docstring begins with {text.split()[0]}"
    for found in sorted(WORDS & set(re.findall(r"[a-z]+", prose))) + [it for it in PHRASES if it in prose]:
        yield f"a docstring has {found!r}"


def mood_faults(node: ast.AST) -> Iterator[str]:
    """Faults of a function whose docstring is no imperative; a property is a noun."""
    if not isinstance(node, ast.FunctionDef) or not (text := ast.get_docstring(node)):
        return
    if {getattr(decorator, "id", "") for decorator in node.decorator_list} & {"property", "cached_property"}:
        return
    first = text.split()[0].rstrip(".,:")
    if first in NO_VERBS or re.search(r"[^s]s$", first):
        yield f"{node.name}: a docstring begins with {first}, not with an imperative"


def faults(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        named = [f"the name {name}" for name in names_of(node) if parts(name) & WORDS]
        found += [
            f"{getattr(node, 'lineno', 1)}: {fault}" for fault in (*named, *text_faults(node), *mood_faults(node))
        ]
    return found


def modules() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def test_names_and_docstrings_are_in_the_words_of_the_field() -> None:
    found = [f"{path.relative_to(ROOT)}:{fault}" for path in modules() for fault in faults(path.read_text())]
    found += [str(path.relative_to(ROOT)) for path in modules() if parts(path.stem) & WORDS]
    assert not found, "\n".join(found)
    assert len(modules()) > 100


@pytest.mark.parametrize(
    "source",
    [
        "def begun_at(): pass",
        "def f(words): pass",
        "def f(*, whole_image=None): pass",
        "class Sitting: pass",
        "self.joint = 1",
        "for told in (): pass",
        "import numpy as evidence",
        'def f():\n    """What is done."""',
        'class A:\n    """Where it is."""',
        'def f():\n    """The sum."""',
        'def f():\n    """Returns the sum."""',
        'def f():\n    """Return None if there is none."""',
        'def f():\n    """Return x.\n\n    It is what became of y.\n    """',
        '"""Whether it works."""',
        'LIMIT = 1\n"""What it may be at most."""',
    ],
)
def test_a_word_of_the_old_language_is_found(source: str) -> None:
    assert len(faults(source)) == 1


def test_stored_names_and_other_words_are_no_faults() -> None:
    assert not faults('def reword(therefore):\n    """Return the `sittings` of a run, and wholesale."""\n    x.kept')
    assert not faults('@property\ndef size(self):\n    """The size."""')
