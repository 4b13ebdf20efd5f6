"""Print help: of `dip`, of a subcommand, of an experiment or another option."""

import inspect
import string
import textwrap
from collections.abc import Iterator, Sequence

from omegaconf import OmegaConf

from dip_experiments.cli.commands import SUBCOMMANDS, find_command
from dip_experiments.cli.explain import WIDTH, explain_option
from dip_experiments.config.groups import conf_folder, group_names, options

HELP = ("-h", "--help")
LINES = 4
"""Most lines for the options of a group."""
INTRODUCTION = """\
dip fits an untrained network to one image (Deep Image Prior). Try

  dip scale=smoke                                                           a trial in seconds
  dip restore photo.png                                                     restore your own noisy picture
  dip -m target=natural,noise architecture=skip,unet scale=smoke            a sweep: all combinations
  dip experiment=fig4 scale=laptop                                          the runs of a figure
  dip --help                                                                commands and settings

Default settings (dip scale=laptop): 1000 iterations on astronaut, 128 x 128, with noise; a minute on two cores."""


def print_help(argv: Sequence[str]) -> int:
    """Print help on what the arguments name, a subcommand or options, else on `dip`; return the exit code 0.

    Raises:
        ValueError: For an unknown subcommand or option.
    """
    named = [one for one in argv if one not in (*HELP, "help") and not one.startswith("-")]
    chosen = [one.split("=", 1) for one in named if one.split("=")[0] in group_names() and "=" in one]
    if named and "=" not in named[0]:
        print(command_help(named[0]))
    elif chosen:
        print("\n\n".join(explain_option(group, option) for group, several in chosen for option in several.split(",")))
    else:
        print(general_help())
    return 0


def command_help(name: str) -> str:
    """Return the help of a subcommand, which is its docstring."""
    return f"dip {name}: {inspect.getdoc(find_command(name))}"


def general_help() -> str:
    """Return hydra.help of conf/config.yaml, with subcommands and groups filled in.

    Hydra's own answer composes every group of every plugin first, which takes seconds.
    """
    config = OmegaConf.load(conf_folder() / "config.yaml")
    template = string.Template(config.hydra.help.template)
    return template.substitute(COMMANDS="\n".join(_command_lines()), GROUPS="\n".join(_group_lines()))


def _command_lines() -> Iterator[str]:
    for name, run in SUBCOMMANDS.items():
        yield f"  {name:<11}{(inspect.getdoc(run) or '').splitlines()[0]}"


def _group_lines() -> Iterator[str]:
    for group in group_names():
        lines = _option_lines(group, options(group))
        yield from (f"  {'' if number else group:<17}{line}" for number, line in enumerate(lines))


def _option_lines(group: str, names: Sequence[str]) -> list[str]:
    """Return the options of a group in at most `LINES` lines; of more the first ones, and how to list all."""
    for shown in range(len(names), -1, -1):
        more = [f"... ({len(names)}: dip explain {group})"] if shown < len(names) else []
        lines = textwrap.wrap(", ".join([*names[:shown], *more]), WIDTH - 19, break_on_hyphens=False)
        if len(lines) <= LINES:
            break
    return lines
