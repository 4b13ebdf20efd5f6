"""Options of a run's W&B run: those of the request first, then W&B's own variables, then defaults."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = "dip_experiments"
"""Project of W&B, unless the request or the environment names another one."""
MODES = {"online": "online", "offline": "offline", "disabled": "disabled", "dryrun": "offline", "run": "online"}
"""Values of WANDB_MODE, the last two older names, and the mode that each means."""
TRUE = ("1", "true", "t", "yes", "y", "on")
"""Values of WANDB_DISABLED that switch W&B off."""
LONGEST_TAG, LONGEST_NAME = 64, 128
"""Characters: W&B refuses longer ones."""


def wandb_mode(requested: str | None) -> str:
    """Return `online`, `offline` or `disabled`.

    Args:
        requested: `logger.mode` of the request; None leaves it to WANDB_DISABLED and WANDB_MODE, without which W&B
            is offline.

    Raises:
        ValueError: For an unknown WANDB_MODE, with which W&B itself does not start, whatever is requested.
    """
    variable = os.environ.get("WANDB_MODE") or "offline"
    if variable not in MODES:
        raise ValueError(f"WANDB_MODE={variable}: no mode of W&B's; choose online, offline or disabled, or unset it")
    if requested:
        return requested
    return "disabled" if os.environ.get("WANDB_DISABLED", "").strip().lower() in TRUE else MODES[variable]


def wandb_parent(results: Path) -> Path:
    """Return the folder in which W&B makes its own, `wandb`: WANDB_DIR, else that of the results."""
    return Path(os.environ.get("WANDB_DIR") or results)


def has_key() -> bool:
    """Return True if W&B finds a key to log in with."""
    netrc = Path(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))
    return "WANDB_API_KEY" in os.environ or (netrc.exists() and "wandb" in netrc.read_text())


def check_key() -> None:
    """Raise ValueError if W&B has no key to log in with."""
    if not has_key():
        raise ValueError("W&B online: no key found; run `wandb login`, set WANDB_API_KEY, or use logger.mode=offline")


def run_options(config: Mapping[str, Any], name: str, tags: Iterable[str]) -> dict[str, Any]:
    """Return the arguments of `wandb.init` that a request or the environment may choose.

    Args:
        config: Settings of the run.
        name: Of the run, unless WANDB_NAME gives one.
        tags: Those that every run has, before those of the request, or else of WANDB_TAGS.
    """
    logger, environment = config["logger"], os.environ
    own_tags = logger["tags"] or environment.get("WANDB_TAGS", "").split(",")
    return {
        "mode": wandb_mode(logger["mode"]),
        "project": logger["project"] or environment.get("WANDB_PROJECT") or PROJECT,
        "entity": environment.get("WANDB_ENTITY") or None,
        "name": environment.get("WANDB_NAME") or name[:LONGEST_NAME],
        "group": environment.get("WANDB_RUN_GROUP") or config["experiment"]["name"],
        "job_type": environment.get("WANDB_JOB_TYPE") or "fit",
        "notes": environment.get("WANDB_NOTES") or None,
        "tags": valid_tags([*tags, *own_tags]),
    }


def valid_tags(tags: Sequence[str]) -> list[str]:
    """Return tags as W&B takes them: without spaces at the ends, cut to 64 characters, none empty, none twice."""
    cut = (tag.strip()[:LONGEST_TAG].strip() for tag in tags)
    return list(dict.fromkeys(tag for tag in cut if tag))
