"""Every drawing script says at its top what it draws, from which experiments, and by which command."""

import ast
import re
import shlex
import subprocess

import pytest
from fake_runs import ROOT, SCRIPTS, drawings, make_targets, part_of

PAGES: dict[str, list[str]] = {}
for _script, _place, _ in drawings():
    PAGES.setdefault(_script, []).append(_place)


def said(script: str, what: str) -> list[str]:
    """The entries after `Experiments:` or the like in a script's docstring."""
    text = ast.get_docstring(ast.parse((SCRIPTS / f"{script}.py").read_text())) or ""
    found = re.search(rf"\b{what}: (.*?)(?:\. |\.?\n(?=[A-Z])|\.?$)", text, re.DOTALL)
    assert found, f"{script}: its docstring has no `{what}:`"
    return re.split(r",\s+", found[1])


def experiments(script: str) -> list[str]:
    """The experiments that a script names; none for one that draws a formula."""
    text = (SCRIPTS / f"{script}.py").read_text()
    return [] if "Nothing is fitted." in text else said(script, "Experiments?")


def test_every_committed_figure_and_table_has_its_script() -> None:
    committed = {f"{path.parent.name}/{path.stem}" for path in (ROOT / "results").glob("*/[ft]*s/*.csv")}
    assert committed <= {place for places in PAGES.values() for place in places}
    assert len(committed) > 25


@pytest.mark.parametrize("script", PAGES)
def test_a_script_says_what_it_writes_from_what_and_by_which_command(script: str) -> None:
    assert said(script, "Writes") == PAGES[script]
    assert {name for name in experiments(script) if not (ROOT / f"conf/experiment/{name}.yaml").exists()} == set()
    (command,) = said(script, "Command")
    assert re.fullmatch(r"make [a-z0-9-]+( EXTRAS=\w+)?", command)
    assert command.split()[1] in make_targets()


@pytest.mark.parametrize("script", PAGES)
def test_a_script_names_the_experiments_it_composes(script: str) -> None:
    text = (SCRIPTS / f"{script}.py").read_text()
    asked = part_of(script, "REQUESTS") if "REQUESTS =" in text else ast.literal_eval(f"[{last_lists(text)}]")
    assert {request[0] for request in asked} == set(experiments(script))


def last_lists(text: str) -> str:
    """The requests that stand in the calls of `run_script` themselves."""
    return ", ".join(
        ast.unparse(request)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "run_script"
        and ast.unparse(node.args[1]) != "select_nothing"
        for request in node.args[2:]
    )


def test_make_alone_prints_every_target_on_one_screen() -> None:
    command = ["make", "--no-print-directory"]  # under `make test` it would name the folder it enters
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    lines = printed.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    spelled_out = re.sub(r"(\w+-)\{([\w,-]+)\}", lambda m: " ".join(m[1] + end for end in m[2].split(",")), printed)
    assert make_targets() - set(re.findall(r"[a-z0-9-]+", spelled_out)) <= {"help"}


def test_smoke_runs_what_make_would_run() -> None:
    commands = part_of("tools/smoke", "commands")
    ours = commands("smoke-ablations")
    assert [command[0].rpartition("/")[2] for command in ours] == ["dip", "python", "dip"] * 2
    assert not [word for command in ours for word in command if "ablation_pictures" in word]
    assert {"scale=smoke", "image=astronaut", "logger=none"} <= set(ours[0])
    printed = subprocess.run(
        ["make", "-n", "-o", "setup", "smoke-ablations"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert all(shlex.join(command) in " ".join(printed.split()) for command in ours)


def test_a_command_that_fails_ends_its_target(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    smoke = part_of("tools/smoke", "run_target")
    failing = [["x/dip", "no-such-command"], ["x/dip", "--version"]]
    monkeypatch.setitem(smoke.__globals__, "commands", lambda target: failing)
    assert smoke("any") == 2
    assert "any: x/dip no-such-command ended with 2" in capfd.readouterr().err
    monkeypatch.setitem(smoke.__globals__, "commands", lambda target: failing[1:])
    assert smoke("any") == 0
