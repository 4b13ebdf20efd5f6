"""`dip restore photo.jpg`: short for the experiments that restore a noisy photograph."""

from collections.abc import Sequence
from pathlib import Path

from dip_experiments.config.overrides import split_flags

EXPERIMENTS = {
    "auto": "restore",
    "gaussian": "restore_noisy",
    "poisson": "restore_poisson",
    "speckle": "restore_speckle",
}
"""Noise -> the experiment whose settings restore a picture with it."""
DEFAULT = "auto"
USAGE = "dip restore photo.jpg [noise=auto] [output=photo_restored.png] [key=value ...]"


def experiment_for(noise: str) -> str:
    """Return the experiment that restores a picture with such noise. Raises ValueError for an unknown one."""
    if noise not in EXPERIMENTS:
        raise ValueError(f"noise={noise}: unknown; choose from {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[noise]


def restoring(argv: Sequence[str]) -> list[str]:
    """Return the settings for which `dip restore` with these arguments stands.

    Raises:
        ValueError: Unless the first argument alone is a picture; for an unknown noise or flag.
    """
    picture, *rest = argv or [""]
    if not picture or (not Path(picture).exists() and "=" in picture):
        raise ValueError(f"dip restore: a picture comes first: {USAGE}")
    flags, others = split_flags(rest)
    if several := [one for one in others if "=" not in one and not one.startswith("~")]:
        raise ValueError(
            f"dip restore {picture} {several[0]}: one picture at a time; many: "
            "dip -m experiment=restore image.path=a.png,b.png output='{image}_restored.png'"
        )
    noises = [one.partition("=")[2] for one in others if one.startswith("noise=")] or [DEFAULT]
    experiment = experiment_for(noises[-1])
    given = [one for one in others if not one.startswith("noise=")]
    output = [] if any(one.startswith("output=") for one in given) else ["output={image}_restored.png"]
    return [f"experiment={experiment}", f"image.path={picture}", *output, *given, *flags]
