"""What `dip` says of itself: a few lines without words, every word with --help."""

import re
import string
import textwrap
from collections.abc import Iterator

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from dip_experiments.config.compose import OPTIONAL, conf_folder, group_names, options

WIDTH = 110
WITHOUT_WORDS = ("experiment", "scale", "image")
"""Groups whose options are not explained one by one: what an experiment sets belongs to other groups."""
INTRODUCTION = """\
dip fits an untrained network to one image (Deep Image Prior). Without words it fits nothing. Try

  dip scale=smoke                                                     a trial in seconds
  dip experiment=restore_noisy image.path=photo.png output=restored.png     your own noisy picture, made good
  dip -m target=natural,noise architecture=skip,unet scale=smoke      a sweep: all combinations
  dip experiment=fig4 scale=laptop                                    the runs of a figure
  dip --help                                                          every word with its default

Plain settings (dip scale=laptop): 1000 iterations on astronaut, 128 x 128, with noise; a minute on two cores."""


def help_text() -> str:
    """What `dip --help` says: hydra.help of conf/config.yaml, with groups, settings and options filled in.

    Hydra's own answer composes every group of every plugin first, which takes longer than all the rest together.
    """
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        config = compose("config", return_hydra_config=True)
    template = string.Template(config.hydra.help.template)
    with open_dict(config):
        del config["hydra"]
    lines = (f"{group}: {', '.join(options(group))}" for group in group_names())
    groups = "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for line in lines)
    return template.safe_substitute(
        APP_CONFIG_GROUPS=groups, CONFIG=OmegaConf.to_yaml(config), OPTIONS="\n".join(_option_lines())
    )


def _option_lines() -> Iterator[str]:
    """The words that each option brings, with the comments of its file."""
    for group in (name for name in group_names() if name not in WITHOUT_WORDS):
        for option in options(group):
            lines = (conf_folder() / group / f"{option}.yaml").read_text(encoding="utf-8").splitlines()
            comments = (line.removeprefix("# ") for line in lines if line.startswith("# ") and "@package" not in line)
            comment = next(comments, "")
            yield f"{group}={option}" + (f"   {comment}" if comment else "")
            if group not in OPTIONAL:  # whose words belong to other groups
                yield from (f"  {group.replace('/', '.')}.{line}" for line in lines if _is_word(line))


def _is_word(line: str) -> bool:
    return bool(re.match(r"\w+:", line)) and not line.startswith(("name:", "defaults:", "_target_:"))
