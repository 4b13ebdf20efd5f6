"""Help fits two screens and repeats conf/; `dip explain` gives meaning, default, range and source of a setting."""

import re
from pathlib import Path

import pytest
from conftest import Dip

from dip_experiments.cli.commands import SUBCOMMANDS
from dip_experiments.cli.explain import describe_type, explain_option
from dip_experiments.cli.help import command_help, general_help
from dip_experiments.cli.main import main
from dip_experiments.config.comments import group_comment, header, known_settings, settings_of, summary
from dip_experiments.config.groups import OPTIONAL, group_names, options

SCREEN, COLUMNS = 45, 100


def test_help_fits_two_screens_with_the_commands_on_the_first() -> None:
    lines = general_help().splitlines()
    assert len(lines) <= 2 * SCREEN
    assert max(map(len, lines)) <= COLUMNS
    first = "\n".join(lines[:20])
    assert all(re.search(rf"^  {name} +[A-Z].*\.$", first, re.MULTILINE) for name in SUBCOMMANDS)
    assert all(re.search(rf"^  {group} +\S", general_help(), re.MULTILINE) for group in group_names())


def test_every_example_of_the_help_names_what_there_is() -> None:
    given = re.findall(r"\b([a-z_/]+)=([a-z0-9_,]+)\b", general_help().partition("Examples")[2])
    chosen = [(group, name) for group, names in given if group in group_names() for name in names.split(",")]
    assert len(chosen) > 8
    assert [(group, name) for group, name in chosen if name not in (*options(group), "mine")] == []


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_usage_and_an_example(name: str) -> None:
    text = command_help(name)
    assert re.match(rf"dip {name}: [A-Z].*\.\n", text)
    assert re.search(rf"^Usage: dip {name}\b", text, re.MULTILINE)
    assert re.search(rf"^(Example: |    )dip {name}\b", text, re.MULTILINE)


@pytest.mark.parametrize("argv", [["keep", "--help"], ["-h", "keep"], ["help", "keep"]])
def test_help_of_a_subcommand_runs_nothing(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    assert capfd.readouterr().out.startswith("dip keep: Export records")


def test_help_of_an_unknown_subcommand_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["kep", "--help"]) == 2
    assert capfd.readouterr().err.startswith("kep: no such command (did you mean keep?)")


def test_help_of_an_experiment_is_its_comment_and_its_grid(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "experiment=fig2", "--help"]) == 0
    told = capfd.readouterr().out
    for line in ("  Figure 2 of the paper: ", "  Expected: natural", "  Time: 30 s", "  Command: make reproduce-fig2"):
        assert f"\n{line}" in told
    for line in ("grid  architecture=skip,pixels", "      target=natural,noisy,shuffled,noise", "runs  8"):
        assert f"  {line}\n" in told


@pytest.mark.parametrize("experiment", ["restore_noisy", "table_denoising", "ablation_size"])
def test_the_grid_of_help_is_the_one_that_is_fitted(experiment: str) -> None:
    told = explain_option("experiment", experiment)
    assert re.search(r"^  runs  \d+$", told, re.MULTILINE)
    assert max(map(len, told.splitlines())) <= COLUMNS


def test_every_setting_has_a_comment_and_every_group_and_option_too() -> None:
    named = [setting for setting in known_settings() if not setting.key.endswith((".name", "._target_"))]
    assert len(named) > 150
    assert [(one.option, one.key) for one in named if not one.comment] == []
    assert [group for group in group_names() if "/" not in group and not group_comment(group)] == []
    files = [(group, name) for group in group_names() for name in options(group) if "/" not in name]
    assert [f"{group}={name}" for group, name in files if not summary(group, name)] == []


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("optimizer.lr", r"optimizer\.lr: default 0\.01; number > 0\n  optimizer=adam +0\.01 +learning rate \(authors"),
        ("stopping.patience", r"comes with the options below; integer > 0\n  stopping=held_out_pixels +200 "),
        ("optimizer.lr=3", r"optimizer\.lr: default 0\.01"),
        ("fit", r"fit\n  fit\.iterations .*\n(  .*\n)+"),
        ("architecture.padding", r"default reflection; one of reflection, zero\n"),
        ("latent.optimise", r"default theta; one of theta, z, both, z_and_norms\n"),
        ("task.noise", r"task/noise\n.*\n\n  blurred_gaussian +x \+ correlated noise"),
        ("task", r"task: operator A and energy E.*\n  choose with task=OPTION(.*\n)+  jpeg +Remove JPEG"),
        (
            "task=jpeg",
            r"task=jpeg\n  Remove JPEG(.*\n)+  task\.quality  10  1 worst to 100(.*\n)+  in \S+/task/jpeg.yaml",
        ),
        ("task=inpainting", r"\n  task/mask  authors, bernoulli, .*dip explain task/mask"),
        ("observe=split", r"\n  Watches as stopping=split does"),
        ("image=cset9/f16", r"a picture of the paper"),
    ],
)
def test_explain_says_what_conf_says(key: str, wanted: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", key]) == 0
    assert re.search(wanted, capfd.readouterr().out)


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["optimizr.lr"], "explain optimizr.lr: no such setting or group (did you mean optimizer.lr?)"),
        (["tsk"], "(did you mean task?)"),
        (["task=inpaint"], "task=inpaint: no such option (did you mean inpainting?)"),
        ([], "explain: give a setting, a group or an option"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    argv: list[str], wanted: str, dip: Dip, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *argv]) == 2
    assert wanted in capfd.readouterr().err


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "integer", "minimum": 0}, "integer >= 0"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number >= 0 and < 1"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "list of one of a, b"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "boolean"}, "true or false"),
        ({"const": "adam"}, "adam"),
        ({}, ""),
    ],
)
def test_a_type_is_said_in_words(schema: dict[str, object], wanted: str) -> None:
    assert describe_type(schema) == wanted


def test_comments_are_read_whatever_stands_around_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "# @package _global_\n# First line,\n#   continued.\n# Second.\ndefaults:\n  - b: c  # no setting\n"
        "plain: 1  # one # two\ntext: 'a # b'   # quoted\nmap: {a: 1}  # flow\n"
        "nested:\n  list: [1,\n    2]   # long\n  none:\n"
    )
    assert header(path) == ["First line, continued.", "Second."]
    found = [(one.key, one.value, one.comment) for one in settings_of(path)]
    assert found == [
        ("plain", "1", "one # two"),
        ("text", "'a # b'", "quoted"),
        ("map", "{a: 1}", "flow"),
        ("nested.list", "[1,", "long"),
        ("nested.none", "", ""),
    ]


def test_of_experiments_the_first_sentence_stands_in_the_list() -> None:
    for group in OPTIONAL:
        assert all(re.search(r"[.?]$|\.png$", summary(group, name)) for name in options(group))
    assert summary("experiment", "fig7_text").endswith("letters.")
